// sources: supervisor bearssl
//
// The supervisor's channels: messages, capabilities that travel, room, and the other side's end.
#include "init.h"

static void test_words(void **state)
{
    (void)state;
    struct sv_handle queue = channel(2);
    const struct frame *f = &fake_task()->frame;

    ok(SV_THEN, queue, CODE, 5, SV_AGAIN);
    ok(SV_SEND, queue, 1, 2, 3, 4);
    ok(SV_SEND, queue, 5, 6, 7, 8);
    assert_int_equal(call(SV_SEND, queue, 9), SV_FULL);
    fake_check();
    next_run();
    assert_int_equal(f->event, SV_EVENT_MESSAGE);
    assert_int_equal(f->words[0], 1);
    assert_int_equal(f->words[3], 4);
    assert_int_equal(f->handle_count, 0);
    next_run(); // again
    assert_int_equal(f->words[1], 6);
    next_run();
    assert_null(fake_task());
    fake_check();
}

static void test_a_message_that_waits(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1);

    ok(SV_SEND, queue, 1, 2, 3, 4);
    ok(SV_WHAT, queue, 0);
    assert_int_equal(fake_value[3], 1);
    assert_int_equal(fake_value[4], 1);
    ok(SV_THEN, queue, CODE, 5, 0);
    sv_word number = fake_value[1];
    ok(SV_CANCEL, self, number); // and it still waits
    ok(SV_THEN, queue, CODE, 6, 0);
    next_run();
    assert_int_equal(fake_task()->frame.entered_with, 6);
    assert_int_equal(fake_task()->frame.words[0], 1);
}

static void test_rights(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), sends = copy(queue, SV_RIGHT_SEND), receives = copy(queue, SV_RIGHT_RECEIVE);

    assert_int_equal(call(SV_SEND, receives, 1), SV_DENIED);
    assert_int_equal(call(SV_THEN, sends, CODE, 0, 0), SV_DENIED);
    assert_int_equal(call(SV_THEN, receives, CODE, 0, SV_ROOM), SV_DENIED);
    assert_int_equal(call(SV_CHANNEL, frames, 0), SV_INVALID);
    assert_int_equal(call(SV_CHANNEL, frames, SV_QUEUE_MAX + 1), SV_INVALID);
    assert_int_equal(call(SV_SEND, queue, 1, 2, 3, 4, scratch, SV_MESSAGE_HANDLES + 1), SV_INVALID);
    assert_int_equal(call(SV_SEND, queue, 1, 2, 3, 4, 16, 1), SV_FAULT);
}

static void test_room(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1);

    ok(SV_SEND, queue, 1);
    ok(SV_THEN, queue, CODE, 7, SV_ROOM);
    ok(SV_THEN, queue, CODE, 8, 0);
    next_run();
    assert_int_equal(fake_task()->frame.entered_with, 8);
    next_run();
    assert_int_equal(fake_task()->frame.event, SV_EVENT_ROOM);
    assert_int_equal(fake_task()->frame.entered_with, 7);
}

static void test_move_of_a_region(void **state)
{
    (void)state;
    struct sv_handle queue = channel(4), memory = region(3 * FRAME_SIZE, RW, SV_GUARDED);
    uintptr_t address = (uintptr_t)fake_value[1];
    char text[6];

    assert_true(fake_store(address + FRAME_SIZE, "hello", 6));
    assert_int_equal(send(queue, memory, SV_RIGHTS_ALL, true), SV_OK);
    fake_check();
    assert_int_equal(call(SV_WHAT, memory, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_RANDOM, self, address, 8), SV_FAULT); // nor may the kernel for it
    assert_int_equal(send(queue, memory, SV_RIGHTS_ALL, true), SV_BAD_HANDLE);
    ok(SV_THEN, queue, CODE, 0, 0);
    next_run();
    assert_true(fake_load(address + FRAME_SIZE, text, 6));
    assert_string_equal(text, "hello");
    ok(SV_WHAT, received(0), 0);
    assert_int_equal(fake_value[3], address);
    assert_int_equal(fake_value[2], RW | SV_RIGHT_COPY);
    ok(SV_ALLOCATE, frames, 1, RW, 0);
}

static void test_all_or_nothing(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), memory = region(1, RW, 0), other = region(1, SV_RIGHT_READ, 0);
    struct sv_handle fixed = copy(console, SV_RIGHT_READ);
    struct sv_transfer t[4] = {{memory, SV_RIGHTS_ALL, 1}, {other, SV_RIGHTS_ALL, 1}, {fixed, SV_RIGHT_READ, 0}};
    const struct {
        struct sv_transfer last;
        enum sv_status status;
    } wrong[] = {
        {{fixed, SV_RIGHT_READ, 0}, SV_DENIED},   // can't be copied
        {{memory, SV_RIGHTS_ALL, 1}, SV_INVALID}, // twice
        {{memory, SV_RIGHT_READ, 0}, SV_INVALID}, // moved and kept
        {{other, SV_RIGHT_READ, 2}, SV_INVALID},  {{{{1, 2, 3, 4}}, SV_RIGHT_READ, 0}, SV_BAD_HANDLE},
        {{queue, SV_RIGHT_SEND, 0}, SV_INVALID}, // to itself
    };

    for (unsigned i = 0; i < array_length(wrong); i++) {
        t[2] = wrong[i].last;
        assert_true(fake_store(scratch, t, sizeof(t)));
        assert_int_equal(call(SV_SEND, queue, 0, 0, 0, 0, scratch, 3), wrong[i].status);
        fake_check();
        ok(SV_WHAT, memory, 0);
        ok(SV_WHAT, other, 0);
    }
    ok(SV_SEND, queue, 0);
    assert_int_equal(send(queue, memory, SV_RIGHTS_ALL, true), SV_FULL);
    ok(SV_WHAT, memory, 0);
}

static void test_move_takes_what_was_derived(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), memory = region(1, RW, 0),
                     narrow = copy(memory, SV_RIGHT_READ | SV_RIGHT_COPY);

    copy(narrow, SV_RIGHT_READ);
    assert_int_equal(send(queue, memory, SV_RIGHT_READ, true), SV_OK);
    fake_check();
    assert_int_equal(call(SV_WHAT, narrow, 0), SV_BAD_HANDLE);
    ok(SV_THEN, queue, CODE, 0, 0);
    next_run();
    ok(SV_WHAT, received(0), 0);
    assert_int_equal(fake_value[2], SV_RIGHT_READ);
}

static void test_nobody_to_receive(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), carrier = channel(1), memory = region(1, RW, 0);

    assert_int_equal(send(queue, memory, SV_RIGHTS_ALL, true), SV_OK);
    ok(SV_THEN, queue, CODE, 3, SV_ROOM);
    assert_int_equal(objects_count[SV_TYPE_REGION], 4);
    assert_int_equal(send(carrier, queue, SV_RIGHT_SEND, true), SV_OK); // the right to receive is gone
    fake_check();
    assert_int_equal(objects_count[SV_TYPE_REGION], 3);
    ok(SV_THEN, carrier, CODE, 4, 0);
    next_run(); // the wait for room was by what has moved
    assert_int_equal(fake_task()->frame.event, SV_EVENT_GONE);
    next_run();
    assert_int_equal(call(SV_SEND, received(0), 1), SV_GONE);
}

static void test_nobody_to_send(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), carrier = channel(1);

    assert_int_equal(send(carrier, queue, SV_RIGHT_RECEIVE, true), SV_OK);
    ok(SV_THEN, carrier, CODE, 4, 0);
    next_run();
    ok(SV_THEN, received(0), CODE, 5, SV_AGAIN);
    next_run();
    assert_int_equal(fake_task()->frame.event, SV_EVENT_GONE);
    assert_int_equal(fake_task()->frame.entered_with, 5);
    next_run(); // once
    assert_null(fake_task());
    assert_int_equal(objects_count[SV_TYPE_TASK], 0);
}

static void test_revoked_while_it_waits(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), narrow = copy(queue, SV_RIGHT_RECEIVE);

    ok(SV_THEN, narrow, CODE, 5, SV_AGAIN);
    ok(SV_SEND, queue, 1);
    ok(SV_REVOKE, queue, 0); // has fired, but not run
    fake_check();
    next_run();
    assert_int_equal(fake_task()->frame.event, SV_EVENT_GONE);
    ok(SV_THEN, queue, CODE, 6, 0);
    next_run();
    assert_int_equal(fake_task()->frame.words[0], 1);
}

static void test_no_place_for_what_comes(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), memory = region(1, RW, 0);

    assert_int_equal(send(queue, memory, SV_RIGHTS_ALL, true), SV_OK);
    while (call(SV_COPY, console, SV_RIGHT_READ) == SV_OK)
        ;
    ok(SV_THEN, queue, CODE, 0, 0);
    uint32_t regions = objects_count[SV_TYPE_REGION];
    next_run();
    fake_check();
    struct sv_handle none = received(0);
    assert_true(handle_is_none(none));
    assert_int_equal(objects_count[SV_TYPE_REGION], regions - 1);
}

static void test_circle_is_given_back(void **state)
{
    (void)state;
    uint64_t before = frames_free();
    struct sv_handle program = image("init");

    assert_int_equal(start(program, 64, (struct sv_handle){{0}}, false), SV_OK);
    struct sv_handle other = fake_handle;
    ok(SV_THEN, other, CODE, 0, 0);
    struct sv_handle init_frames = frames, init_self = self;
    uintptr_t init_scratch = scratch;
    next_run(); // now as the other one
    frames = fake_start_handle("frames");
    self = fake_start_handle("task");
    scratch = fake_task()->stack_low;
    struct sv_handle a = channel(1), b = channel(1), memory = region(FRAME_SIZE, RW, SV_POPULATED);
    assert_int_equal(send(a, memory, SV_RIGHTS_ALL, true), SV_OK);
    ok(SV_THEN, a, CODE, 0, 0);
    next_run();
    memory = received(0);
    struct sv_transfer t[2] = {{b, SV_RIGHTS_ALL, 1}, {memory, SV_RIGHTS_ALL, 1}};
    struct sv_handle to_b = copy(b, SV_RIGHT_SEND | SV_RIGHT_COPY);
    assert_int_equal(send(to_b, copy(a, SV_RIGHT_SEND | SV_RIGHT_RECEIVE), SV_RIGHTS_ALL, true), SV_OK);
    assert_true(fake_store(scratch, t, sizeof(t)));
    ok(SV_SEND, a, 0, 0, 0, 0, scratch, 2); // b waits in a, and a in b
    fake_check();
    next_run(); // its end
    frames = init_frames;
    self = init_self;
    scratch = init_scratch;
    fake_check();
    ok(SV_DROP, other, 0);
    ok(SV_DROP, program, 0);
    assert_int_equal(frames_free(), before);
}

static void test_start_with_a_channel(void **state)
{
    (void)state;
    struct sv_handle queue = channel(4);

    assert_int_equal(start(image("init"), 64, queue, false), SV_OK);
    ok(SV_THEN, queue, CODE, 9, 0);
    next_run();
    struct sv_handle its = fake_start_handle("it");
    struct sv_start_page page;
    assert_true(fake_load(fake_task()->start_page, &page, sizeof(page)));
    assert_string_equal(page.arguments, "one two");
    assert_string_equal(page.program, "init");
    ok(SV_SEND, its, 11);
    call(SV_FINISH, fake_start_handle("task"), 0);
    assert_int_equal(fake_task()->frame.words[0], 11);
    fake_check();
}

// A task of the same program, which waits for messages to 'code' on the queue it was given, as often as they come.
static struct task *listener(struct sv_handle queue)
{
    assert_int_equal(start(image("init"), 64, queue, false), SV_OK);
    struct task *init = fake_task();
    ok(SV_THEN, self, CODE, 0, 0);
    next_run();
    struct task *t = fake_task();
    assert_ptr_not_equal(t, init);
    ok(SV_THEN, fake_start_handle("it"), CODE, 21, SV_AGAIN);
    call(SV_FINISH, fake_start_handle("task"), 0);
    assert_ptr_equal(fake_task(), init);
    fake_check();
    return t;
}

static void test_last(void **state)
{
    (void)state;
    struct sv_handle queue = channel(2);
    struct task *init = fake_task(), *t = listener(queue);

    assert_int_equal(call(SV_SEND, self, 1, 2, 3, 4, 0, SV_LAST), SV_BAD_TYPE); // and the run goes on
    ok(SV_THEN, self, CODE, 22, 0);
    fake_time += 100;
    call(SV_SEND, queue, 1, 2, 3, 4, 0, SV_LAST);
    fake_check();
    assert_ptr_equal(fake_task(), t); // at once
    assert_int_equal(t->frame.event, SV_EVENT_MESSAGE);
    assert_int_equal(t->frame.entered_with, 21);
    assert_int_equal(t->frame.words[0], 1);
    assert_int_equal(t->frame.words[3], 4);
    assert_int_equal(init->state, TASK_READY);
    assert_int_equal(init->ticks, 100);
    fake_time += 10;
    call(SV_FINISH, fake_start_handle("task"), 0);
    assert_int_equal(t->ticks, 10);
    assert_ptr_equal(fake_task(), init);
    assert_int_equal(init->frame.entered_with, 22);
    ok(SV_INSPECT, system_handle, SV_KIND_CHANNEL, 0, scratch, sizeof(struct sv_channel));
    struct sv_channel seen;
    assert_true(fake_load(scratch, &seen, sizeof(seen)));
    assert_int_equal(seen.sent, 1);
    assert_int_equal(seen.waiting, 0);
}

// No message overtakes another, and no task those that wait for the hart.
static void test_last_is_not_first(void **state)
{
    (void)state;
    struct sv_handle queue = channel(3);
    struct task *init = fake_task(), *t = listener(queue);

    ok(SV_THEN, self, CODE, 22, 0);
    ok(SV_SEND, queue, 1);
    call(SV_SEND, queue, 2, 0, 0, 0, 0, SV_LAST);
    fake_check();
    assert_ptr_equal(fake_task(), t);
    assert_int_equal(t->frame.words[0], 1);
    call(SV_FINISH, fake_start_handle("task"), 0);
    assert_ptr_equal(fake_task(), init); // which was ready before
    ok(SV_THEN, self, CODE, 23, 0);
    call(SV_FINISH, self);
    assert_ptr_equal(fake_task(), t);
    assert_int_equal(t->frame.words[0], 2);
}

static void test_last_with_a_region(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1), memory = region(1, RW, 0);
    struct task *t = listener(queue);
    struct sv_transfer along = {memory, SV_RIGHTS_ALL, 1};

    assert_true(fake_store(scratch, &along, sizeof(along)));
    ok(SV_THEN, self, CODE, 22, 0);
    call(SV_SEND, queue, 5, 0, 0, 0, scratch, 1 | SV_LAST);
    fake_check();
    assert_ptr_equal(fake_task(), t);
    assert_int_equal(t->frame.words[0], 5);
    ok(SV_WHAT, received(0), 0);
    assert_int_equal(fake_value[1], SV_TYPE_REGION);
}

// The one who sends has nothing left to do and ends; the run that has its message goes on.
static void test_last_of_all(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1);
    struct task *t = listener(queue);

    call(SV_SEND, queue, 5, 6, 7, 8, 0, SV_LAST);
    fake_check();
    assert_ptr_equal(fake_task(), t);
    assert_int_equal(t->frame.event, SV_EVENT_MESSAGE);
    assert_int_equal(t->frame.words[0], 5);
    assert_int_equal(objects_count[SV_TYPE_TASK], 1);
}

static void test_last_to_oneself(void **state)
{
    (void)state;
    struct sv_handle queue = channel(1);

    ok(SV_THEN, queue, CODE, 7, SV_AGAIN);
    for (sv_word i = 1; i < 4; i++) {
        call(SV_SEND, queue, i, 0, 0, 0, 0, SV_LAST);
        fake_check();
        assert_int_equal(fake_task()->frame.words[0], i);
        assert_int_equal(fake_task()->frame.entered_with, 7);
    }
    ok(SV_SEND, queue, 1);
    assert_int_equal(call(SV_SEND, queue, 1, 0, 0, 0, 0, SV_LAST), SV_FULL);
    assert_int_equal(call(SV_SEND, queue, 1, 0, 0, 0, 0, 2 * SV_LAST), SV_FULL);
    next_run();
    assert_int_equal(call(SV_SEND, queue, 1, 0, 0, 0, 0, 2 * SV_LAST), SV_INVALID);
}

// What comes with a message is within the run's limit, as what it makes is.
static void test_limited_run_receives(void **state)
{
    (void)state;
    struct sv_handle q = channel(2);

    assert_true(fake_store(scratch, &q, sizeof(q)));
    ok(SV_GROUP, self, scratch, 1);
    struct sv_handle g = fake_handle;
    assert_true(fake_store(scratch, &g, sizeof(g)));
    ok(SV_THEN, q, CODE, 0, 0, 0, 0, scratch);
    assert_int_equal(send(q, console, SV_RIGHT_READ, false), SV_OK);
    next_run();
    ok(SV_WHAT, received(0), 0);
    assert_int_equal(call(SV_WHAT, frames, 0), SV_BAD_HANDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_words),
        test(test_a_message_that_waits),
        test(test_rights),
        test(test_room),
        test(test_move_of_a_region),
        test(test_all_or_nothing),
        test(test_move_takes_what_was_derived),
        test(test_nobody_to_receive),
        test(test_nobody_to_send),
        test(test_revoked_while_it_waits),
        test(test_no_place_for_what_comes),
        test(test_circle_is_given_back),
        test(test_start_with_a_channel),
        test(test_last),
        test(test_last_is_not_first),
        test(test_last_with_a_region),
        test(test_last_of_all),
        test(test_last_to_oneself),
        test(test_limited_run_receives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
