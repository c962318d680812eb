// sources: supervisor bearssl
//
// The supervisor's tasks: runs, continuations, clocks, errors, budgets, ends, and which hart runs whom.
#include "init.h"

static void test_first_run(void **state)
{
    (void)state;
    const struct frame *f = &fake_task()->frame;

    assert_int_equal(f->event, SV_EVENT_START);
    assert_int_equal(f->code, 0);
    assert_int_equal(f->entered_with, fake_task()->start_page);
    assert_int_equal(f->handle_count, 0);
    assert_int_equal(f->handles % 16, 0);
    assert_int_equal(f->entry, fake_task()->entry);
    ok(SV_WHAT, self, 0);
    assert_int_equal(fake_value[1], SV_TYPE_TASK);
    assert_int_equal(fake_value[3], 1);
}

static void test_what_with_wrong_handles(void **state)
{
    (void)state;
    struct sv_handle wrong = self;

    wrong.word[3] ^= 1;
    assert_int_equal(call(SV_WHAT, wrong, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_WHAT, (struct sv_handle){{0}}, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_FINISH, console, 0), SV_BAD_TYPE);
    assert_int_equal(call(SV_CALLS, self, 0), SV_INVALID);
    assert_int_equal(call(SV_OPEN, self, 0), SV_BAD_TYPE);
}

static void test_now(void **state)
{
    (void)state;
    ok(SV_THEN, self, CODE, 7, 0);
    ok(SV_THEN, self, CODE + 4, 8, 0);
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.code, CODE);
    assert_int_equal(fake_task()->frame.entered_with, 7);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_NOW);
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.code, CODE + 4);
    fake_check();
}

static void test_end_without_continuation(void **state)
{
    (void)state;
    call(SV_FINISH, self, 0);
    assert_null(fake_task());
    assert_int_equal(objects_count[SV_TYPE_TASK], 0);
    assert_int_equal(capabilities_count, 0);
    assert_int_equal(fake_powered, 1); // nobody is left
    assert_int_equal(objects_count[SV_TYPE_REGION], 0);
}

static void test_cancel(void **state)
{
    (void)state;
    ok(SV_THEN, self, CODE, 7, 0);
    sv_word number = fake_value[1];
    ok(SV_THEN, self, CODE + 4, 8, 0);
    ok(SV_CANCEL, self, number);
    assert_int_equal(call(SV_CANCEL, self, number), SV_NOT_FOUND);
    assert_int_equal(call(SV_CANCEL, self, ~(sv_word)0), SV_NOT_FOUND);
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.code, CODE + 4);
}

static void test_many_continuations(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SV_CONTINUATIONS_MAX; i++)
        ok(SV_THEN, self, CODE + i, 0, 0);
    assert_int_equal(call(SV_THEN, self, CODE, 0, 0), SV_LIMIT);
    fake_check();
    for (unsigned i = 0; i < SV_CONTINUATIONS_MAX; i++) {
        call(SV_FINISH, self, 0);
        assert_int_equal(fake_task()->frame.code, CODE + i);
    }
}

static void test_then_refuses(void **state)
{
    (void)state;
    assert_int_equal(call(SV_THEN, self, CODE, 0, SV_AGAIN), SV_INVALID);
    assert_int_equal(call(SV_THEN, fake_start_handle("clock"), CODE, 0, SV_AGAIN, 5), SV_INVALID);
    assert_int_equal(call(SV_THEN, self, CODE, 0, 64), SV_INVALID);
    assert_int_equal(call(SV_THEN, frames, CODE, 0, 0), SV_BAD_TYPE);
    assert_int_equal(call(SV_THEN, self, CODE, 0, 0, 0, 0, 16), SV_FAULT);
    ok(SV_COPY, fake_start_handle("clock"), SV_RIGHT_COPY);
    assert_int_equal(call(SV_THEN, fake_handle, CODE, 0, 0, 5), SV_DENIED);
}

static sv_word low(uint64_t time)
{
    return (sv_word)time;
}

static sv_word high(uint64_t time)
{
    return sizeof(sv_word) == 8 ? 0 : (sv_word)(time >> 32);
}

static void test_clock(void **state)
{
    (void)state;
    uint64_t late = fake_time + 5000, never = UINT64_MAX;

    ok(SV_THEN, fake_start_handle("clock"), CODE, 1, 0, low(late), high(late));
    ok(SV_THEN, fake_start_handle("clock"), CODE, 2, 0, low(never), high(never));
    sv_word second = fake_value[1];
    ok(SV_THEN, fake_start_handle("clock"), CODE, 3, 0, 1, 0);
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.entered_with, 3);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_TIME);
    assert_int_equal(fake_task()->frame.words[0], fake_time);
    call(SV_FINISH, self, 0);
    assert_null(fake_task());
    assert_true(fake_alarm[0] <= late);
    fake_check();
    fake_at(late - 1);
    assert_null(fake_task());
    assert_int_equal(fake_alarm[0], late);
    fake_at(late);
    assert_int_equal(fake_task()->frame.entered_with, 1);
    ok(SV_CANCEL, self, second);
    call(SV_FINISH, self, 0);
    assert_int_equal(objects_count[SV_TYPE_TASK], 0);
}

static void test_error_continuation(void **state)
{
    (void)state;
    uint32_t byte = 1;

    ok(SV_THEN, self, CODE, 1, SV_ON_ERROR);
    ok(SV_THEN, self, CODE + 4, 2, SV_ON_ERROR);
    ok(SV_THEN, self, CODE + 8, 3, 0);
    fake_check();
    assert_false(fake_store(0x2000, &byte, 1));
    assert_int_equal(fake_task()->frame.code, CODE + 4);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_ERROR);
    assert_int_equal(fake_task()->frame.words[0], SV_END_FAULT);
    assert_int_equal(fake_task()->frame.words[1], SV_FAULT_WRITE);
    assert_int_equal(fake_task()->frame.words[2], 0x1234);
    assert_int_equal(fake_task()->frame.words[3], 0x2000);
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.code, CODE + 8);
    assert_false(fake_store(0x2000, &byte, 1)); // and there is none any more
    assert_int_equal(objects_count[SV_TYPE_TASK], 0);
}

static void test_error_continuation_alone_is_nothing_to_wait_for(void **state)
{
    (void)state;
    ok(SV_THEN, self, CODE, 1, SV_ON_ERROR);
    call(SV_FINISH, self, 0);
    assert_null(fake_task());
    assert_int_equal(objects_count[SV_TYPE_TASK], 0);
}

static void test_overrun(void **state)
{
    (void)state;
    ok(SV_THEN, self, CODE, 1, SV_ON_ERROR);
    for (unsigned i = 0; i < 3000 && fake_task()->frame.event == SV_EVENT_START; i++)
        fake_at(fake_time + 50000);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_ERROR);
    assert_int_equal(fake_task()->frame.words[0], SV_END_OVERRUN);
    assert_in_range(fake_time, 100000000, 100200000); // the first program has ten seconds
    assert_int_equal(fake_task()->frame.words[2], fake_task()->entry);
}

// Time that the hart was taken away does not count: an alarm that comes late is not the run's fault.
static void test_overrun_is_of_time_that_was_had(void **state)
{
    (void)state;
    ok(SV_THEN, self, CODE, 1, SV_ON_ERROR);
    fake_at(fake_time + 20000000); // two seconds
    assert_int_equal(fake_task()->frame.event, SV_EVENT_START);
    fake_at(fake_time + 20000000);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_START);
    assert_true(fake_task()->ticks >= 40000000);
    assert_in_range(fake_task()->run_ticks, 1, 200000); // two slices each
}

static void test_stack_overflow(void **state)
{
    (void)state;
    uint32_t byte = 1;

    ok(SV_THEN, self, CODE, 1, SV_ON_ERROR);
    assert_true(fake_store(fake_task()->stack_low, &byte, 1));
    assert_false(fake_store(fake_task()->stack_low - 1, &byte, 1));
    assert_int_equal(fake_task()->frame.words[1], SV_FAULT_STACK);
}

// Starts the archive's program once more.
static struct sv_handle start_again(uint32_t frame_count)
{
    struct sv_start s = {.frames = frames, .frame_count = frame_count};
    uintptr_t at = fake_task()->stack_low;

    assert_true(fake_store(at, "init", 4));
    ok(SV_OPEN, archive, at, 4);
    struct sv_handle image = fake_handle;
    assert_true(fake_store(at, &s, sizeof(s)));
    ok(SV_START, image, at);
    struct sv_handle task = fake_handle;
    ok(SV_DROP, image, 0);
    fake_check();
    return task;
}

static void test_start_and_watch(void **state)
{
    (void)state;
    uint64_t before = frames_free();
    struct task *init = fake_task();
    struct sv_handle other = start_again(64);

    ok(SV_THEN, other, CODE, 9, 0);
    ok(SV_THEN, self, CODE, 1, 0);
    call(SV_FINISH, self, 0); // the other one is first in the queue
    struct task *t = fake_task();
    assert_ptr_not_equal(t, init);
    assert_string_equal(t->program, "init");
    struct sv_handle its_own = fake_start_handle("task");
    call(SV_END, its_own, 42);
    assert_ptr_equal(fake_task(), init);
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_END);
    assert_int_equal(fake_task()->frame.words[0], SV_END_STATUS);
    assert_int_equal(fake_task()->frame.words[1], 42);
    fake_check();
    // what is over says so at once
    ok(SV_THEN, other, CODE, 10, 0);
    ok(SV_DROP, other, 0);
    fake_check();
    assert_int_equal(frames_free(), before);
}

static void test_kill(void **state)
{
    (void)state;
    uint64_t before = frames_free();
    struct sv_handle other = start_again(64);

    ok(SV_THEN, other, CODE, 9, 0);
    ok(SV_END, other, 5);
    fake_check();
    ok(SV_END, other, 6); // again is nothing
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.words[0], SV_END_KILLED);
    assert_int_equal(fake_task()->frame.words[1], 5);
    ok(SV_DROP, other, 0);
    fake_check();
    assert_int_equal(frames_free(), before);
}

static void test_kill_on_another_hart(void **state)
{
    (void)state;
    struct task *init = fake_task();
    struct sv_handle other = start_again(64);

    assert_int_equal(fake_kicks[1], 0); // it was never idle
    fake_hart = 1;
    struct task *t = fake_next();
    assert_ptr_not_equal(t, init);
    fake_hart = 0;
    ok(SV_THEN, other, CODE, 9, 0);
    ok(SV_END, other, 5);
    assert_int_equal(fake_kicks[1], 1);
    assert_ptr_equal(harts[1].current, t);
    fake_hart = 1;
    assert_null(fake_next());
    fake_hart = 0;
    fake_check();
    ok(SV_DROP, other, 0);
    call(SV_FINISH, self, 0);
    assert_int_equal(fake_task()->frame.words[1], 5);
}

// One task that is ready waits for the run that woke it; not for longer than a slice, and not a second one.
static void test_idle_hart_is_kicked(void **state)
{
    (void)state;
    struct task *init = fake_task();

    fake_hart = 1;
    assert_null(fake_next());
    fake_hart = 0;
    start_again(64);
    assert_int_equal(fake_kicks[1], 0);
    fake_at(fake_time + ticks_of(SLICE_NANOSECONDS));
    assert_ptr_equal(fake_task(), init); // nobody had to go
    assert_int_equal(fake_kicks[1], 1);
    ok(SV_WHAT, self, 0);
    assert_int_equal(fake_kicks[1], 1);
    fake_hart = 1;
    assert_ptr_not_equal(fake_next(), init);
    assert_int_equal(fake_kicks[0], 0);
}

static void test_two_that_are_ready_want_an_idle_hart(void **state)
{
    (void)state;

    fake_hart = 1;
    assert_null(fake_next());
    fake_hart = 0;
    start_again(64);
    assert_int_equal(fake_kicks[1], 0);
    start_again(64);
    assert_int_equal(fake_kicks[1], 1);
}

static void test_slices(void **state)
{
    (void)state;
    struct task *init = fake_task();
    uint64_t slice = ticks_of(SLICE_NANOSECONDS);

    start_again(64);
    init->frame.argument[6] = 77;
    fake_at(fake_time + slice - 1);
    assert_ptr_equal(fake_task(), init);
    fake_at(fake_time + 1);
    struct task *t = fake_task();
    assert_ptr_not_equal(t, init);
    fake_check();
    fake_at(fake_time + slice);
    assert_ptr_equal(fake_task(), init);
    assert_int_equal(init->frame.argument[6], 77);
    assert_int_equal(init->runs, 1);
    assert_int_equal(t->ticks, slice);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    uint64_t before = frames_free();
    struct sv_start s = {.frames = frames, .frame_count = 8};
    uintptr_t at = fake_task()->stack_low;

    assert_true(fake_store(at, "init", 4));
    ok(SV_OPEN, archive, at, 4);
    struct sv_handle image = fake_handle;
    uint64_t middle = frames_free();
    for (unsigned count = 1; count < 26; count++) {
        s.frame_count = count;
        assert_true(fake_store(at, &s, sizeof(s)));
        assert_int_equal(call(SV_START, image, at), SV_NO_MEMORY);
        fake_check();
        assert_int_equal(frames_free(), middle);
    }
    for (unsigned fail = 1; fail <= 11; fail++) {
        s.frame_count = 64;
        assert_true(fake_store(at, &s, sizeof(s)));
        fake_frames_fail = fail;
        assert_int_equal(call(SV_START, image, at), SV_NO_MEMORY);
        assert_int_equal(fake_frames_fail, 0);
        fake_check();
        assert_int_equal(frames_free(), middle);
    }
    ok(SV_DROP, image, 0);
    assert_true(before - middle <= 1);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(test_first_run),
        test(test_what_with_wrong_handles),
        test(test_now),
        test(test_end_without_continuation),
        test(test_cancel),
        test(test_many_continuations),
        test(test_then_refuses),
        test(test_clock),
        test(test_error_continuation),
        test(test_error_continuation_alone_is_nothing_to_wait_for),
        test(test_overrun),
        test(test_overrun_is_of_time_that_was_had),
        test(test_stack_overflow),
        test(test_start_and_watch),
        test(test_kill),
        test(test_kill_on_another_hart),
        test(test_idle_hart_is_kicked),
        test(test_two_that_are_ready_want_an_idle_hart),
        test(test_slices),
        test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
