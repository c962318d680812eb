// sources: hypervisor/guest/sbi_sta.c
//
// The page of stolen time, which is the guest's and hostile.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sbi.h"

#define PAGE 128u

static struct capsule capsule;
static struct vcore v;
static unsigned char arena[1024];
unsigned char *hpa_arena = arena;
static bool gone; // the memory, e.g. because no copy could be made

enum status space_translate_writable(struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    (void)s;
    *out = hpa(a.value);
    return !gone && a.value < sizeof(arena) && size <= sizeof(arena) - a.value ? STATUS_OK : STATUS_NOT_FOUND;
}

struct page {
    uint32_t sequence, flags;
    uint64_t steal;
    uint8_t preempted, pad[47];
};

static struct page *page(void)
{
    return (struct page *)(void *)(arena + PAGE);
}

static int setup(void **state)
{
    (void)state;
    gone = false;
    memset(arena, 0xff, sizeof(arena));
    v = (struct vcore){.capsule = &capsule};
    sbi_sta_init(10000000);
    v.context.x[10] = PAGE;
    v.entity.stolen = 12345;
    assert_int_equal(sbi_sta(&v, 0), EXIT_RESUME);
    assert_int_equal(v.context.x[10], SBI_SUCCESS);
    return 0;
}

static void test_counts_from_the_call_on(void **state)
{
    (void)state;
    sbi_sta_running(&v);
    assert_int_equal(page()->steal, 0);
    assert_int_equal(page()->sequence, 0);
    v.entity.stolen += 3;
    sbi_sta_running(&v);
    assert_int_equal(page()->steal, 300);
    assert_int_equal(page()->sequence, 2);
    v.entity.stolen += 1;
    sbi_sta_preempted(&v);
    assert_int_equal(page()->preempted, 1);
    sbi_sta_running(&v);
    assert_int_equal(page()->preempted, 0);
    assert_int_equal(page()->steal, 400);
    assert_int_equal(page()->sequence, 4);
    assert_int_equal(arena[PAGE - 1], 0xff);
    assert_int_equal(arena[PAGE + 64], 0xff);
}

// Odd frequencies and years of it: exact, without overflow.
static void test_nanoseconds(void **state)
{
    (void)state;
    sbi_sta_init(32768);
    v.entity.stolen += 32768ULL * 3600 * 24 * 365 * 100 + 1;
    sbi_sta_running(&v);
    assert_int_equal(page()->steal, 3600ULL * 24 * 365 * 100 * 1000000000 + 30517);
    sbi_sta_init(4000000000u);
    v.steal.start = 0;
    v.entity.stolen = 4000000000ULL * 100 + 3999999999u;
    sbi_sta_running(&v);
    assert_int_equal(page()->steal, 100999999999ULL);
}

static void test_scribbled_on(void **state)
{
    (void)state;
    memset(page(), 0x55, sizeof(struct page));
    v.entity.stolen += 5;
    sbi_sta_running(&v);
    assert_int_equal(page()->steal, 500);
    assert_int_equal(page()->sequence % 2, 0);
    gone = true;
    sbi_sta_preempted(&v);
    sbi_sta_running(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_counts_from_the_call_on, setup),
        cmocka_unit_test_setup(test_nanoseconds, setup),
        cmocka_unit_test_setup(test_scribbled_on, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
