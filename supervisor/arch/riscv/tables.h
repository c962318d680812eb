// Page tables: the kernel's own, and what a hart has loaded. Spaces of tasks are in arch.h.
#pragma once

#include "cpu.h"

#define PTE_V 0x001
#define PTE_R 0x002
#define PTE_W 0x004
#define PTE_X 0x008
#define PTE_U 0x010
#define PTE_G 0x020
#define PTE_A 0x040
#define PTE_D 0x080

#define KERNEL_READ (PTE_V | PTE_R | PTE_G | PTE_A)
#define KERNEL_CODE (KERNEL_READ | PTE_X)
#define KERNEL_DATA (KERNEL_READ | PTE_W | PTE_D)

// Makes the kernel's own tables: 'ram' in view, the image with the access that its parts need, guards below the stacks.
// STATUS_NO_MEMORY
must_check enum status kernel_tables_make(const struct range *ram, size_t count);

// The registers of a device, in view from now on; NULL: no room. To be called before there are spaces.
volatile void *kernel_map_device(uint64_t address, uint64_t size);

// The kernel's own table, for satp.
uintptr_t kernel_satp(void);

// How many bits an address-space identifier has on this hart; harts of a machine have the same.
void spaces_init(void);
