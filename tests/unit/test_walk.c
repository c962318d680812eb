// The same file tests Sv32 when test_walk_sv32.c includes it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../hypervisor/isolation/pmp/walk.c"

// The capsule's RAM: pages of an array whose guards would tell of accesses outside.
#define PAGES 16u
#define BASE 0x80200000ULL
#define ENTRIES (FRAME_SIZE / sizeof(pte_t))
#define POINTER 0x01u
#define LEAF 0xcfu
#define ROUNDS 200000u

#if XLEN == 64
#define MODES ((const unsigned long[]){8, 9, 10})
#define MODES_COUNT 3u
#define SATP(mode, table) ((mode) << 60 | (unsigned long)((table) >> FRAME_SHIFT))
#define VA_MASK UINT64_MAX
#else
#define MODES ((const unsigned long[]){1})
#define MODES_COUNT 1u
#define SATP(mode, table) ((mode) << 31 | (unsigned long)((table) >> FRAME_SHIFT))
#define VA_MASK 0xffffffffULL
#endif

unsigned char *hpa_arena;
static pte_t (*ram)[ENTRIES];
static struct space space;
static struct world world = {.space = &space};

bool space_translate(const struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    assert_ptr_equal(s, &space);
    if (a.value < BASE || a.value - BASE >= PAGES * FRAME_SIZE || size > PAGES * FRAME_SIZE - (a.value - BASE))
        return false;
    *out = hpa(a.value - BASE);
    return true;
}

static int setup(void **state)
{
    (void)state;
    hpa_arena = calloc(PAGES, FRAME_SIZE);
    ram = (pte_t(*)[ENTRIES])(void *)hpa_arena;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(hpa_arena);
    return 0;
}

static uint64_t page(unsigned n)
{
    return BASE + (uint64_t)n * FRAME_SIZE;
}

static pte_t pte(uint64_t address, unsigned flags)
{
    return (pte_t)(address >> FRAME_SHIFT << 10 | flags);
}

static unsigned index_of(uint64_t va, unsigned level)
{
    return (va >> (FRAME_SHIFT + level * INDEX_BITS)) & (ENTRIES - 1);
}

static void walk_check(unsigned long satp, uint64_t va, enum walk_result expected, uint64_t address)
{
    uint64_t out = 0;
    assert_int_equal(pmp_walk(&world, satp, va, &out), expected);
    if (expected == WALK_OK)
        assert_int_equal(out, address);
}

// Tables in pages 0, 1, ... for this address, with a leaf at `leaf`.
static unsigned long map(unsigned long mode, uint64_t va, unsigned leaf, pte_t entry)
{
    unsigned levels = levels_of(mode), table = 0;
    memset(hpa_arena, 0, PAGES * FRAME_SIZE);
    for (unsigned level = levels - 1; level > leaf; level--, table++)
        ram[table][index_of(va, level)] = pte(page(table + 1), POINTER);
    ram[table][index_of(va, leaf)] = entry;
    return SATP(mode, page(0));
}

static void test_bare(void **state)
{
    (void)state;
    walk_check(0, 0x10000005, WALK_OK, 0x10000005);
    walk_check(0x1234, 0, WALK_OK, 0);
}

static void test_pages_of_all_sizes(void **state)
{
    (void)state;
    const uint64_t vas[] = {0, 0xffffffffffffffff, 0x10000005, 0x7fedcba987654321, 0xffffffc012345678};
    for (unsigned m = 0; m < MODES_COUNT; m++)
        for (unsigned i = 0; i < array_length(vas); i++)
            for (unsigned leaf = 0; leaf < levels_of(MODES[m]); leaf++) {
                uint64_t va = vas[i] & VA_MASK, size = 1ULL << (FRAME_SHIFT + leaf * INDEX_BITS);
                unsigned long satp = map(MODES[m], va, leaf, pte(size * 3, LEAF));
                walk_check(satp, va, WALK_OK, size * 3 + (va & (size - 1)));
                walk_check(satp, va ^ size, WALK_PAGE_FAULT, 0);
            }
}

#if XLEN == 64
static void test_napot(void **state)
{
    (void)state;
    // 64 KiB: the lowest four bits of the page number are 1000.
    unsigned long satp = map(8, 0x1234567, 0, pte(0x10000000 | 0x8000, LEAF) | 1ULL << 63);
    walk_check(satp, 0x1234567, WALK_OK, 0x10004567);
    // Memory types do not count as address.
    satp = map(8, 0x1234567, 0, pte(0x10000000, LEAF) | 2ULL << 61);
    walk_check(satp, 0x1234567, WALK_OK, 0x10000567);
}
#endif

static void test_tables_elsewhere(void **state)
{
    (void)state;
    for (unsigned m = 0; m < MODES_COUNT; m++) {
        const uint64_t bad[] = {0, BASE - FRAME_SIZE, page(PAGES), ((1ULL << (XLEN == 64 ? 56 : 34)) - 1) & ~0xfffULL};
        for (unsigned i = 0; i < array_length(bad); i++) {
            walk_check(SATP(MODES[m], bad[i]), 0x1000, WALK_ACCESS_FAULT, 0);
            for (unsigned level = 1; level < levels_of(MODES[m]); level++)
                walk_check(map(MODES[m], 0x1000, level, pte(bad[i], POINTER)), 0x1000, WALK_ACCESS_FAULT, 0);
        }
    }
}

static void test_last_entry_of_ram(void **state)
{
    (void)state;
    memset(hpa_arena, 0, PAGES * FRAME_SIZE);
    ram[PAGES - 1][ENTRIES - 1] = pte(0, LEAF);
    unsigned levels = levels_of(MODES[0]);
    uint64_t size = 1ULL << (FRAME_SHIFT + (levels - 1) * INDEX_BITS), va = (size * ENTRIES - 1) & VA_MASK;
    walk_check(SATP(MODES[0], page(PAGES - 1)), va, WALK_OK, size - 1);
}

static void test_loops_end(void **state)
{
    (void)state;
    memset(hpa_arena, 0, PAGES * FRAME_SIZE);
    for (unsigned i = 0; i < ENTRIES; i++)
        ram[0][i] = pte(page(0), POINTER);
    for (unsigned m = 0; m < MODES_COUNT; m++)
        walk_check(SATP(MODES[m], page(0)), 0x123456, WALK_PAGE_FAULT, 0);
}

static uint64_t random64(void)
{
    return (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
}

static pte_t random_entry(void)
{
    if (rand() % 3 == 0)
        return (pte_t)random64();
    return pte(page((unsigned)rand() % (PAGES + 2)), rand() % 4 ? POINTER : LEAF) | (pte_t)(rand() % 16 * 16);
}

// As the specification words it, for entries that hardware would take.
static enum walk_result expected_walk(unsigned long satp, uint64_t va, uint64_t *out)
{
    unsigned levels = levels_of(SATP_MODE(satp));
    uint64_t table = (uint64_t)SATP_PPN(satp) << FRAME_SHIFT;

    for (unsigned level = levels; level-- > 0;) {
        struct hpa at;
        if (!space_translate(&space, gpa(table + index_of(va, level) * sizeof(pte_t)), sizeof(pte_t), &at))
            return WALK_ACCESS_FAULT;
        pte_t entry = ram[at.value / FRAME_SIZE][at.value % FRAME_SIZE / sizeof(pte_t)];
        if (!(entry & 1))
            return WALK_PAGE_FAULT;
        uint64_t bits = FRAME_SHIFT + level * INDEX_BITS, frame = PTE_PPN(entry);
        if (level == 0 && PTE_NAPOT(entry))
            bits = 16;
        if (entry & 0xe) {
            *out = frame >> (bits - FRAME_SHIFT) << bits | (va & ((1ULL << bits) - 1));
            return WALK_OK;
        }
        table = frame << FRAME_SHIFT;
    }
    return WALK_PAGE_FAULT;
}

// Whatever the guest wrote: no access outside its RAM, an end, and the address that its table says.
static void test_hostile_tables(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round % 1000 == 0)
            for (unsigned i = 0; i < PAGES * ENTRIES; i++)
                ram[i / ENTRIES][i % ENTRIES] = random_entry();
        uint64_t va = random64() & VA_MASK, address = 0;
        unsigned long satp = SATP(MODES[round % MODES_COUNT], page((unsigned)rand() % PAGES));
        if (rand() % 50 == 0)
            satp = (unsigned long)(random64() & VA_MASK);
        if (levels_of(SATP_MODE(satp)) == 0)
            continue;
        enum walk_result expected = expected_walk(satp, va, &address);
        walk_check(satp, va, expected, address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_pages_of_all_sizes),
#if XLEN == 64
        cmocka_unit_test(test_napot),
#endif
        cmocka_unit_test(test_tables_elsewhere),
        cmocka_unit_test(test_last_entry_of_ram),
        cmocka_unit_test(test_loops_end),
        cmocka_unit_test(test_hostile_tables),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
