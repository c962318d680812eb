// Handles that name nothing, something else, or something that is no more; rights that are not there.
#include <string.h>

#include "../check.h"

static void forged(void)
{
    struct sv_what what;
    struct sv_handle handle = SV_NONE;
    check_status(sv_what(handle, &what), SV_BAD_HANDLE, "no handle");
    memset(&handle, 0xff, sizeof(handle));
    check_status(sv_what(handle, &what), SV_BAD_HANDLE, "all ones");
    for (unsigned i = 0; i < 1000; i++) {
        sv_random(&handle, sizeof(handle));
        if (sv_what(handle, &what) != SV_BAD_HANDLE)
            check(false, "a random handle");
    }
    for (unsigned bit = 0; bit < 128; bit++) {
        handle = sv_frames;
        handle.word[bit / 32] ^= 1u << bit % 32;
        if (sv_what(handle, &what) != SV_BAD_HANDLE)
            check(false, "a handle with one bit wrong");
    }
    check_status(sv_send(handle, 0, 0, 0, 0), SV_BAD_HANDLE, "a send to nothing");
}

static void stale(void)
{
    struct sv_handle channel = channel_make(1), copy, copy_of_copy;
    struct sv_what what;
    check_status(sv_copy(channel, SV_RIGHT_SEND | SV_RIGHT_COPY, &copy), SV_OK, "a copy");
    check_status(sv_copy(copy, SV_RIGHT_SEND, &copy_of_copy), SV_OK, "a copy of a copy");
    check_status(sv_revoke(channel), SV_OK, "revoke");
    check_status(sv_what(copy, &what), SV_BAD_HANDLE, "a revoked copy");
    check_status(sv_what(copy_of_copy, &what), SV_BAD_HANDLE, "a copy of a revoked copy");
    check_status(sv_what(channel, &what), SV_OK, "what was copied");
    check_status(sv_drop(channel), SV_OK, "drop");
    check_status(sv_what(channel, &what), SV_BAD_HANDLE, "a dropped handle");
    check_status(sv_drop(channel), SV_BAD_HANDLE, "a second drop");
}

static void rights(void)
{
    struct sv_handle channel = channel_make(1), copy, wider;
    struct sv_what what;
    check_status(sv_copy(channel, SV_RIGHT_SEND, &copy), SV_OK, "a copy that may send");
    check(sv_what(copy, &what) == SV_OK && what.rights == SV_RIGHT_SEND, "its rights");
    check_status(sv_then(copy, NULL, 0), SV_DENIED, "receive without the right");
    check(sv_copy(copy, SV_RIGHT_RECEIVE, &wider) != SV_OK, "more rights by a copy");
    check_status(sv_copy(copy, SV_RIGHT_SEND, &wider), SV_DENIED, "a copy without the right to copy");
    check_status(sv_send(copy, 1, 2, 3, 4), SV_OK, "send");
    check_status(sv_send(copy, 1, 2, 3, 4), SV_FULL, "send to a full queue");
    sv_drop(channel);
}

static void types(void)
{
    struct sv_handle channel = channel_make(1), other;
    size_t taken;
    check_status(sv_write(channel, "x", 1, &taken), SV_BAD_TYPE, "write to a channel");
    check_status(sv_send(sv_frames, 0, 0, 0, 0), SV_BAD_TYPE, "send to frames");
    check_status(sv_split(channel, 1, &other), SV_BAD_TYPE, "split a channel");
    check_status(sv_access(channel, SV_RIGHT_READ), SV_BAD_TYPE, "access to a channel");
    check_status(sv_complete(channel), SV_BAD_TYPE, "complete a channel");
    check_status(sv_power(channel, false), SV_BAD_TYPE, "power of a channel");
    check_status(sv_then(sv_frames, NULL, 0), SV_BAD_TYPE, "wait for frames");
    check_status(sv_power(sv_granted("console"), false), SV_BAD_TYPE, "power of the console");
    check(sv_end(channel, 0) != SV_OK, "end of a channel");
    sv_drop(channel);
}

int main(void)
{
    size_t before = frames_left();
    forged();
    stale();
    rights();
    types();
    check_frames(before, "the budget is whole again");
    return check_result();
}
