// sources: hypervisor/isolation/gstage/gstage_table.c hypervisor/memory/frames.c lib/buddy.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bits.h"
#include "frames.h"
#include "gstage_table.h"
#include "isolation.h"
#include "log.h"

#define KIB 0x400ULL
#define MIB 0x100000ULL
#define GIB 0x40000000ULL
#define ARENA_PAGES 256u
#define POOL_START 0x5000u // not aligned as a root must be

unsigned char *hpa_arena;
static struct gstage_pool pool;
static uint64_t frames_table[64];
static struct gstage_user user = {.owner = 7};

_Noreturn void panic(const char *format, ...)
{
    fail_msg("panic: %s", format);
    abort();
}

static int setup(void **state)
{
    (void)state;
    hpa_arena = aligned_alloc(GSTAGE_ROOT_SIZE, ARENA_PAGES * FRAME_SIZE);
    memset(hpa_arena, 0xff, ARENA_PAGES * FRAME_SIZE);
    frames_init(frames_table, NULL, 0); // no general memory
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(hpa_arena);
    return 0;
}

static void pool_of(unsigned pages)
{
    assert_true(POOL_START / FRAME_SIZE + pages <= ARENA_PAGES);
    gstage_pool_init(&pool, (struct range){POOL_START, (uint64_t)pages * FRAME_SIZE});
}

static struct hpa root_create(void)
{
    struct hpa root;
    assert_int_equal(gstage_root_create(&pool, &user, &root), STATUS_OK);
    assert_true(is_aligned(root.value, GSTAGE_ROOT_SIZE));
    return root;
}

// Empties the pool: how many roots and how many tables are there to be had.
static unsigned pool_count(void)
{
    struct gstage_pool copy = pool;
    unsigned roots = 0;
    struct hpa root;

    while (gstage_root_create(&pool, &user, &root) == STATUS_OK)
        roots++;
    pool = copy; // the lists' links were overwritten with zeros, but this is the last use
    return roots;
}

static void lookup_check(const struct gstage_mode *mode, struct hpa root, uint64_t guest, uint64_t host)
{
    struct hpa found;
    assert_true(gstage_lookup(mode, root, gpa(guest), &found));
    if (found.value != host)
        fail_msg("0x%llx leads to 0x%llx, not 0x%llx", (unsigned long long)guest, (unsigned long long)found.value,
                 (unsigned long long)host);
}

static void nothing_check(const struct gstage_mode *mode, struct hpa root, uint64_t guest)
{
    struct hpa found;
    assert_false(gstage_lookup(mode, root, gpa(guest), &found));
}

struct piece {
    uint64_t guest, host, size;
};

static void extent_check(const struct gstage_mode *mode, struct hpa root, struct piece e)
{
    for (uint64_t at = 0; at < e.size; at += e.size / 13 + 1)
        lookup_check(mode, root, e.guest + at, e.host + at);
    lookup_check(mode, root, e.guest, e.host);
    lookup_check(mode, root, e.guest + e.size - 1, e.host + e.size - 1);
}

static unsigned tables_of(const struct gstage_mode *mode, struct piece e)
{
    uint64_t before;
    pool_of(100);
    before = pool.tables_next;
    struct hpa root = root_create();
    assert_int_equal(gstage_map(&pool, &user, mode, root, gpa(e.guest), hpa(e.host), e.size), STATUS_OK);
    extent_check(mode, root, e);
    nothing_check(mode, root, e.guest + e.size);
    if (e.guest)
        nothing_check(mode, root, e.guest - 1);
    return (unsigned)((before - pool.tables_next) / FRAME_SIZE);
}

static void test_largest_pages(void **state)
{
    (void)state;
    // Sv39x4: 1 GiB pages lie in the root, 2 MiB pages one table below for each GiB.
    assert_int_equal(tables_of(&gstage_sv39x4, (struct piece){2 * GIB, 4 * GIB, GIB}), 0);
    assert_int_equal(tables_of(&gstage_sv39x4, (struct piece){2 * GIB, 4 * GIB, 3 * GIB + 4 * MIB}), 1);
    assert_int_equal(tables_of(&gstage_sv39x4, (struct piece){2 * GIB, 4 * GIB + 2 * MIB, GIB}), 1);
    assert_int_equal(tables_of(&gstage_sv39x4, (struct piece){2 * GIB, 6 * MIB, 192 * MIB}), 1);
    assert_int_equal(tables_of(&gstage_sv39x4, (struct piece){2 * GIB, 4 * KIB, 4 * MIB}), 3);
    assert_int_equal(tables_of(&gstage_sv39x4, (struct piece){3 * GIB - 4 * KIB, 0, 8 * KIB}), 4);
    // Sv32x4: 4 MiB pages lie in the root.
    assert_int_equal(tables_of(&gstage_sv32x4, (struct piece){2 * GIB, 3 * GIB, 192 * MIB}), 0);
    assert_int_equal(tables_of(&gstage_sv32x4, (struct piece){2 * GIB, 2 * MIB, 8 * MIB}), 2);
}

static void test_the_ends_of_guest_space(void **state)
{
    (void)state;
    tables_of(&gstage_sv39x4, (struct piece){0, 0, 4 * KIB});
    tables_of(&gstage_sv39x4, (struct piece){0, 4 * GIB, 2 * GIB});
    tables_of(&gstage_sv32x4, (struct piece){0, 4 * MIB, 8 * MIB});
    // 41 bits under Sv39x4, 34 under Sv32x4, in roots of four times the usual size.
    pool_of(100);
    struct hpa root = root_create();
    assert_int_equal(gstage_map(&pool, &user, &gstage_sv39x4, root, gpa((1ULL << 41) - 4 * KIB), hpa(0x7000), 4 * KIB),
                     STATUS_OK);
    lookup_check(&gstage_sv39x4, root, (1ULL << 41) - 1, 0x7fff);
    root = root_create();
    assert_int_equal(gstage_map(&pool, &user, &gstage_sv32x4, root, gpa((1ULL << 34) - 4 * KIB),
                                hpa((1ULL << 34) - 4 * KIB), 4 * KIB),
                     STATUS_OK);
    lookup_check(&gstage_sv32x4, root, (1ULL << 34) - 1, (1ULL << 34) - 1);
}

// Accessed, dirty, user, all rights, no global: what hardware must find in a leaf, and in a pointer V alone.
static void test_entries(void **state)
{
    (void)state;
    pool_of(100);
    struct hpa root = root_create();
    assert_int_equal(gstage_map(&pool, &user, &gstage_sv39x4, root, gpa(2 * GIB), hpa(3 * GIB), GIB), STATUS_OK);
    assert_int_equal(gstage_map(&pool, &user, &gstage_sv39x4, root, gpa(GIB), hpa(2 * MIB), 2 * MIB), STATUS_OK);
    const uint64_t *entries = hpa_pointer(root);
    assert_int_equal(entries[2], (3 * GIB >> 12 << 10) | 0xdf);
    assert_int_equal(entries[1] & 0x3ff, 0x01);
    const uint64_t *below = hpa_pointer(hpa(entries[1] >> 10 << 12));
    assert_int_equal(below[0], (2 * MIB >> 12 << 10) | 0xdf);
}

static void random_extents(const struct gstage_mode *mode, uint64_t page, struct piece *extents, unsigned count)
{
    uint64_t guest = (uint64_t)(rand() % 8) * page;
    for (unsigned i = 0; i < count; i++) {
        uint64_t unit = rand() % 2 ? page : FRAME_SIZE;
        guest = align_up(guest, unit) + (uint64_t)(rand() % 3) * unit;
        extents[i] = (struct piece){guest, (uint64_t)(rand() % 1000) * unit, (uint64_t)(rand() % 600 + 1) * unit};
        if (mode == &gstage_sv32x4) // 34 bits
            extents[i].size = (uint64_t)(rand() % 60 + 1) * unit;
        guest += extents[i].size;
    }
}

// Whatever is mapped is found, also after other roots came and went, and nothing else.
static void random_maps(const struct gstage_mode *mode, uint64_t page)
{
    pool_of(200);
    for (unsigned round = 0; round < 200; round++) {
        struct piece extents[5];
        struct hpa root = root_create(), other = root_create();
        random_extents(mode, page, extents, 5);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(
                gstage_map(&pool, &user, mode, root, gpa(extents[i].guest), hpa(extents[i].host), extents[i].size),
                STATUS_OK);
            if (i == 2)
                gstage_root_destroy(&pool, &user, mode, other);
        }
        for (unsigned i = 0; i < 5; i++) {
            extent_check(mode, root, extents[i]);
            if (i && extents[i].guest != extents[i - 1].guest + extents[i - 1].size)
                nothing_check(mode, root, extents[i].guest - 1);
        }
        nothing_check(mode, root, extents[4].guest + extents[4].size);
        gstage_root_destroy(&pool, &user, mode, root);
    }
}

static void test_random_sv39x4(void **state)
{
    (void)state;
    srand(1);
    random_maps(&gstage_sv39x4, 2 * MIB);
}

static void test_random_sv32x4(void **state)
{
    (void)state;
    srand(2);
    random_maps(&gstage_sv32x4, 4 * MIB);
}

// A map that fails in its n-th table leaves nothing behind once its root is destroyed.
static void test_exhaustion_leaks_nothing(void **state)
{
    (void)state;
    const struct piece e = {2 * GIB - 4 * MIB, 4 * KIB, 8 * MIB}; // six tables
    unsigned needed = tables_of(&gstage_sv39x4, e);
    assert_int_equal(needed, 6);
    for (unsigned have = 0; have <= needed; have++) {
        pool_of(3 + 4 + have); // three pages are lost to the root's alignment
        for (unsigned again = 0; again < 5; again++) {
            struct hpa root = root_create();
            enum status status = gstage_map(&pool, &user, &gstage_sv39x4, root, gpa(e.guest), hpa(e.host), e.size);
            assert_int_equal(status, have < needed ? STATUS_NO_MEMORY : STATUS_OK);
            gstage_root_destroy(&pool, &user, &gstage_sv39x4, root);
        }
    }
}

static void test_roots_run_out(void **state)
{
    (void)state;
    struct hpa roots[8], more;
    pool_of(3 + 8 * 4 + 3);
    for (unsigned i = 0; i < 8; i++)
        roots[i] = root_create();
    assert_int_equal(gstage_root_create(&pool, &user, &more), STATUS_NO_MEMORY);
    gstage_root_destroy(&pool, &user, &gstage_sv39x4, roots[3]);
    more = root_create();
    assert_int_equal(more.value, roots[3].value);
    for (unsigned i = 0; i < 8; i++)
        gstage_root_destroy(&pool, &user, &gstage_sv39x4, roots[i]);
    assert_int_equal(pool_count(), 8);
}

// Roots come zeroed, whatever was in the memory, and never overlap tables.
static void test_memory_is_cleared(void **state)
{
    (void)state;
    pool_of(40);
    memset(hpa_arena, 0xff, ARENA_PAGES * FRAME_SIZE);
    for (unsigned i = 0; i < 4; i++) {
        struct hpa root = root_create();
        for (uint64_t at = 0; at < 1ULL << 41; at += 1ULL << 36)
            nothing_check(&gstage_sv39x4, root, at);
        assert_int_equal(gstage_map(&pool, &user, &gstage_sv39x4, root, gpa(0), hpa(0), 4 * KIB), STATUS_OK);
        nothing_check(&gstage_sv39x4, root, 4 * KIB);
        nothing_check(&gstage_sv39x4, root, 2 * MIB);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_largest_pages), cmocka_unit_test(test_the_ends_of_guest_space),
        cmocka_unit_test(test_entries),       cmocka_unit_test(test_random_sv39x4),
        cmocka_unit_test(test_random_sv32x4), cmocka_unit_test(test_exhaustion_leaks_nothing),
        cmocka_unit_test(test_roots_run_out), cmocka_unit_test(test_memory_is_cleared),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
