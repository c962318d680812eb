// sources: supervisor bearssl
//
// The supervisor's capabilities: who may use a handle, narrowing, revoking, groups, and how many there may be.
#include "init.h"

static void test_copy_narrows(void **state)
{
    (void)state;
    struct sv_handle narrow = copy(console, SV_RIGHT_READ);

    ok(SV_WHAT, narrow, 0);
    assert_int_equal(fake_value[1], SV_TYPE_CONSOLE);
    assert_int_equal(fake_value[2], SV_RIGHT_READ);
    assert_int_equal(call(SV_WRITE, narrow, scratch, 1), SV_DENIED);
    assert_int_equal(call(SV_COPY, narrow, SV_RIGHT_READ), SV_DENIED);
    ok(SV_WHAT, copy(console, SV_RIGHTS_ALL & ~SV_RIGHT_WRITE), 0); // what there is of that to give
    assert_int_equal(fake_value[2], SV_RIGHT_READ | SV_RIGHT_COPY);
}

static void test_handles_are_different(void **state)
{
    (void)state;
    struct sv_handle a = copy(console, SV_RIGHT_READ), b = copy(console, SV_RIGHT_READ);

    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(a.word[i], b.word[i]);
}

static void test_forged_handles(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 128; bit++) {
        struct sv_handle forged = console;
        forged.word[bit / 32] ^= 1u << bit % 32;
        assert_int_equal(call(SV_WHAT, forged, 0), SV_BAD_HANDLE);
    }
}

static void test_others_handles(void **state)
{
    (void)state;
    assert_int_equal(start(image("init"), 64, console, false), SV_OK);
    struct sv_handle other = fake_handle;
    ok(SV_THEN, other, CODE, 0, 0);
    next_run(); // the other one's
    struct sv_handle given = fake_start_handle("it");
    assert_int_equal(call(SV_WHAT, console, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_WHAT, self, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_WHAT, given, 0), SV_OK);
    call(SV_FINISH, fake_start_handle("task"), 0);
    assert_int_equal(fake_task()->frame.event, SV_EVENT_END);
    assert_int_equal(call(SV_WHAT, given, 0), SV_BAD_HANDLE);
}

static void test_revoke_reaches_everything(void **state)
{
    (void)state;
    struct sv_handle root = copy(console, SV_RIGHT_READ | SV_RIGHT_COPY), deep = root, some[60];

    for (unsigned i = 0; i < 60; i++) // a chain, and a fan at its first link
        some[i] = deep = copy(deep, SV_RIGHT_READ | SV_RIGHT_COPY);
    for (unsigned i = 0; i < 60; i++)
        copy(some[0], SV_RIGHT_READ);
    struct sv_handle queue = channel(4);
    assert_int_equal(send(queue, deep, SV_RIGHT_READ, false), SV_OK);
    fake_check();
    ok(SV_REVOKE, root, 0);
    fake_check();
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(call(SV_WHAT, some[i], 0), SV_BAD_HANDLE);
    ok(SV_WHAT, root, 0);
    ok(SV_THEN, queue, CODE, 0, 0);
    next_run();
    assert_int_equal(fake_task()->frame.handle_count, 1);
    struct sv_handle none = received(0);
    assert_true(handle_is_none(none));
}

static void test_revoke_in_another_task(void **state)
{
    (void)state;
    struct sv_handle memory = region(100, RW, 0);
    uintptr_t address = (uintptr_t)fake_value[1];
    struct task *init = fake_task();

    assert_true(fake_store(address, "x", 1));
    assert_int_equal(start(image("init"), 64, memory, false), SV_OK);
    ok(SV_THEN, self, CODE, 0, 0);
    next_run();
    char byte = 0;
    assert_ptr_not_equal(fake_task(), init);
    assert_true(fake_load(address, &byte, 1));
    assert_int_equal(byte, 'x');
    struct sv_handle given = fake_start_handle("it");
    fake_hart = 1; // where the first one goes on, while the other one runs
    assert_ptr_equal(fake_next(), init);
    ok(SV_REVOKE, memory, 0);
    fake_check();
    fake_hart = 0;
    assert_int_equal(call(SV_WHAT, given, 0), SV_BAD_HANDLE);
    assert_false(fake_load(address, &byte, 1));
    fake_hart = 1;
}

static void test_as_many_as_there_may_be(void **state)
{
    (void)state;
    unsigned count = fake_task()->capabilities;
    uint64_t before = frames_free();
    struct sv_handle root = copy(console, SV_RIGHT_READ | SV_RIGHT_COPY);

    for (count++; count < SV_CAPABILITIES_MAX; count++)
        copy(root, SV_RIGHT_READ);
    assert_int_equal(call(SV_COPY, root, SV_RIGHT_READ), SV_LIMIT);
    assert_int_equal(call(SV_CHANNEL, frames, 1), SV_LIMIT);
    assert_int_equal(call(SV_ALLOCATE, frames, 1, RW, 0), SV_LIMIT);
    assert_int_equal(call(SV_SPLIT, frames, 4), SV_LIMIT);
    fake_check();
    ok(SV_DROP, root, 0);
    copy(console, SV_RIGHT_READ);
    assert_true(before - frames_free() <= TABLE_FRAMES); // the table keeps what it grew by
}

static void test_drop(void **state)
{
    (void)state;
    struct sv_handle a = copy(console, SV_RIGHT_READ | SV_RIGHT_COPY), b = copy(a, SV_RIGHT_READ);

    ok(SV_DROP, a, 0);
    assert_int_equal(call(SV_WHAT, b, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_DROP, a, 0), SV_BAD_HANDLE);
    ok(SV_WHAT, console, 0);
}

static struct sv_handle group_of(struct sv_handle a, struct sv_handle b)
{
    struct sv_handle both[] = {a, b};

    assert_true(fake_store(scratch, both, sizeof(both)));
    ok(SV_GROUP, self, scratch, 2);
    return fake_handle;
}

static void test_group(void **state)
{
    (void)state;
    uint64_t before = frames_free();
    struct sv_handle g = group_of(console, archive);

    fake_check();
    ok(SV_MEMBER, g, 1);
    ok(SV_WHAT, fake_handle, 0);
    assert_int_equal(fake_value[1], SV_TYPE_ARCHIVE);
    assert_int_equal(call(SV_MEMBER, g, 2), SV_NOT_FOUND);
    assert_int_equal(call(SV_GROUP, self, scratch, 0), SV_INVALID);
    assert_int_equal(call(SV_GROUP, self, scratch, SV_GROUP_MAX + 1), SV_INVALID);
    assert_int_equal(call(SV_GROUP, self, 16, 2), SV_FAULT);
    ok(SV_REVOKE, console, 0);
    assert_int_equal(call(SV_MEMBER, g, 0), SV_GONE);
    ok(SV_DROP, g, 0);
    fake_check();
    assert_int_equal(frames_free(), before);
}

static void test_run_that_is_limited(void **state)
{
    (void)state;
    struct sv_handle g = group_of(console, frames), other = group_of(archive, frames);

    assert_true(fake_store(scratch, &g, sizeof(g)));
    ok(SV_THEN, self, CODE, 0, 0, 0, 0, scratch);
    next_run();
    fake_check();
    ok(SV_WHAT, console, 0);
    ok(SV_WHAT, self, 0);
    assert_int_equal(call(SV_WHAT, archive, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_WHAT, system_handle, 0), SV_BAD_HANDLE);
    assert_int_equal(call(SV_MEMBER, other, 0), SV_BAD_HANDLE);
    struct sv_handle mine = channel(1); // what it makes is its own
    ok(SV_WHAT, mine, 0);
    assert_true(fake_store(scratch, &other, sizeof(other)));
    assert_int_equal(call(SV_THEN, self, CODE, 0, 0, 0, 0, scratch), SV_BAD_HANDLE);
    ok(SV_THEN, self, CODE, 1, 0); // and so are runs that come of it
    next_run();
    ok(SV_WHAT, mine, 0);
    assert_int_equal(call(SV_WHAT, archive, 0), SV_BAD_HANDLE);
    ok(SV_DROP, console, 0); // takes it out of the group, too
    fake_check();
    assert_int_equal(call(SV_WHAT, console, 0), SV_BAD_HANDLE);
}

static void test_budgets(void **state)
{
    (void)state;
    uint64_t before = funds_left(fake_task()->funds);

    ok(SV_SPLIT, frames, 10);
    struct sv_handle part = fake_handle;
    assert_int_equal(funds_left(fake_task()->funds), before - 10);
    ok(SV_WHAT, part, 0);
    assert_int_equal(fake_value[3], 9); // it takes one itself
    assert_int_equal(fake_value[4], 10);
    assert_int_equal(call(SV_SPLIT, part, 10), SV_NO_MEMORY);
    assert_int_equal(call(SV_SPLIT, frames, 0), SV_INVALID);
    assert_int_equal(call(SV_SPLIT, frames, ~(sv_word)0), SV_NO_MEMORY);
    ok(SV_ALLOCATE, part, 4 * FRAME_SIZE, RW, 0);
    struct sv_handle memory = fake_handle;
    ok(SV_WHAT, part, 0);
    assert_int_equal(fake_value[3], 4);
    assert_int_equal(call(SV_ALLOCATE, part, 4 * FRAME_SIZE, RW, 0), SV_NO_MEMORY);
    ok(SV_DROP, part, 0); // the region keeps it
    fake_check();
    assert_int_equal(funds_left(fake_task()->funds), before - 10);
    ok(SV_DROP, memory, 0);
    assert_int_equal(funds_left(fake_task()->funds), before);
}

static void test_random(void **state)
{
    (void)state;
    unsigned char a[64], b[64];

    ok(SV_RANDOM, self, scratch, 64);
    assert_true(fake_load(scratch, a, 64));
    ok(SV_RANDOM, self, scratch, 64);
    assert_true(fake_load(scratch, b, 64));
    assert_memory_not_equal(a, b, 64);
    assert_int_equal(call(SV_RANDOM, self, scratch, 65), SV_INVALID);
    assert_int_equal(call(SV_RANDOM, self, ~(uintptr_t)15, 64), SV_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_copy_narrows),
        test(test_handles_are_different),
        test(test_forged_handles),
        test(test_others_handles),
        test(test_revoke_reaches_everything),
        test(test_revoke_in_another_task),
        test(test_as_many_as_there_may_be),
        test(test_drop),
        test(test_group),
        test(test_run_that_is_limited),
        test(test_budgets),
        test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
