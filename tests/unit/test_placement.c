// sources: hypervisor/boot/placement.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "placement.h"

#define UNITS 200u
#define UNIT 0x800u // half a page, so that alignment matters

// A model: each unit of memory is free or not.
static bool model[UNITS];

static void model_of(const struct ranges *r, bool *units)
{
    memset(units, 0, UNITS);
    for (size_t i = 0; i < r->count; i++) {
        assert_true(r->list[i].size > 0);
        if (i)
            assert_true(r->list[i].start >= range_end(r->list[i - 1]));
        for (uint64_t at = r->list[i].start; at < range_end(r->list[i]); at += UNIT)
            units[at / UNIT] = true;
    }
}

static void model_check(const struct ranges *r)
{
    bool units[UNITS];
    model_of(r, units);
    assert_memory_equal(units, model, UNITS);
}

static void subtract(struct ranges *r, unsigned first, unsigned count)
{
    ranges_subtract(r, (struct range){first * UNIT, count * UNIT});
    memset(model + first, 0, count);
    model_check(r);
}

static struct ranges ranges_of(const struct range *list, size_t count)
{
    struct ranges r = {.count = count};
    memcpy(r.list, list, count * sizeof(*list));
    model_of(&r, model);
    return r;
}

static struct ranges ranges_three(void)
{
    return ranges_of((struct range[]){{10 * UNIT, 10 * UNIT}, {30 * UNIT, 10 * UNIT}, {50 * UNIT, 10 * UNIT}}, 3);
}

static void test_subtract_every_hole(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 70; first++)
        for (unsigned count = 0; count < 70; count++) {
            struct ranges r = ranges_three();
            subtract(&r, first, count);
        }
}

static void test_subtract_at_random(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 300; round++) {
        struct ranges r = ranges_of((struct range[]){{0, UNITS * UNIT}}, 1);
        for (unsigned i = 0; i < 30; i++) {
            unsigned first = (unsigned)rand() % UNITS;
            subtract(&r, first, (unsigned)rand() % (UNITS - first) % 20);
        }
    }
}

// More pieces than the list holds: some memory is lost, none is given twice or made up.
static void test_too_many_pieces(void **state)
{
    (void)state;
    struct ranges r = {.list = {{0, 1000 * UNIT}}, .count = 1};
    for (unsigned hole = 1; hole < 999; hole += 2) {
        unsigned at = hole * 7 % 999 | 1;
        ranges_subtract(&r, (struct range){at * UNIT, UNIT});
        assert_true(r.count <= RANGES_MAX);
        for (size_t i = 0; i < r.count; i++) {
            assert_true(r.list[i].size > 0 && range_end(r.list[i]) <= 1000 * UNIT);
            assert_false(range_overlaps(r.list[i], (struct range){at * UNIT, UNIT}));
            if (i)
                assert_true(r.list[i].start >= range_end(r.list[i - 1]));
        }
    }
}

// What a full list lost stays lost when the hole cuts its last range.
static void test_full_list_cut_at_its_end(void **state)
{
    (void)state;
    struct ranges r = {.count = RANGES_MAX};
    for (unsigned i = 0; i < RANGES_MAX; i++)
        r.list[i] = (struct range){i * 10 * UNIT, 5 * UNIT};
    ranges_subtract(&r, (struct range){((RANGES_MAX - 1) * 10 + 2) * UNIT, UNIT});
    assert_int_equal(r.count, RANGES_MAX);
    assert_int_equal(r.list[RANGES_MAX - 1].start, (RANGES_MAX - 1) * 10 * UNIT);
    assert_int_equal(r.list[RANGES_MAX - 1].size, 2 * UNIT);
}

static void test_fit(void **state)
{
    (void)state;
    const uint64_t mib = 1 << 20;
    const struct ranges r = {.list = {{mib, 5 * mib}, {16 * mib, 4 * mib}}, .count = 2};
    assert_true(ranges_fit(&r, NULL, 0, 2 * mib));
    assert_true(ranges_fit(&r, (uint64_t[]){0, 0}, 2, 2 * mib));
    assert_true(ranges_fit(&r, (uint64_t[]){4 * mib, 4 * mib}, 2, 2 * mib));
    assert_false(ranges_fit(&r, (uint64_t[]){5 * mib}, 1, 2 * mib)); // aligned, only 4 of it are left
    assert_true(ranges_fit(&r, (uint64_t[]){5 * mib}, 1, mib));
    assert_true(ranges_fit(&r, (uint64_t[]){2 * mib, 2 * mib, 2 * mib, 2 * mib}, 4, 2 * mib));
    assert_false(ranges_fit(&r, (uint64_t[]){2 * mib, 2 * mib, 2 * mib, 2 * mib, 2 * mib}, 5, 2 * mib));
    assert_false(ranges_fit(&r, (uint64_t[]){UINT64_MAX}, 1, 2 * mib));
    assert_int_equal(r.count, 2); // nothing was taken
}

static void test_fit_at_the_end_of_all_addresses(void **state)
{
    (void)state;
    const struct ranges r = {.list = {{UINT64_MAX - 0x2fff, 0x2000}}, .count = 1};
    assert_false(ranges_fit(&r, (uint64_t[]){0x1000}, 1, 0x200000));
    assert_true(ranges_fit(&r, (uint64_t[]){0x2000}, 1, 0x1000));
}

static void test_highest(void **state)
{
    (void)state;
    const struct ranges r = {.list = {{0x1000, 0x8000}, {0x20800, 0x1000}, {0x30000, 0x2800}}, .count = 3};
    uint64_t start = 1;
    assert_true(ranges_highest(&r, 0x2000, &start));
    assert_int_equal(start, 0x30000);
    assert_true(ranges_highest(&r, 1, &start));
    assert_int_equal(start, 0x32000);
    assert_true(ranges_highest(&r, 0x4000, &start));
    assert_int_equal(start, 0x5000);
    assert_true(ranges_highest(&r, 0x8000, &start));
    assert_int_equal(start, 0x1000);
    assert_false(ranges_highest(&r, 0x8001, &start));
    assert_false(ranges_highest(&(struct ranges){.count = 0}, 1, &start));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subtract_every_hole),
        cmocka_unit_test(test_subtract_at_random),
        cmocka_unit_test(test_too_many_pieces),
        cmocka_unit_test(test_full_list_cut_at_its_end),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_fit_at_the_end_of_all_addresses),
        cmocka_unit_test(test_highest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
