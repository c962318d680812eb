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

#if __riscv_xlen == 64
#define LOAD_SELF "ld a2, 0(s1); ld a3, 8(s1);"
#else
#define LOAD_SELF "lw a2, 0(s1); lw a3, 4(s1); lw a4, 8(s1); lw a5, 12(s1);"
#endif

// What a call has no answer in comes back with nothing of the kernel's; and tp, which the kernel uses itself, as it
// was.
static void registers(sv_word call, const char *what)
{
    register const struct sv_handle *self __asm__("s1") = &sv_self;
    register sv_word number __asm__("a1") = call;
    sv_word left, tp;

    __asm__ volatile("li tp, 1234;" LOAD_SELF "ecall;"
                     "or t0, t0, ra; or t0, t0, t1; or t0, t0, t2; or t0, t0, a1; or t0, t0, a6; or t0, t0, a7;"
                     "mv %1, tp; li tp, 0; mv %0, t0"
                     : "=r"(left), "=&r"(tp), "+r"(number)
                     : "r"(self)
                     : "memory", "ra", "a0", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t1", "t2", "t3", "t4", "t5",
                       "t6");
    check(!left && tp == 1234, what);
}

int main(void)
{
    size_t before = frames_left();
    registers(SV_WHAT, "registers after a call");
    registers(SV_FINISH + 1000, "registers after one that there is not");
    forged();
    stale();
    rights();
    types();
    check_frames(before, "the budget is whole again");
    return check_result();
}
