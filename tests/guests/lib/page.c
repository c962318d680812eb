#include "page.h"

#include <string.h>

#include "csr.h"

#define ENTRIES (PAGE_SIZE / sizeof(unsigned long))
#define INDEX_BITS (XLEN == 64 ? 9 : 10)
#define PAGE_ALL (PAGE_VALID | PAGE_READ | PAGE_WRITE | PAGE_EXECUTE | PAGE_ACCESSED | PAGE_DIRTY)

typedef unsigned long page_table[ENTRIES] __attribute__((aligned(4096)));

// Root tables of Sv57 and Sv48 lead to the one of Sv39; the window has a middle (not on Sv32) and
// a leaf table.
static page_table root57, root48, root, middle, leaf;

static unsigned long entry_of(const void *table)
{
    return ((unsigned long)table >> 12 << 10) | PAGE_VALID;
}

void page_tables_init(void)
{
    unsigned big_shift = XLEN == 64 ? 30 : 22;
    for (unsigned long i = 0; i < ENTRIES; i++)
        root[i] = i << (big_shift - 2) | PAGE_ALL;
    memset(middle, 0, sizeof middle);
    memset(leaf, 0, sizeof leaf);
    unsigned long *window = &root[PAGE_WINDOW >> big_shift];
    if (XLEN == 64) {
        *window = entry_of(middle);
        middle[0] = entry_of(leaf);
    } else {
        *window = entry_of(leaf);
    }
    memset(root48, 0, sizeof root48);
    memset(root57, 0, sizeof root57);
    root48[0] = entry_of(root);
    root57[0] = entry_of(root48);
    fence_vma();
}

unsigned long *page_entry(unsigned long virtual)
{
    return &leaf[virtual >> 12 & (ENTRIES - 1)];
}

unsigned long *page_identity_entry(unsigned long virtual)
{
    return &root[virtual >> (12 + (XLEN == 64 ? 18 : 10))];
}

void page_map(unsigned long virtual, unsigned long physical, unsigned long permissions)
{
    *page_entry(virtual) = (physical >> 12 << 10) | permissions | PAGE_VALID | PAGE_ACCESSED | PAGE_DIRTY;
}

void page_unmap(unsigned long virtual)
{
    *page_entry(virtual) = 0;
}

unsigned long page_satp(enum paging mode)
{
    const void *table = mode == PAGING_SV57 ? root57 : mode == PAGING_SV48 ? root48 : root;
    return (unsigned long)mode << (XLEN == 64 ? 60 : 31) | (unsigned long)table >> 12;
}

bool paging_on(enum paging mode)
{
    unsigned long satp = page_satp(mode);
    fence_vma();
    csr_write(satp, satp);
    fence_vma();
    return csr_read(satp) == satp;
}

void paging_off(void)
{
    csr_write(satp, 0);
    fence_vma();
}
