// sources: hypervisor/memory/slab.c hypervisor/memory/frames.c lib/buddy.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bits.h"
#include "frames.h"
#include "log.h"
#include "slab.h"

#define ARENA_SIZE 0x100000u

unsigned char *hpa_arena;
static void *table;

_Noreturn void panic(const char *format, ...)
{
    (void)format;
    mock_assert(0, "panic", __FILE__, __LINE__);
    abort();
}

static int setup(void **state)
{
    (void)state;
    const struct range ram = {0, ARENA_SIZE};
    hpa_arena = aligned_alloc(FRAME_SIZE, ARENA_SIZE);
    memset(hpa_arena, 0xa5, ARENA_SIZE);
    table = malloc(frames_table_size(&ram, 1));
    frames_init(table, &ram, 1);
    frames_release(ram);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(hpa_arena);
    free(table);
    return 0;
}

static bool is_zero(const void *object, size_t size)
{
    const unsigned char *bytes = object;
    while (size && !bytes[size - 1])
        size--;
    return !size;
}

static void test_takes_nothing_before_use(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, "things", 100, 8, 10);
    assert_int_equal(slab_used(&slab), 0);
    assert_int_equal(slab_bytes(&slab), 0);
    assert_int_equal(frames_free_bytes(), ARENA_SIZE);
    slab_free(&slab, NULL);
    assert_int_equal(slab_used(&slab), 0);
}

static void test_sizes_and_alignments(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 20000; size = size * 3 / 2 + 1) {
        for (size_t align = 1; align <= FRAME_SIZE; align *= 4) {
            struct slab slab;
            slab_init(&slab, "things", size, align, 3);
            unsigned char *objects[3];
            for (size_t i = 0; i < 3; i++) {
                objects[i] = slab_allocate(&slab);
                assert_non_null(objects[i]);
                assert_true(is_aligned(hpa_of(objects[i]).value, align > 8 ? align : 8));
                assert_true(is_zero(objects[i], size));
                memset(objects[i], 0xff, size);
                assert_int_equal(frames_state(hpa_of(objects[i]), NULL), FRAME_HYPERVISOR);
                assert_int_equal(frames_state(hpa_of(objects[i] + size - 1), NULL), FRAME_HYPERVISOR);
                for (size_t j = 0; j < i; j++)
                    assert_true(objects[i] >= objects[j] + size || objects[j] >= objects[i] + size);
            }
            assert_null(slab_allocate(&slab));
            assert_int_equal(slab_used(&slab), 3);
            teardown(NULL);
            setup(NULL);
        }
    }
}

static void test_grows_to_its_bound(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, "things", 1024, 8, 9);
    void *objects[9];
    for (size_t i = 0; i < 9; i++) {
        objects[i] = slab_allocate(&slab);
        assert_non_null(objects[i]);
        assert_int_equal(slab_used(&slab), i + 1);
        assert_int_equal(slab_bytes(&slab), (i / 4 + 1) * FRAME_SIZE);
    }
    assert_null(slab_allocate(&slab));
    assert_int_equal(frames_free_bytes(), ARENA_SIZE - 3 * FRAME_SIZE);
    for (size_t i = 0; i < 9; i++)
        slab_free(&slab, objects[i]);
    assert_int_equal(slab_used(&slab), 0);
    for (size_t i = 0; i < 9; i++)
        assert_non_null(slab_allocate(&slab));
    assert_null(slab_allocate(&slab));
    assert_int_equal(frames_free_bytes(), ARENA_SIZE - 3 * FRAME_SIZE);
}

static void test_last_freed_is_next_and_zeroed(void **state)
{
    (void)state;
    struct slab slab;
    slab_init(&slab, "things", 200, 16, 100);
    void *first = slab_allocate(&slab), *second = slab_allocate(&slab);
    memset(first, 0xff, 200);
    memset(second, 0xff, 200);
    slab_free(&slab, first);
    slab_free(&slab, second);
    assert_ptr_equal(slab_allocate(&slab), second);
    assert_ptr_equal(slab_allocate(&slab), first);
    assert_true(is_zero(first, 200) && is_zero(second, 200));
}

static void test_out_of_frames(void **state)
{
    (void)state;
    struct slab slab;
    struct hpa rest;
    slab_init(&slab, "things", FRAME_SIZE, 8, 1000);
    void *object = slab_allocate(&slab);
    while (frames_allocate(0, 0, &rest) == STATUS_OK) {
    }
    assert_null(slab_allocate(&slab));
    assert_int_equal(slab_used(&slab), 1);
    frames_free(rest, FRAME_SIZE, 0);
    assert_non_null(slab_allocate(&slab));
    assert_null(slab_allocate(&slab));
    slab_free(&slab, object);
    assert_ptr_equal(slab_allocate(&slab), object);
    assert_int_equal(slab_used(&slab), 2);
}

static void test_freed_twice_panics(void **state)
{
    (void)state;
    static struct slab slab;
    static void *object;
    slab_init(&slab, "things", 24, 8, 4);
    object = slab_allocate(&slab);
    assert_non_null(slab_allocate(&slab));
    slab_free(&slab, object);
    expect_assert_failure(slab_free(&slab, object));
}

// Guests write into some objects: what makes one look as if it were free must not.
static void test_mark_may_be_forged(void **state)
{
    (void)state;
    struct slab slab;
    unsigned char seen[24];
    slab_init(&slab, "things", sizeof(seen), 8, 4);
    void *object = slab_allocate(&slab);
    assert_non_null(slab_allocate(&slab));
    slab_free(&slab, object);
    memcpy(seen, object, sizeof(seen));
    assert_ptr_equal(slab_allocate(&slab), object);
    memcpy(object, seen, sizeof(seen));
    slab_free(&slab, object);
    assert_int_equal(slab_used(&slab), 1);
}

static void test_more_freed_than_allocated_panics(void **state)
{
    (void)state;
    static struct slab slab;
    static uint64_t stranger[4];
    slab_init(&slab, "things", 24, 8, 4);
    expect_assert_failure(slab_free(&slab, stranger));
}

static void test_bad_parameters_panic(void **state)
{
    (void)state;
    static struct slab slab;
    expect_assert_failure(slab_init(&slab, "things", 0, 8, 4));
    expect_assert_failure(slab_init(&slab, "things", 8, 0, 4));
    expect_assert_failure(slab_init(&slab, "things", 8, 24, 4));
    expect_assert_failure(slab_init(&slab, "things", 8, 2 * FRAME_SIZE, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_takes_nothing_before_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes_and_alignments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grows_to_its_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_last_freed_is_next_and_zeroed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freed_twice_panics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mark_may_be_forged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_freed_than_allocated_panics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_parameters_panic, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
