// sources: hypervisor/guest/vplic.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "types.h"
#include "vplic.h"

#define UART 10u

static struct vplic *plic;

static void start(unsigned vcores)
{
    free(plic);
    plic = malloc(vplic_size(vcores)); // exactly: an access beyond it is found
    memset(plic, 0xa5, vplic_size(vcores));
    vplic_init(plic, vcores);
}

static int setup(void **state)
{
    (void)state;
    start(2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(plic);
    plic = NULL;
    return 0;
}

static uint32_t priority_of(unsigned source)
{
    return 4 * source;
}
static uint32_t enable_of(unsigned vcore)
{
    return 0x2000 + 0x80 * (2 * vcore + 1);
}
static uint32_t threshold_of(unsigned vcore)
{
    return 0x200000 + 0x1000 * (2 * vcore + 1);
}
static uint32_t claim_of(unsigned vcore)
{
    return threshold_of(vcore) + 4;
}

static uint32_t rd(uint32_t offset)
{
    return vplic_read(plic, 0, offset);
}
static void wr(uint32_t offset, uint32_t value)
{
    vplic_write(plic, 0, offset, value);
}
static uint32_t claim(unsigned vcore)
{
    return rd(claim_of(vcore));
}
static void complete(unsigned vcore, uint32_t source)
{
    wr(claim_of(vcore), source);
}

static void raise(unsigned source)
{
    vplic_set_level(plic, source, true);
}
static void lower(unsigned source)
{
    vplic_set_level(plic, source, false);
}

static void pulse(unsigned source)
{
    raise(source);
    lower(source);
}

static void allow(unsigned vcore, unsigned source, uint32_t priority)
{
    wr(priority_of(source), priority);
    wr(enable_of(vcore), rd(enable_of(vcore)) | 1u << source);
}

static void test_power_on(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < 0x4000; offset += 4)
        assert_int_equal(rd(offset), 0);
    for (uint32_t offset = 0x200000; offset < vplic_window(2); offset += 4)
        assert_int_equal(rd(offset), 0);
    assert_false(vplic_output(plic, 0));
    assert_false(vplic_output(plic, 1));
    assert_int_equal(vplic_take_changes(plic), 0);
}

static void test_priorities(void **state)
{
    (void)state;
    for (uint32_t source = 1; source <= VPLIC_SOURCES; source++) {
        for (uint32_t value = 0; value < 8; value++) {
            wr(priority_of(source), value);
            assert_int_equal(rd(priority_of(source)), value);
        }
        wr(priority_of(source), UINT32_MAX);
        assert_int_equal(rd(priority_of(source)), 7);
    }
    wr(0, 7);
    assert_int_equal(rd(0), 0);
    for (uint32_t source = VPLIC_SOURCES + 1; source < 1024; source++) {
        wr(priority_of(source), 7);
        assert_int_equal(rd(priority_of(source)), 0);
    }
}

static void test_enables(void **state)
{
    (void)state;
    wr(enable_of(0), UINT32_MAX);
    assert_int_equal(rd(enable_of(0)), 0xfffffffe);
    assert_int_equal(rd(enable_of(1)), 0);
    wr(enable_of(1), 0x400);
    assert_int_equal(rd(enable_of(1)), 0x400);
    wr(enable_of(0) + 4, UINT32_MAX);
    assert_int_equal(rd(enable_of(0) + 4), 0);
}

static void test_thresholds(void **state)
{
    (void)state;
    for (uint32_t value = 0; value < 16; value++) {
        wr(threshold_of(1), value);
        assert_int_equal(rd(threshold_of(1)), value & 7);
        assert_int_equal(rd(threshold_of(0)), 0);
    }
}

static void test_machine_contexts_are_absent(void **state)
{
    (void)state;
    for (unsigned vcore = 0; vcore < 2; vcore++) {
        wr(enable_of(vcore) - 0x80, UINT32_MAX);
        wr(threshold_of(vcore) - 0x1000, 7);
        assert_int_equal(rd(enable_of(vcore) - 0x80), 0);
        assert_int_equal(rd(threshold_of(vcore) - 0x1000), 0);
        assert_int_equal(rd(claim_of(vcore) - 0x1000), 0);
    }
}

static void test_one_interrupt(void **state)
{
    (void)state;
    allow(1, UART, 1);
    raise(UART);
    assert_true(vplic_output(plic, 1));
    assert_false(vplic_output(plic, 0));
    assert_int_equal(vplic_take_changes(plic), 2);
    assert_int_equal(vplic_take_changes(plic), 0);
    assert_int_equal(rd(0x1000), 1u << UART);
    assert_int_equal(claim(0), 0);
    assert_int_equal(claim(1), UART);
    assert_int_equal(rd(0x1000), 0);
    assert_false(vplic_output(plic, 1));
    assert_int_equal(vplic_take_changes(plic), 2);
    assert_int_equal(claim(1), 0);
    lower(UART);
    complete(1, UART);
    assert_int_equal(vplic_take_changes(plic), 0);
    assert_int_equal(rd(0x1000), 0);
}

static void test_level_still_high_interrupts_again(void **state)
{
    (void)state;
    allow(0, UART, 1);
    raise(UART);
    assert_int_equal(claim(0), UART);
    raise(UART); // the gateway is closed
    assert_false(vplic_output(plic, 0));
    complete(0, UART);
    assert_true(vplic_output(plic, 0));
    assert_int_equal(claim(0), UART);
    lower(UART);
    complete(0, UART);
    assert_false(vplic_output(plic, 0));
}

static void test_level_in_service(void **state)
{
    (void)state;
    allow(0, UART, 1);
    raise(UART);
    assert_int_equal(claim(0), UART);
    pulse(UART); // came and went meanwhile
    complete(0, UART);
    assert_false(vplic_output(plic, 0));
    raise(UART);
    assert_int_equal(claim(0), UART);
}

static void test_request_is_not_taken_back(void **state)
{
    (void)state;
    allow(0, UART, 1);
    pulse(UART);
    assert_true(vplic_output(plic, 0));
    assert_int_equal(claim(0), UART);
    complete(0, UART);
    assert_int_equal(claim(0), 0);
}

static void test_changes_that_cancel_out(void **state)
{
    (void)state;
    allow(0, UART, 1);
    raise(UART);
    claim(0);
    assert_int_equal(vplic_take_changes(plic), 0);
}

static void test_highest_priority_then_lowest_number(void **state)
{
    (void)state;
    static const uint8_t priorities[] = {0, 3, 7, 1, 7, 3, 0, 5};
    static const uint8_t order[] = {2, 4, 7, 1, 5, 3, 0};
    for (unsigned source = 1; source < array_length(priorities); source++) {
        allow(0, source, priorities[source]);
        raise(source);
    }
    for (size_t i = 0; i < array_length(order); i++)
        assert_int_equal(claim(0), order[i]);
    assert_int_equal(rd(0x1000), 1u << 6);
}

static void test_every_source_and_priority(void **state)
{
    (void)state;
    for (unsigned source = 1; source <= VPLIC_SOURCES; source++) {
        for (uint32_t priority = 1; priority < 8; priority++) {
            allow(0, source, priority);
            raise(source);
            assert_true(vplic_output(plic, 0));
            assert_int_equal(claim(0), source);
            lower(source);
            complete(0, source);
            assert_int_equal(claim(0), 0);
        }
    }
}

static void test_threshold_masks_the_line_only(void **state)
{
    (void)state;
    allow(0, UART, 3);
    raise(UART);
    for (uint32_t threshold = 0; threshold < 8; threshold++) {
        wr(threshold_of(0), threshold);
        assert_int_equal(vplic_output(plic, 0), threshold < 3);
    }
    assert_int_equal(claim(0), UART);
}

static void test_priority_zero_never_interrupts(void **state)
{
    (void)state;
    allow(0, UART, 0);
    raise(UART);
    assert_false(vplic_output(plic, 0));
    assert_int_equal(claim(0), 0);
    wr(priority_of(UART), 1);
    assert_true(vplic_output(plic, 0));
    wr(priority_of(UART), 0);
    assert_false(vplic_output(plic, 0));
}

static void test_enable_and_disable_while_pending(void **state)
{
    (void)state;
    wr(priority_of(UART), 1);
    raise(UART);
    assert_false(vplic_output(plic, 1));
    wr(enable_of(1), 1u << UART);
    assert_true(vplic_output(plic, 1));
    wr(enable_of(1), 0);
    assert_false(vplic_output(plic, 1));
    assert_int_equal(claim(1), 0);
}

static void test_first_to_claim_gets_it(void **state)
{
    (void)state;
    allow(0, UART, 1);
    allow(1, UART, 1);
    raise(UART);
    assert_int_equal(vplic_take_changes(plic), 3);
    assert_int_equal(claim(1), UART);
    assert_int_equal(vplic_take_changes(plic), 3);
    assert_int_equal(claim(0), 0);
    complete(0, UART); // not who claimed it, but has it enabled
    assert_int_equal(vplic_take_changes(plic), 3);
}

static void test_completion_is_ignored_unless_enabled(void **state)
{
    (void)state;
    allow(0, UART, 1);
    raise(UART);
    assert_int_equal(claim(0), UART);
    wr(enable_of(0), 0);
    complete(0, UART);
    complete(1, UART);
    wr(enable_of(0), 1u << UART);
    assert_false(vplic_output(plic, 0));
    complete(0, UART);
    assert_true(vplic_output(plic, 0));
}

static void test_completion_of_nonsense(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0, 9, 11, 31, 32, 33, 42, 64, 1023, UART + 32, UART + 256, UINT32_MAX};
    wr(enable_of(0), UINT32_MAX);
    allow(0, UART, 1);
    raise(UART);
    assert_int_equal(claim(0), UART);
    for (size_t i = 0; i < array_length(numbers); i++)
        complete(0, numbers[i]);
    assert_int_equal(rd(0x1000), 0);
    assert_false(vplic_output(plic, 0));
}

static void test_sources_that_do_not_exist(void **state)
{
    (void)state;
    static const unsigned numbers[] = {0, 32, 33, 64, 1u << 31, UINT32_MAX};
    wr(enable_of(0), UINT32_MAX);
    for (size_t i = 0; i < array_length(numbers); i++) {
        raise(numbers[i]);
        lower(numbers[i]);
        assert_int_equal(rd(0x1000), 0);
    }
}

static void test_pending_is_read_only(void **state)
{
    (void)state;
    wr(0x1000, UINT32_MAX);
    assert_int_equal(rd(0x1000), 0);
    raise(3);
    wr(0x1000, 0);
    assert_int_equal(rd(0x1000), 1u << 3);
}

static void test_wild_accesses_do_nothing(void **state)
{
    (void)state;
    allow(0, UART, 1);
    allow(1, UART, 1);
    raise(UART);
    size_t size = vplic_size(2);
    void *before = malloc(size);
    memcpy(before, plic, size);
    for (uint32_t offset = 0; offset < 0x210000; offset++) {
        bool is_register = offset % 4 == 0 && (offset < 0x80 || offset == enable_of(0) || offset == enable_of(1) ||
                                               offset == threshold_of(0) || offset == threshold_of(1) ||
                                               offset == claim_of(0) || offset == claim_of(1));
        if (is_register)
            continue;
        wr(offset, UINT32_MAX);
        assert_int_equal(rd(offset), offset == 0x1000 ? 1u << UART : 0);
    }
    static const uint32_t wild[] = {0x3fff004, 0x3fff000, 0x7fffffff, 0x80201004, 0xfffffffc, 0xffffffff};
    for (size_t i = 0; i < array_length(wild); i++) {
        wr(wild[i], UINT32_MAX);
        assert_int_equal(rd(wild[i]), 0);
    }
    assert_memory_equal(plic, before, size);
    free(before);
}

static void test_most_vcores(void **state)
{
    (void)state;
    start(VPLIC_VCORES_MAX);
    wr(priority_of(1), 1);
    for (unsigned vcore = 0; vcore < VPLIC_VCORES_MAX; vcore++) {
        wr(enable_of(vcore), 2);
        assert_int_equal(rd(enable_of(vcore)), 2);
    }
    raise(1);
    assert_true(vplic_take_changes(plic) == UINT64_MAX);
    assert_true(vplic_output(plic, 63));
    assert_int_equal(claim(63), 1);
    assert_true(vplic_take_changes(plic) == UINT64_MAX);
    wr(enable_of(64), UINT32_MAX);
    wr(threshold_of(64), 7);
    assert_int_equal(rd(enable_of(64)), 0);
    assert_int_equal(claim(64), 0);
}

// The specification once more, by linear search.
static struct {
    bool level[32], pending[32], claimed[32], enable[64][32];
    uint32_t priority[32], threshold[64];
    unsigned vcores;
} model;

static void model_request(unsigned source)
{
    if (model.level[source] && !model.claimed[source])
        model.pending[source] = true;
}

static uint32_t model_best(unsigned vcore, uint32_t above)
{
    uint32_t best = 0;
    for (unsigned s = 1; s < 32; s++) {
        if (model.pending[s] && model.enable[vcore][s] && model.priority[s] > above) {
            above = model.priority[s];
            best = s;
        }
    }
    return best;
}

static uint32_t model_claim(unsigned vcore)
{
    uint32_t source = model_best(vcore, 0);
    if (source) {
        model.pending[source] = false;
        model.claimed[source] = true;
    }
    return source;
}

static void model_complete(unsigned vcore, uint32_t source)
{
    if (source < 1 || source > 31 || !model.enable[vcore][source])
        return;
    model.claimed[source] = false;
    model_request(source);
}

static void random_step(void)
{
    unsigned vcore = (unsigned)rand() % model.vcores, source = 1 + (unsigned)rand() % 31;
    uint32_t value = (uint32_t)rand() % 8, bits = (uint32_t)rand() << 1 & (uint32_t)rand();
    switch (rand() % 8) {
    case 0:
        wr(priority_of(source), value);
        model.priority[source] = value;
        break;
    case 1:
        wr(enable_of(vcore), bits);
        for (unsigned s = 1; s < 32; s++)
            model.enable[vcore][s] = bits >> s & 1;
        break;
    case 2:
        wr(threshold_of(vcore), value);
        model.threshold[vcore] = value;
        break;
    case 3:
        assert_int_equal(claim(vcore), model_claim(vcore));
        break;
    case 4:
        complete(vcore, source);
        model_complete(vcore, source);
        break;
    default:
        vplic_set_level(plic, source, value & 1);
        model.level[source] = value & 1;
        model_request(source);
    }
}

static uint64_t model_output(void)
{
    uint64_t output = 0;
    for (unsigned vcore = 0; vcore < model.vcores; vcore++)
        output |= (uint64_t)(model_best(vcore, model.threshold[vcore]) != 0) << vcore;
    return output;
}

static void run_random(unsigned vcores)
{
    start(vcores);
    memset(&model, 0, sizeof(model));
    model.vcores = vcores;
    uint64_t output = 0;
    for (unsigned step = 0; step < 20000; step++) {
        random_step();
        uint64_t expected = model_output();
        assert_true(vplic_take_changes(plic) == (expected ^ output));
        output = expected;
        for (unsigned vcore = 0; vcore < vcores; vcore++)
            assert_int_equal(vplic_output(plic, vcore), output >> vcore & 1);
    }
}

static void test_random_against_model(void **state)
{
    (void)state;
    srand(5);
    run_random(1);
    run_random(3);
    run_random(64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_power_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_priorities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_enables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_thresholds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_machine_contexts_are_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_level_still_high_interrupts_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_level_in_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_is_not_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_that_cancel_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_highest_priority_then_lowest_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_source_and_priority, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threshold_masks_the_line_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_priority_zero_never_interrupts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_enable_and_disable_while_pending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_to_claim_gets_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completion_is_ignored_unless_enabled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completion_of_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sources_that_do_not_exist, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pending_is_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wild_accesses_do_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_most_vcores, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_against_model, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
