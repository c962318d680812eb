// sources: hypervisor/isolation/pmp/pmp_plan.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake/pmp.h"
#include "isolation.h"
#include "pmp_plan.h"

#define RWX (PMP_R | PMP_W | PMP_X)

_Static_assert(PMP_ENTRIES == FAKE_PMP_ENTRIES, "the model is of this size");

static struct fake_pmp loaded(const struct pmp_plan *plan)
{
    struct fake_pmp pmp = {{0}, {0}};
    for (unsigned i = 1; i < plan->count; i++) {
        pmp.address[i] = plan->address[i];
        pmp.config[i] = plan->config[i];
    }
    return pmp;
}

// Within: these rights. One byte outside, at each end and far away: none.
static void exact_check(const struct pmp_plan *plan, struct range r, uint8_t rights)
{
    struct fake_pmp pmp = loaded(plan);
    assert_int_equal(fake_pmp_rights(&pmp, r.start), rights);
    assert_int_equal(fake_pmp_rights(&pmp, r.start + r.size / 2), rights);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(r) - 1), rights);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(r)), 0);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(r) + r.size), 0);
    if (r.start) {
        assert_int_equal(fake_pmp_rights(&pmp, r.start - 1), 0);
        assert_int_equal(fake_pmp_rights(&pmp, 0), 0);
    }
}

// Ranges that a register of this width reaches: two bits more than it has.
#define REACH (sizeof(long) == 8 ? 1ULL << 53 : 1ULL << 33)

static void test_powers_of_two_take_one_entry(void **state)
{
    (void)state;
    for (unsigned bits = 3; 1ULL << bits < REACH / 8; bits++)
        for (uint64_t n = 0; n < 8; n++) {
            struct pmp_plan plan = {.count = 0};
            struct range r = {n << bits, 1ULL << bits};
            assert_int_equal(pmp_plan_add(&plan, r, RWX, 2), STATUS_OK);
            assert_int_equal(plan.count, 2);
            exact_check(&plan, r, RWX);
        }
}

static void test_other_ranges_take_two(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 2000; i++) {
        struct pmp_plan plan = {.count = 0};
        uint64_t grain = 1ULL << (2 + i % 20);
        struct range r = {(uint64_t)rand() * grain % REACH, ((uint64_t)rand() % 1000 + 1) * grain};
        assert_int_equal(pmp_plan_add(&plan, r, PMP_R, 2 + i % 20), STATUS_OK);
        assert_true(plan.count <= 3);
        exact_check(&plan, r, PMP_R);
    }
}

static void test_entry_0_is_left_alone(void **state)
{
    (void)state;
    struct pmp_plan plan = {.count = 0};
    assert_int_equal(pmp_plan_add(&plan, (struct range){0x3000, 0x5000}, RWX, 2), STATUS_OK);
    assert_int_equal(plan.address[0], 0);
    assert_int_equal(plan.config[0], 0);
}

static void refused(struct range r, unsigned grain_shift)
{
    struct pmp_plan plan = {.count = 0};
    assert_int_equal(pmp_plan_add(&plan, r, RWX, grain_shift), STATUS_UNSUPPORTED);
    assert_true(plan.count <= 1);
}

static void test_refuses_what_the_grain_cannot_say(void **state)
{
    (void)state;
    refused((struct range){0x1000, 0}, 2);
    refused((struct range){0x1002, 0x1000}, 2);
    refused((struct range){0x1000, 0x1001}, 2);
    refused((struct range){0x1000, 0x1000}, 13);
    refused((struct range){0x2000, 0x1000}, 13);
}

// The hypervisor's memory closed, its tables readable, all else open: as for capsules under gstage.
static void test_rights_in_order(void **state)
{
    (void)state;
    struct pmp_plan plan = {.count = 0};
    assert_int_equal(pmp_plan_add(&plan, (struct range){0x80000000, 0x1f7000}, 0, 12), STATUS_OK);
    assert_int_equal(pmp_plan_add(&plan, (struct range){0x801f7000, 0x9000}, PMP_R, 12), STATUS_OK);
    assert_int_equal(pmp_plan_add_all(&plan, RWX), STATUS_OK);
    struct fake_pmp pmp = loaded(&plan);
    assert_int_equal(fake_pmp_rights(&pmp, 0x80000000), 0);
    assert_int_equal(fake_pmp_rights(&pmp, 0x801f6fff), 0);
    assert_int_equal(fake_pmp_rights(&pmp, 0x801f7000), PMP_R);
    assert_int_equal(fake_pmp_rights(&pmp, 0x801fffff), PMP_R);
    assert_int_equal(fake_pmp_rights(&pmp, 0x80200000), RWX);
    assert_int_equal(fake_pmp_rights(&pmp, 0x7fffffff), RWX);
    assert_int_equal(fake_pmp_rights(&pmp, 0), RWX);
}

static void test_entries_run_out(void **state)
{
    (void)state;
    struct pmp_plan plan = {.count = 0};
    for (uint64_t i = 1; i < PMP_ENTRIES; i++)
        assert_int_equal(pmp_plan_add(&plan, (struct range){i << 12, 0x1000}, RWX, 2), STATUS_OK);
    struct pmp_plan before = plan;
    assert_int_equal(pmp_plan_add(&plan, (struct range){0x100000, 0x1000}, RWX, 2), STATUS_NO_MEMORY);
    assert_int_equal(pmp_plan_add_all(&plan, RWX), STATUS_NO_MEMORY);
    assert_memory_equal(&plan, &before, sizeof(plan));
}

// One entry is left where two are needed: what was begun must not open anything.
static void test_half_a_range_opens_nothing(void **state)
{
    (void)state;
    struct pmp_plan plan = {.count = 0};
    for (uint64_t i = 1; i < PMP_ENTRIES - 1; i++)
        assert_int_equal(pmp_plan_add(&plan, (struct range){i << 12, 0x1000}, RWX, 2), STATUS_OK);
    assert_int_equal(pmp_plan_add(&plan, (struct range){0x101000, 0x3000}, RWX, 2), STATUS_NO_MEMORY);
    struct fake_pmp pmp = loaded(&plan);
    for (uint64_t address = 0x100000; address < 0x110000; address += 0x800)
        assert_int_equal(fake_pmp_rights(&pmp, address), 0);
}

// Behind any range, an empty one that grows by its last address; it takes one entry if it can follow.
static void test_growing(void **state)
{
    (void)state;
    const struct range before[] = {{0x80000000, 0x200000}, {0x80001000, 0x3000}};
    for (unsigned i = 0; i < 2; i++) {
        struct pmp_plan plan = {.count = 0};
        uint64_t end = range_end(before[i]);
        assert_int_equal(pmp_plan_add(&plan, before[i], PMP_R, 12), STATUS_OK);
        assert_int_equal(pmp_plan_add_growing(&plan, end, 0), STATUS_OK);
        assert_int_equal(plan.count, 4);
        unsigned last = plan.count - 1;
        assert_int_equal(pmp_plan_add_all(&plan, RWX), STATUS_OK);
        for (uint64_t size = 0; size < 0x1000000; size += 0x200000) {
            plan.address[last] = (unsigned long)((end + size) >> 2);
            struct fake_pmp pmp = loaded(&plan);
            assert_int_equal(fake_pmp_rights(&pmp, end - 1), PMP_R);
            assert_int_equal(fake_pmp_rights(&pmp, end), size ? 0 : RWX);
            assert_int_equal(fake_pmp_rights(&pmp, end + size), RWX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powers_of_two_take_one_entry),
        cmocka_unit_test(test_other_ranges_take_two),
        cmocka_unit_test(test_entry_0_is_left_alone),
        cmocka_unit_test(test_refuses_what_the_grain_cannot_say),
        cmocka_unit_test(test_rights_in_order),
        cmocka_unit_test(test_entries_run_out),
        cmocka_unit_test(test_half_a_range_opens_nothing),
        cmocka_unit_test(test_growing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
