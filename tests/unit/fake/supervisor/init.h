// Tests that are the first program: a booted kernel, and what "init" was given.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "channel.h"
#include "fake.h"
#include "funds.h"
#include "hart.h"
#include "region.h"

#define CODE 0x4000
#define RW (SV_RIGHT_READ | SV_RIGHT_WRITE)
static struct sv_handle self, frames, archive, console, system_handle;
static uintptr_t scratch; // memory for what calls read

static inline int setup(void **state)
{
    (void)state;
    fake_boot(2, NULL, 0);
    assert_non_null(fake_next());
    scratch = fake_task()->stack_low;
    assert_true(fake_store(scratch, "", 1)); // it is there from now on
    self = fake_start_handle("task");
    frames = fake_start_handle("frames");
    archive = fake_start_handle("archive");
    console = fake_start_handle("console");
    system_handle = fake_start_handle("system");
    fake_check();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    fake_check();
    fake_end();
    return 0;
}

#define ok(...) assert_int_equal(call(__VA_ARGS__), SV_OK)
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

// The run ends, and the next begins.
static inline void next_run(void)
{
    call(SV_FINISH, self, 0);
}

static inline struct sv_handle channel(unsigned depth)
{
    ok(SV_CHANNEL, frames, depth);
    return fake_handle;
}

static inline struct sv_handle region(size_t size, unsigned access, unsigned flags)
{
    ok(SV_ALLOCATE, frames, size, access, flags);
    return fake_handle;
}

static inline struct sv_handle copy(struct sv_handle h, unsigned rights)
{
    ok(SV_COPY, h, rights);
    return fake_handle;
}

// One capability goes along.
static inline sv_word send(struct sv_handle to, struct sv_handle what, unsigned rights, bool move)
{
    struct sv_transfer t = {what, rights, move};

    assert_true(fake_store(scratch, &t, sizeof(t)));
    return call(SV_SEND, to, 1, 2, 3, 4, scratch, 1);
}

// The handles that came with the message that this run is about.
static inline struct sv_handle received(unsigned n)
{
    struct sv_handle h;

    assert_int_equal(fake_task()->frame.event, SV_EVENT_MESSAGE);
    assert_true(n < fake_task()->frame.handle_count);
    assert_true(fake_load(fake_task()->frame.handles + n * sizeof(h), &h, sizeof(h)));
    return h;
}

static inline struct sv_handle image(const char *name)
{
    assert_true(fake_store(scratch, name, strlen(name)));
    ok(SV_OPEN, archive, scratch, strlen(name));
    return fake_handle;
}

// Starts a program with one capability, "it", if 'grant' isn't 0.
static inline sv_word start(struct sv_handle program, uint32_t frame_count, struct sv_handle grant, bool move)
{
    struct sv_grant g = {"it", {grant, SV_RIGHTS_ALL, move}};
    struct sv_start s = {.frames = frames, .frame_count = frame_count, .grants = scratch + 512, .arguments = "one two"};

    if (!move && grant.word[0]) {
        assert_int_equal(call(SV_WHAT, grant, 0), SV_OK);
        g.transfer.rights = (uint32_t)fake_value[2];
    }
    s.grant_count = (grant.word[0] | grant.word[1]) != 0;
    assert_true(fake_store(scratch, &s, sizeof(s)));
    assert_true(fake_store(scratch + 512, &g, sizeof(g)));
    return call(SV_START, program, scratch);
}
