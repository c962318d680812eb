// sources: hypervisor/guest/sbi_pmu.c hypervisor/isolation/counters.c
//
// Counters of a vcore: which are found, what they count, and whose `cycle` and `instret` a hart has.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend.h"
#include "sbi.h"

#define FIRMWARE 3u
#define ALL 0x7fdUL
#define EVENT(code) (0xf0000UL | (code))
enum { CLEAR = 2, START = 4 };

static unsigned long csrs[4096];
struct isolation_features isolation_features;
static struct capsule capsule;
static struct vcore v;
static unsigned char arena[4096];
unsigned char *hpa_arena = arena;

unsigned long fake_csr_read(unsigned csr)
{
    return csrs[csr];
}
unsigned long fake_csr_write(unsigned csr, unsigned long value, const char *function)
{
    unsigned long old = csrs[csr];
    (void)function;
    csrs[csr] = value;
    return old;
}

enum status space_translate_writable(struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    (void)s;
    *out = hpa(a.value);
    return a.value < sizeof(arena) && size <= sizeof(arena) - a.value ? STATUS_OK : STATUS_NOT_FOUND;
}

static long call(unsigned long function, unsigned long a0, unsigned long a1, unsigned long a2, unsigned long a3,
                 unsigned long a4)
{
    const unsigned long arguments[] = {a0, a1, a2, a3, a4, 0};
    memcpy(&v.context.x[10], arguments, sizeof(arguments));
    assert_int_equal(sbi_pmu(&v, function), EXIT_RESUME);
    return (long)v.context.x[10];
}
#define VALUE v.context.x[11]

static int setup(void **state)
{
    (void)state;
    memset(csrs, 0, sizeof(csrs));
    v = (struct vcore){.capsule = &capsule};
    isolation_features = (struct isolation_features){.counters = true};
    return 0;
}

static unsigned long firmware(unsigned code, unsigned long flags)
{
    assert_int_equal(call(2, 0, ALL, flags, EVENT(code), 0), SBI_SUCCESS);
    return VALUE;
}

static uint64_t firmware_value(unsigned long n)
{
    assert_int_equal(call(5, n, 0, 0, 0, 0), SBI_SUCCESS);
    return VALUE;
}

// Each event counts just what it says.
static void test_events(void **state)
{
    static const struct {
        unsigned code, exit;
    } sent[] = {{0, KIND_MISALIGNED_LOAD},
                {1, KIND_MISALIGNED_STORE},
                {2, KIND_ACCESS_LOAD},
                {3, KIND_ACCESS_STORE},
                {4, KIND_ILLEGAL},
                {5, KIND_TIMER},
                {6, KIND_IPI},
                {8, KIND_FENCE_I},
                {10, KIND_SFENCE},
                {12, KIND_SFENCE_ASID}};
    (void)state;
    for (unsigned i = 0; i < EXIT_KINDS; i++)
        v.exits[i] = 1000 * i;
    for (unsigned i = 0; i < array_length(sent); i++) {
        unsigned long n = firmware(sent[i].code, CLEAR | START);
        v.exits[sent[i].exit] += 3;
        assert_int_equal(firmware_value(n), 3);
        assert_int_equal(call(4, n, 1, 1, 0, 0), SBI_SUCCESS);
    }
    for (unsigned i = 0; i < RECEIVED_KINDS; i++) {
        unsigned long n = firmware(7 + 2 * i, CLEAR | START);
        v.received[i] += 5;
        assert_int_equal(firmware_value(n), 5);
        assert_int_equal(call(4, n, 1, 1, 0, 0), SBI_SUCCESS);
    }
    assert_int_equal(v.pmu.configured | v.pmu.started, 0);
}

// The counts that they are made of wrap, they don't.
static void test_wrap(void **state)
{
    (void)state;
    v.exits[KIND_TIMER] = -2UL;
    unsigned long n = firmware(5, CLEAR | START);
    v.exits[KIND_TIMER] += 7;
    assert_int_equal(firmware_value(n), 7);
    v.exits[KIND_TIMER] += 1;
    assert_int_equal(call(4, n, 1, 0, 0, 0), SBI_SUCCESS);
    v.exits[KIND_TIMER] += 100;
    assert_int_equal(firmware_value(n), 8);
    assert_int_equal(call(3, n, 1, 0, 0, 0), SBI_SUCCESS);
    v.exits[KIND_TIMER] += 2;
    assert_int_equal(firmware_value(n), 10);
}

// A clone's counters go on from its original's, though what they are made of begins anew.
static void test_clone(void **state)
{
    (void)state;
    v.exits[KIND_TIMER] = 1000;
    unsigned long n = firmware(5, CLEAR | START), stopped = firmware(6, CLEAR | START);
    v.exits[KIND_TIMER] += 7;
    v.exits[KIND_IPI] += 3;
    assert_int_equal(call(4, stopped, 1, 0, 0, 0), SBI_SUCCESS);
    v.exits[KIND_IPI] += 100;
    struct vcore original = v;
    memset(v.exits, 0, sizeof(v.exits));
    sbi_pmu_rebase(&v, &original);
    assert_int_equal(firmware_value(n), 7);
    assert_int_equal(firmware_value(stopped), 3);
    v.exits[KIND_TIMER] += 2;
    v.exits[KIND_IPI] += 2;
    assert_int_equal(firmware_value(n), 9);
    assert_int_equal(firmware_value(stopped), 3);
    assert_int_equal(call(3, stopped, 1, 0, 0, 0), SBI_SUCCESS);
    v.exits[KIND_IPI] += 1;
    assert_int_equal(firmware_value(stopped), 4);
}

static void test_sets(void **state)
{
    (void)state;
    for (unsigned long base = 0; base < 70; base++)
        for (unsigned bit = 0; bit < 8 * sizeof(long); bit++) {
            bool exists = base < 11 && base + bit < 11 && base + bit != 1;
            long error = call(4, base, 1UL << bit, 0, 0, 0);
            assert_int_equal(error, exists ? SBI_ERR_ALREADY_STOPPED : SBI_ERR_INVALID_PARAM);
        }
    isolation_features.counters = false; // then neither cycle nor instret is ours to give
    assert_int_equal(call(2, 0, 1, 0, 1, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(1, 0, 0, 0, 0, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(2, 0, 0x7f8, 0, 1, 0), SBI_ERR_NOT_SUPPORTED);
}

// Some of a set run already: the others start, and the caller is told.
static void test_started_in_part(void **state)
{
    (void)state;
    unsigned long a = firmware(5, START), b = firmware(6, 0);
    assert_int_equal(call(3, 0, 1UL << a | 1UL << b, 0, 0, 0), SBI_ERR_ALREADY_STARTED);
    assert_int_equal(v.pmu.started, 1UL << a | 1UL << b);
    assert_int_equal(call(4, a, 1, 0, 0, 0), SBI_SUCCESS);
    assert_int_equal(call(4, 0, 1UL << a | 1UL << b, 1, 0, 0), SBI_ERR_ALREADY_STOPPED);
    assert_int_equal(v.pmu.started | v.pmu.configured, 0);
}

// The hart's own counters are back, and running, whenever a world with others is away, and after it.
static void test_hardware(void **state)
{
    (void)state;
    csrs[CSR_MCYCLE] = 100;
    csrs[CSR_MINSTRET] = 50;
    assert_int_equal(call(2, 0, ALL, 0, 1, 0), SBI_SUCCESS);
    assert_int_equal(VALUE, 0);
    assert_true(v.world.counters.own);
    assert_int_equal(csrs[CSR_MCOUNTINHIBIT], 1);
    assert_int_equal(call(3, 0, 1, 1, 7777, 0), SBI_SUCCESS);
    assert_int_equal(csrs[CSR_MCYCLE], 7777);
    assert_int_equal(csrs[CSR_MCOUNTINHIBIT], 0);
    assert_int_equal(call(4, 0, 1, 0, 0, 0), SBI_SUCCESS);
    world_counters_exchange(&v.world);
    assert_int_equal(csrs[CSR_MCYCLE], 100);
    assert_int_equal(csrs[CSR_MINSTRET], 50);
    assert_int_equal(csrs[CSR_MCOUNTINHIBIT], 0);
    csrs[CSR_MCYCLE] = 130;
    world_counters_exchange(&v.world);
    assert_int_equal(csrs[CSR_MCYCLE], 7777);
    assert_int_equal(csrs[CSR_MCOUNTINHIBIT], 1);
    assert_int_equal(call(2, 0, ALL, 0, 2, 0), SBI_SUCCESS);
    assert_int_equal(call(4, 0, 1, 1, 0, 0), SBI_ERR_ALREADY_STOPPED);
    assert_true(v.world.counters.own); // for instret
    assert_int_equal(csrs[CSR_MCOUNTINHIBIT], 4);
    assert_int_equal(call(4, 2, 1, 1, 0, 0), SBI_ERR_ALREADY_STOPPED);
    assert_false(v.world.counters.own);
    assert_int_equal(csrs[CSR_MCYCLE], 130);
    assert_int_equal(csrs[CSR_MINSTRET], 50);
    assert_int_equal(csrs[CSR_MCOUNTINHIBIT], 0);
}

// A kernel that stops all counters at boot and uses none pays nothing later.
static void test_stopped_at_boot(void **state)
{
    (void)state;
    csrs[CSR_MCYCLE] = 100;
    assert_int_equal(call(4, 0, ALL, 1, 0, 0), SBI_ERR_ALREADY_STOPPED);
    assert_false(v.world.counters.own);
    assert_int_equal(csrs[CSR_MCOUNTINHIBIT], 0);
    assert_int_equal(csrs[CSR_MCYCLE], 100);
}

static void test_event_info(void **state)
{
    uint32_t entries[8] = {1, 9, 0, 0, 0xf0005, 9, 0, 0};
    (void)state;
    memcpy(arena + 4096 - 32, entries, sizeof(entries));
    assert_int_equal(call(8, 4096 - 32, 0, 2, 0, 0), SBI_SUCCESS);
    memcpy(entries, arena + 4096 - 32, sizeof(entries));
    assert_int_equal(entries[1], 1);
    assert_int_equal(entries[5], 1);
    assert_int_equal(call(8, 4096 - 32, 0, 3, 0, 0), SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(call(8, 0, 0, 257, 0, 0), SBI_ERR_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_events, setup),     cmocka_unit_test_setup(test_wrap, setup),
        cmocka_unit_test_setup(test_sets, setup),       cmocka_unit_test_setup(test_started_in_part, setup),
        cmocka_unit_test_setup(test_hardware, setup),   cmocka_unit_test_setup(test_stopped_at_boot, setup),
        cmocka_unit_test_setup(test_event_info, setup), cmocka_unit_test_setup(test_clone, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
