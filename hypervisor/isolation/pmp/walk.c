// A walk of the guest's own page table, which is as hostile as the rest of its memory: each entry
// is read once, from an address that was checked to lie in the capsule's RAM.
//
// Rights are not checked: hardware did so before it raised the access fault that brings us here.
// Privileged specification, "Virtual Address Translation Process".
#include "backend.h"
#include "csr.h"

#define PTE_V 0x01
#define PTE_RWX 0x0e

#if XLEN == 64
typedef uint64_t pte_t;
#define SATP_MODE(satp) ((satp) >> 60)
#define SATP_PPN(satp) ((satp)&0xfffffffffffULL)
#define PTE_PPN(pte) (((pte) >> 10) & 0xfffffffffffULL)
#define PTE_NAPOT(pte) ((pte) >> 63)
#define INDEX_BITS 9
// Sv39, Sv48, Sv57 are modes 8, 9, 10.
static unsigned levels_of(unsigned long mode)
{
    return mode >= 8 && mode <= 10 ? (unsigned)mode - 5 : 0;
}
#else
typedef uint32_t pte_t;
#define SATP_MODE(satp) ((satp) >> 31)
#define SATP_PPN(satp) ((satp)&0x3fffffUL)
#define PTE_PPN(pte) ((uint64_t)((pte) >> 10))
#define PTE_NAPOT(pte) 0
#define INDEX_BITS 10
static unsigned levels_of(unsigned long mode)
{
    return mode == 1 ? 2 : 0;
}
#endif

static uint64_t leaf_address(pte_t pte, uint64_t gva, unsigned shift)
{
    if (shift == FRAME_SHIFT && PTE_NAPOT(pte)) // Svnapot: 64 KiB
        shift = 16;
    uint64_t mask = (1ULL << shift) - 1;
    return ((PTE_PPN(pte) << FRAME_SHIFT) & ~mask) | (gva & mask);
}

__attribute__((always_inline)) static inline enum walk_result walk(const struct space *s, bool is_direct,
                                                                   unsigned long satp, uint64_t gva, uint64_t *out)
{
    const struct extent *ram = &s->extents[0];
    unsigned levels = levels_of(SATP_MODE(satp));
    uint64_t table = (uint64_t)SATP_PPN(satp) << FRAME_SHIFT;

    if (levels == 0) {
        *out = gva;
        return WALK_OK;
    }
    for (unsigned shift = FRAME_SHIFT + levels * INDEX_BITS; shift > FRAME_SHIFT;) {
        shift -= INDEX_BITS;
        uint64_t index = (unsigned long)(gva >> shift) & ((1u << INDEX_BITS) - 1);
        struct hpa where = hpa(table + index * sizeof(pte_t));
        // Tables are page-aligned, as RAM is: an entry that begins in it ends in it.
        if (is_direct ? where.value - ram->host.value >= ram->size
                      : !space_translate(s, gpa(where.value), sizeof(pte_t), &where))
            return WALK_ACCESS_FAULT;
        pte_t pte = *(volatile const pte_t *)hpa_pointer(where);
        table = PTE_PPN(pte) << FRAME_SHIFT;
        if (likely((pte & (PTE_V | PTE_RWX)) == PTE_V))
            continue;
        if (!(pte & PTE_V))
            return WALK_PAGE_FAULT;
        *out = leaf_address(pte, gva, shift);
        return WALK_OK;
    }
    return WALK_PAGE_FAULT;
}

static __attribute__((noinline)) enum walk_result walk_pieces(const struct space *s, unsigned long satp, uint64_t gva,
                                                              uint64_t *out)
{
    return walk(s, false, satp, gva, out);
}

// Under pmp a capsule's RAM is one extent, whose guest addresses are host addresses. With H but without mtval2 a
// capsule under gstage comes here too, and has its extents looked up.
enum walk_result pmp_walk(const struct world *w, unsigned long satp, uint64_t gva, uint64_t *out)
{
    const struct space *s = w->space;
    return likely(s->kind == ISOLATION_PMP) ? walk(s, true, satp, gva, out) : walk_pieces(s, satp, gva, out);
}
