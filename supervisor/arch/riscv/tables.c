// Sv39 and Sv32 (RISC-V privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System").
//
// Every root table has the kernel's half in its upper entries, which never change after booting. Table pages of a space
// come from its budget. Address-space identifiers are given out one after the other; when all are used up, a new era
// begins, in which each hart first drops all translations, and a space gets a new one when it is loaded next.
#include "tables.h"

#include <string.h>

#include "bits.h"
#include "csr.h"
#include "sbi.h"

typedef uintptr_t pte;

#define ENTRIES (1u << TABLE_BITS)
#define USER_ENTRIES (ENTRIES / 2)

uintptr_t direct_offset;
static pte *kernel_root;
static uint32_t asid_last, asid_next, era = 1;

extern char image_start[], image_rodata[], image_data[], image_end[];
extern char stacks[HARTS_MAX][STACK_GUARD + STACK_SIZE + STACK_EMERGENCY];

static struct budget kernel_pays = {.limit = UINT64_MAX};

static pte pte_make(uint64_t physical, unsigned flags)
{
    return (pte)(physical >> 2) | flags;
}

static uint64_t pte_address(pte entry)
{
    return (uint64_t)(entry & ~(pte)0x3ff) << 2;
}

static pte *pte_table(pte entry)
{
    return physical_pointer(pte_address(entry));
}

static unsigned level_shift(unsigned level)
{
    return FRAME_SHIFT + TABLE_BITS * level;
}

static unsigned level_index(uintptr_t address, unsigned level)
{
    return (unsigned)(address >> level_shift(level)) & (ENTRIES - 1);
}

// The entry for this address at that level; NULL: there is no such table. With a budget it is made.
static pte *entry_find(pte *root, uintptr_t address, unsigned level, struct budget *pays)
{
    pte *entry = &root[level_index(address, TABLE_LEVELS - 1)];

    for (unsigned at = TABLE_LEVELS - 1; at > level; at--) {
        uint64_t table;
        if (!(*entry & PTE_V)) {
            if (!pays || frames_take(pays, 0, &table) != STATUS_OK)
                return NULL;
            *entry = pte_make(table, PTE_V);
        }
        entry = &pte_table(*entry)[level_index(address, at - 1)];
    }
    return entry;
}

// --- the kernel's own -------------------------------------------------------------------------------

// By the largest pages that fit, but for the image, which has small ones.
static unsigned level_for(uint64_t physical, uint64_t size, bool is_small)
{
    unsigned level = TABLE_LEVELS - 1;
    while (level &&
           (is_small || !is_aligned(physical, UINT64_C(1) << level_shift(level)) || size >> level_shift(level) == 0))
        level--;
    return level;
}

static enum status kernel_map(uintptr_t address, struct range r, unsigned flags, bool is_small)
{
    while (r.size) {
        unsigned level = level_for(r.start, r.size, is_small);
        pte *entry = entry_find(kernel_root, address, level, &kernel_pays);
        uint64_t size = UINT64_C(1) << level_shift(level);
        if (!entry)
            return STATUS_NO_MEMORY;
        *entry = pte_make(r.start, flags);
        address += (uintptr_t)size;
        r.start += size;
        r.size -= size;
    }
    return STATUS_OK;
}

static enum status kernel_map_ram(uint64_t start, uint64_t end, unsigned flags, bool is_small)
{
    if (start >= end)
        return STATUS_OK;
    return kernel_map((uintptr_t)physical_pointer(start), (struct range){start, end - start}, flags, is_small);
}

static enum status kernel_map_image(void)
{
    uint64_t code = physical_address(image_start), rodata = physical_address(image_rodata),
             data = physical_address(image_data), end = physical_address(image_end);
    enum status status = kernel_map_ram(code, rodata, KERNEL_CODE, true);

    if (status == STATUS_OK)
        status = kernel_map_ram(rodata, data, KERNEL_READ, true);
    if (status == STATUS_OK)
        status = kernel_map_ram(data, end, KERNEL_DATA, true);
    for (unsigned i = 0; i < HARTS_MAX && status == STATUS_OK; i++)
        *entry_find(kernel_root, (uintptr_t)stacks[i], 0, NULL) = 0;
    return status;
}

enum status kernel_tables_make(const struct range *ram, size_t count)
{
    uint64_t root, image = physical_address(image_start), end = physical_address(image_end);
    enum status status = frames_take(&kernel_pays, 0, &root);

    if (status == STATUS_OK) {
        kernel_root = physical_pointer(root);
        status = kernel_map_image();
    }
    // In front of the image and behind it; where it begins or ends, small pages are all that fits.
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        uint64_t start = align_up(ram[i].start, FRAME_SIZE), stop = align_down(range_end(ram[i]), FRAME_SIZE);
        status = kernel_map_ram(start, stop < image ? stop : image, KERNEL_DATA, false);
        if (status == STATUS_OK)
            status = kernel_map_ram(start > end ? start : end, stop, KERNEL_DATA, false);
    }
    return status;
}

volatile void *kernel_map_device(uint64_t address, uint64_t size)
{
    static uintptr_t next = KERNEL_BASE + KERNEL_SPAN;
    uint64_t start = align_down(address, FRAME_SIZE), end = align_up(address + size, FRAME_SIZE);
    uintptr_t at = next;

    if (end <= start || end - start > UINTPTR_MAX - FRAME_SIZE - at ||
        kernel_map(at, (struct range){start, end - start}, KERNEL_DATA, true) != STATUS_OK)
        return NULL;
    next += (uintptr_t)(end - start);
    return (volatile char *)at + (address - start);
}

uintptr_t kernel_satp(void)
{
    return SATP_MODE | (uintptr_t)(physical_address(kernel_root) >> FRAME_SHIFT);
}

// --- translations -----------------------------------------------------------------------------------

static void fence_page(uintptr_t address, uint32_t asid)
{
    __asm__ volatile("sfence.vma %0, %1" ::"r"(address), "r"((uintptr_t)asid) : "memory");
}

static void fence_space(uint32_t asid)
{
    __asm__ volatile("sfence.vma x0, %0" ::"r"((uintptr_t)asid) : "memory");
}

static void fence_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

void spaces_init(void)
{
    uintptr_t satp = csr_read(CSR_SATP);

    csr_write(CSR_SATP, satp | (uintptr_t)SATP_ASID_MASK << SATP_ASID_SHIFT);
    asid_last = (uint32_t)(csr_read(CSR_SATP) >> SATP_ASID_SHIFT) & SATP_ASID_MASK;
    csr_write(CSR_SATP, satp);
    fence_all();
    asid_next = 1; // 0 is the kernel's
}

static __attribute__((noinline)) void asid_give(struct space *s)
{
    if (asid_next > asid_last) {
        era++;
        asid_next = 1;
    }
    s->asid = asid_last ? asid_next++ : 0;
    s->era = era;
    s->stale = 0;
    s->satp = SATP_MODE | (uintptr_t)s->asid << SATP_ASID_SHIFT | (uintptr_t)(s->root >> FRAME_SHIFT);
}

// Root tables of spaces that are no more, but loaded on harts that are in the kernel and need its half alone. The first
// entries of each say which is next, and which harts have it loaded, a bit each: neither is valid as an entry.
struct limbo {
    struct limbo *next;
    uintptr_t harts; // shifted by one
};
static struct limbo *limbo;

static __attribute__((noinline)) void limbo_end(struct cpu *cpu)
{
    struct limbo **at = &limbo, *root;

    cpu->in_limbo = false;
    while ((root = *at)) {
        root->harts &= ~((uintptr_t)2 << cpu->index);
        if (root->harts) {
            at = &root->next;
            continue;
        }
        *at = root->next;
        frames_give(&kernel_pays, 0, physical_address(root));
    }
}

// What 'bit' says: this hart has old translations, or old instructions.
static __attribute__((noinline)) void space_freshen(struct cpu *cpu, struct space *s, uint32_t bit)
{
    if (cpu->era != era) {
        cpu->era = era;
        fence_all();
    } else if (s->stale & bit) {
        fence_space(s->asid);
    }
    s->stale &= ~bit;
    if (s->code & bit)
        __asm__ volatile("fence.i" ::: "memory");
    s->code &= ~bit;
}

void space_load(struct cpu *cpu, struct space *s)
{
    uint32_t bit = cpu->bit;

    if (s && (s->era != era || !asid_last))
        asid_give(s);
    csr_write(CSR_SATP, s ? s->satp : kernel_satp());
    cpu->space = s;
    if (!asid_last)
        fence_all();
    if (s && (cpu->era != era || (s->stale | s->code) & bit))
        space_freshen(cpu, s, bit);
    if (s && !asid_last)
        s->stale = UINT32_MAX; // a fence each time it is loaded
    if (cpu->in_limbo)
        limbo_end(cpu);
}

// Harts, but for this one, that have it loaded and so may run it now.
static uint32_t space_elsewhere(const struct space *s)
{
    uint32_t elsewhere = 0;
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i].space == s && &cpus[i] != this_cpu())
            elsewhere |= 1u << i;
    return elsewhere;
}

// Translations of these pages are worth nothing any more: here and, where it may run, at once; elsewhere before it
// runs.
static void space_fence(struct space *s, uintptr_t address, uintptr_t size)
{
    uint32_t elsewhere = space_elsewhere(s), here = 1u << this_cpu()->index;

    s->stale |= cpu_all & ~here & ~elsewhere;
    if (size <= 16 * FRAME_SIZE)
        for (uintptr_t at = 0; at < size; at += FRAME_SIZE)
            fence_page(address + at, s->asid);
    else
        fence_space(s->asid);
    for (unsigned i = 0; elsewhere >> i; i++)
        if (elsewhere >> i & 1)
            (void)sbi(SBI_RFENCE, 2, 1, cpus[i].id, address, size, s->asid);
}

// --- spaces -----------------------------------------------------------------------------------------

enum status space_create(struct space *s, struct budget *pays)
{
    uint64_t root;
    enum status status = frames_take(pays, 0, &root);

    if (status != STATUS_OK)
        return status;
    *s = (struct space){.root = root, .pays = pays, .code = cpu_all};
    memcpy((pte *)physical_pointer(root) + USER_ENTRIES, kernel_root + USER_ENTRIES, USER_ENTRIES * sizeof(pte));
    return STATUS_OK;
}

// A table and those below it; bounded by TABLE_LEVELS.
static void tables_give(struct space *s, pte *table, unsigned entries, unsigned level)
{
    for (unsigned i = 0; i < entries && level; i++) {
        if (!(table[i] & PTE_V))
            continue;
        tables_give(s, pte_table(table[i]), ENTRIES, level - 1);
        frames_give(s->pays, 0, pte_address(table[i]));
        table[i] = 0;
    }
}

// Harts that are in the kernel may have its root loaded still: the last one to load another gives it back.
static void root_give(struct space *s)
{
    struct limbo *root = physical_pointer(s->root);
    uintptr_t loaded = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        if (cpus[i].space != s)
            continue;
        cpus[i].space = NULL;
        cpus[i].in_limbo = true;
        loaded |= (uintptr_t)2 << i;
    }
    if (!loaded) {
        frames_give(s->pays, 0, s->root);
        return;
    }
    *root = (struct limbo){limbo, loaded};
    limbo = root;
    budget_return(s->pays, 1);
    kernel_pays.used++;
}

void space_destroy(struct space *s)
{
    if (this_cpu()->space == s)
        space_load(this_cpu(), NULL);
    tables_give(s, physical_pointer(s->root), USER_ENTRIES, TABLE_LEVELS - 1);
    root_give(s);
    s->root = 0;
}

static unsigned user_flags(unsigned access)
{
    unsigned flags = PTE_V | PTE_U | PTE_A;

    if (access & (SV_RIGHT_READ | SV_RIGHT_WRITE))
        flags |= PTE_R;
    if (access & SV_RIGHT_WRITE)
        flags |= PTE_W | PTE_D;
    if (access & SV_RIGHT_EXECUTE)
        flags |= PTE_X;
    return flags;
}

enum status space_map(struct space *s, uintptr_t address, uint64_t frame, unsigned access)
{
    pte *entry = entry_find(physical_pointer(s->root), address, 0, s->pays);

    if (!entry)
        return STATUS_NO_MEMORY;
    pte before = *entry;
    *entry = pte_make(frame, user_flags(access));
    if (before & PTE_V)
        space_fence(s, address, FRAME_SIZE);
    else
        fence_page(address, s->asid);
    return STATUS_OK;
}

// Clears one table's part of a range, and says where the next begins.
static uintptr_t table_clear(pte *root, uintptr_t at, uintptr_t end, bool *cleared)
{
    uintptr_t span = (uintptr_t)1 << level_shift(1), stop = (at & ~(span - 1)) + span;
    pte *entry = entry_find(root, at, 0, NULL);

    if (stop > end)
        stop = end;
    for (; entry && at < stop; at += FRAME_SIZE, entry++) {
        *cleared |= *entry;
        *entry = 0;
    }
    return stop;
}

void space_unmap(struct space *s, uintptr_t address, uint64_t size)
{
    uintptr_t at = address, end = address + (uintptr_t)size;
    bool cleared = false;

    while (at < end)
        at = table_clear(physical_pointer(s->root), at, end, &cleared);
    if (cleared)
        space_fence(s, address, (uintptr_t)size);
}

enum status space_find(const struct space *s, uintptr_t address, unsigned access, uint64_t *physical)
{
    const pte *entry = entry_find(physical_pointer(s->root), address, 0, NULL);
    unsigned wanted = user_flags(access);

    if (!entry || (*entry & wanted) != wanted)
        return STATUS_FAULT;
    *physical = pte_address(*entry) + address % FRAME_SIZE;
    return STATUS_OK;
}

void space_code_changed(struct space *s)
{
    __asm__ volatile("fence.i" ::: "memory");
    s->code = cpu_all & ~(1u << this_cpu()->index);
}
