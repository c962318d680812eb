// What the test programs share: each says of everything it tries whether it went as it must.
#pragma once

#include <stdio.h>

#include "sv.h"

static unsigned passed, failed;

static inline void check(bool good, const char *what)
{
    passed += good;
    failed += !good;
    if (!good)
        printf("FAIL %s\n", what);
}

static inline void check_status(enum sv_status got, enum sv_status wanted, const char *what)
{
    check(got == wanted, what);
    if (got != wanted)
        printf("     %s, not: %s\n", sv_status_text(got), sv_status_text(wanted));
}

// What the program's end is: its status.
static inline int check_result(void)
{
    printf("RESULT %s: %u passed, %u failed\n", sv_started->program, passed, failed);
    return failed != 0;
}

static inline size_t frames_left(void)
{
    struct sv_what what;
    sv_what(sv_frames, &what);
    return what.value[0];
}

// What was given up comes back piece by piece, soon. In flows only.
static inline void check_frames(size_t wanted, const char *what)
{
    for (unsigned i = 0; i < 200 && frames_left() != wanted; i++)
        sv_sleep(10);
    check(frames_left() == wanted, what);
    if (frames_left() != wanted)
        printf("     %lu frames, not %lu\n", (unsigned long)frames_left(), (unsigned long)wanted);
}

static inline void *region_make(size_t size, struct sv_handle *region)
{
    void *address;
    enum sv_status status = sv_allocate(sv_frames, size, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_LAZY, &address, region);
    check_status(status, SV_OK, "a region");
    return address;
}

static inline struct sv_handle channel_make(unsigned depth)
{
    struct sv_handle channel;
    check_status(sv_channel(sv_frames, depth, &channel), SV_OK, "a channel");
    return channel;
}
