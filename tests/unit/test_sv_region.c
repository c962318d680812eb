// sources: supervisor bearssl
//
// The supervisor's regions: first touches, accesses, guards, payment, and what calls may read and write.
#include "init.h"

#include "ranges.h"

static uintptr_t address; // of the last region

static struct sv_handle made(size_t size, unsigned access, unsigned flags)
{
    struct sv_handle h = region(size, access, flags);
    address = (uintptr_t)fake_value[1];
    return h;
}

static bool can_store(uintptr_t at)
{
    ok(SV_THEN, self, CODE, 0, SV_ON_ERROR);
    return fake_store(at, "x", 1);
}

static bool can_load(uintptr_t at)
{
    char byte;
    ok(SV_THEN, self, CODE, 0, SV_ON_ERROR);
    return fake_load(at, &byte, 1);
}

static void test_pages_come_when_touched(void **state)
{
    (void)state;
    struct sv_handle memory = made(5 * FRAME_SIZE - 1, RW, 0);
    uint64_t promised = funds_left(fake_task()->funds), there = frames_free();
    uint32_t word = 1;

    assert_int_equal(region_at(address)->pages, 0);
    assert_true(fake_load(address + 2 * FRAME_SIZE + 8, &word, 4));
    assert_int_equal(word, 0);
    assert_int_equal(region_at(address)->pages, 1);
    assert_int_equal(funds_left(fake_task()->funds), promised); // it was paid before
    assert_int_equal(frames_free(), there - 1);
    ok(SV_WHAT, memory, 0);
    assert_int_equal(fake_value[4], 5 * FRAME_SIZE);
    assert_false(can_load(address + 5 * FRAME_SIZE));
}

static void test_populated(void **state)
{
    (void)state;
    made(300 * FRAME_SIZE, RW, SV_POPULATED);
    assert_int_equal(region_at(address)->pages, 300);
}

static void test_large(void **state)
{
    (void)state;
    uint64_t before = frames_free(), left = funds_left(fake_task()->funds);
    struct sv_handle memory = made(2100 * FRAME_SIZE, RW, 0);

    assert_int_equal(left - funds_left(fake_task()->funds), 2100 + 3 + 1); // pages, tables, itself
    for (unsigned page = 0; page < 2100; page += 99)
        assert_true(fake_store(address + page * FRAME_SIZE, &page, sizeof(page)));
    fake_check();
    assert_int_equal(region_at(address)->pages, 22);
    ok(SV_DROP, memory, 0);
    fake_check();
    assert_true(before - frames_free() <= 1); // a page table may have grown
    assert_int_equal(call(SV_ALLOCATE, frames, FAKE_FRAMES * FRAME_SIZE, RW, 0), SV_NO_MEMORY);
    assert_int_equal(call(SV_ALLOCATE, frames, (sv_word)SV_REGION_MAX + 1, RW, 0), SV_INVALID);
    assert_int_equal(call(SV_ALLOCATE, frames, ~(sv_word)0, RW, 0), SV_INVALID);
    assert_int_equal(call(SV_ALLOCATE, frames, 0, RW, 0), SV_INVALID);
    assert_int_equal(call(SV_ALLOCATE, frames, 1, SV_RIGHT_WRITE, 0), SV_INVALID);
    assert_int_equal(call(SV_ALLOCATE, frames, 1, RW | SV_RIGHT_EXECUTE, 0), SV_INVALID);
    assert_int_equal(call(SV_ALLOCATE, frames, 1, RW, 4), SV_INVALID);
}

static void test_guards(void **state)
{
    (void)state;
    made(2 * FRAME_SIZE, RW, SV_GUARDED);
    made(2 * FRAME_SIZE, RW, SV_GUARDED);
    assert_true(can_store(address));
    assert_true(can_store(address + 2 * FRAME_SIZE - 1));
    assert_false(can_store(address - 1));
    assert_false(can_store(address + 2 * FRAME_SIZE));
    assert_null(region_at(address - FRAME_SIZE));
}

static void test_access(void **state)
{
    (void)state;
    struct sv_handle memory = made(FRAME_SIZE, RW, 0);

    assert_true(can_store(address));
    ok(SV_ACCESS, memory, SV_RIGHT_READ);
    fake_check();
    assert_true(can_load(address));
    assert_false(can_store(address));
    ok(SV_ACCESS, memory, RW);
    assert_true(can_store(address));
    ok(SV_ACCESS, memory, 0);
    fake_check();
    assert_false(can_load(address));
    assert_int_equal(call(SV_ACCESS, memory, SV_RIGHT_EXECUTE), SV_DENIED);
    assert_int_equal(call(SV_ACCESS, memory, SV_RIGHT_WRITE | SV_RIGHT_EXECUTE), SV_INVALID);
    assert_int_equal(call(SV_ACCESS, memory, 64), SV_INVALID);
}

static void test_two_capabilities_to_one(void **state)
{
    (void)state;
    struct sv_handle memory = made(FRAME_SIZE, RW, 0), reads = copy(memory, SV_RIGHT_READ);

    assert_true(can_store(address));
    ok(SV_ACCESS, memory, 0);
    assert_true(can_load(address)); // by the other one
    assert_false(can_store(address));
    ok(SV_DROP, reads, 0);
    assert_false(can_load(address));
}

static void test_code_is_not_written(void **state)
{
    (void)state;
    uintptr_t image = fake_task()->entry & ~(uintptr_t)(FRAME_SIZE - 1);
    uint64_t physical;

    assert_true(can_load(image));
    assert_false(can_store(image));
    assert_true(can_store(image + FRAME_SIZE)); // data
    kernel_enter();
    kernel_fault(SV_FAULT_EXECUTE, image, image);
    kernel_fault(SV_FAULT_EXECUTE, image, image + FRAME_SIZE);
    kernel_next();
    kernel_leave();
    assert_int_equal(space_find(&fake_task()->space, image, SV_RIGHT_EXECUTE, &physical), STATUS_OK);
    assert_int_equal(space_find(&fake_task()->space, image + FRAME_SIZE, SV_RIGHT_EXECUTE, &physical), STATUS_FAULT);
}

static void test_start_page_is_read_only(void **state)
{
    (void)state;
    assert_true(can_load(fake_task()->start_page));
    assert_false(can_store(fake_task()->start_page));
}

static void test_buffers_of_calls(void **state)
{
    (void)state;
    struct sv_handle memory = made(2 * FRAME_SIZE, RW, SV_GUARDED);
    const uintptr_t wrong[] = {0,
                               FRAME_SIZE,
                               address - 8,
                               address + 2 * FRAME_SIZE - 8,
                               ARCH_USER_END - 8,
                               ARCH_USER_END,
                               ~(uintptr_t)0,
                               ~(uintptr_t)0 - 8,
                               fake_task()->start_page};

    for (unsigned i = 0; i < array_length(wrong); i++)
        assert_int_equal(call(SV_RANDOM, self, wrong[i], 16), SV_FAULT);
    ok(SV_RANDOM, self, address + FRAME_SIZE - 8, 16); // nothing was there yet
    assert_int_equal(region_at(address)->pages, 2);
    ok(SV_ACCESS, memory, SV_RIGHT_READ);
    assert_int_equal(call(SV_RANDOM, self, address, 16), SV_FAULT);
    ok(SV_WRITE, console, address, 16);
    fake_check();
}

static void test_out_of_frames_for_a_table(void **state)
{
    (void)state;
    made(300 * FRAME_SIZE, RW, 0);
    uint64_t left = funds_left(fake_task()->funds);
    ok(SV_THEN, self, CODE, 0, SV_ON_ERROR);
    ok(SV_SPLIT, frames, left); // the page table can't grow
    bool stored = true;
    for (unsigned page = 0; stored && page < 300; page++)
        stored = fake_store(address + page * FRAME_SIZE, "x", 1);
    assert_false(stored);
    assert_int_equal(fake_task()->frame.words[0], SV_END_OUT_OF_MEMORY);
    fake_check();
}

static void test_failing_allocations(void **state)
{
    (void)state;
    uint64_t before = frames_free();

    for (unsigned fail = 1; fail <= 5; fail++) {
        fake_frames_fail = fail;
        assert_int_equal(call(SV_ALLOCATE, frames, 4 * FRAME_SIZE, RW, SV_POPULATED), SV_NO_MEMORY);
        assert_int_equal(fake_frames_fail, 0);
        fake_check();
        assert_int_equal(frames_free(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_pages_come_when_touched),
        test(test_populated),
        test(test_large),
        test(test_guards),
        test(test_access),
        test(test_two_capabilities_to_one),
        test(test_code_is_not_written),
        test(test_start_page_is_read_only),
        test(test_buffers_of_calls),
        test(test_out_of_frames_for_a_table),
        test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
