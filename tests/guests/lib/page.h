// Page tables of a payload: an identity map of everything in big pages, and a window of small
// pages at PAGE_WINDOW (where a device tree like QEMU's puts no RAM and no device of ours).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PAGE_WINDOW 0x40000000ul
#define PAGE_SIZE 4096ul

enum {
    PAGE_VALID = 1,
    PAGE_READ = 2,
    PAGE_WRITE = 4,
    PAGE_EXECUTE = 8,
    PAGE_USER = 16,
    PAGE_GLOBAL = 32,
    PAGE_ACCESSED = 64,
    PAGE_DIRTY = 128,
};

// Values of satp's mode field.
enum paging { PAGING_OFF = 0, PAGING_SV32 = 1, PAGING_SV39 = 8, PAGING_SV48 = 9, PAGING_SV57 = 10 };
#define PAGING_DEFAULT (sizeof(long) == 8 ? PAGING_SV39 : PAGING_SV32)

void page_tables_init(void);
// Maps one page of the window (its first 2 MiB); takes effect after a fence.
void page_map(unsigned long virtual, unsigned long physical, unsigned long permissions);
void page_unmap(unsigned long virtual);
unsigned long *page_entry(unsigned long virtual);
// The entry of the identity map (a big page) that covers an address.
unsigned long *page_identity_entry(unsigned long virtual);
unsigned long page_satp(enum paging);
bool paging_on(enum paging); // false if the hart lacks that mode
void paging_off(void);
