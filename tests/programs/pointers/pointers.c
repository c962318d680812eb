// Addresses that are not ours: null, the kernel's, nobody's, wrapping, not writable.
#include <string.h>

#include "../check.h"

static struct sv_handle channel;

static const uintptr_t bad[] = {
    0, 8, 4095, (uintptr_t)1 << (sizeof(uintptr_t) * 8 - 1), (uintptr_t)-1, (uintptr_t)-8, (uintptr_t)-4096,
};
#define BAD (sizeof(bad) / sizeof(*bad))

static void reads(uintptr_t at)
{
    struct sv_handle made;
    size_t taken;
    const sv_word words[SV_MESSAGE_WORDS] = {0};
    check_status(sv_write(sv_granted("console"), (const void *)at, 16, &taken), SV_FAULT, "write from there");
    check_status(sv_send_with(channel, words, (const struct sv_transfer *)at, 1), SV_FAULT, "transfers there");
    check_status(sv_group((const struct sv_handle *)at, 2, &made), SV_FAULT, "a group from there");
    check_status(sv_start(sv_granted("image"), (const struct sv_start *)at, &made, NULL), SV_FAULT,
                 "a start from there");
}

static void answers(uintptr_t at)
{
    check_status(sv_random((void *)at, 16), SV_FAULT, "random bytes to there");
}

static void lengths(void)
{
    static char here[64];
    size_t taken;
    const sv_word words[SV_MESSAGE_WORDS] = {0};
    check_status(sv_random(here, SV_SEED_MAX + 1), SV_INVALID, "too many random bytes");
    check_status(sv_send_with(channel, words, (const struct sv_transfer *)here, SV_MESSAGE_HANDLES + 1), SV_INVALID,
                 "too many transfers");
    check_status(sv_send_with(channel, words, (const struct sv_transfer *)here, (unsigned)-1), SV_INVALID,
                 "4294967295 transfers");
    check_status(sv_write(sv_granted("console"), (const void *)bad[0], 0, &taken), SV_OK, "a write of nothing");
}

// Of a write that is too long the kernel takes what it can have, or nothing.
static void long_write(char *last, size_t there, size_t size)
{
    size_t taken;
    enum sv_status status = sv_write(sv_granted("console"), last, size, &taken);
    check(status == SV_FAULT || (status == SV_OK && taken <= there), "a write of far too much");
}

// The last bytes of a region are ours, what follows is not.
static void edges(void)
{
    struct sv_handle region;
    void *address;
    check_status(sv_allocate(sv_frames, 4096, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_GUARDED, &address, &region), SV_OK,
                 "a guarded region");
    check_status(sv_random((char *)address + 4096 - 16, 16), SV_OK, "up to the end");
    check_status(sv_random((char *)address + 4096 - 15, 16), SV_FAULT, "past the end");
    check_status(sv_random((char *)address - 1, 16), SV_FAULT, "before the beginning");
    memset((char *)address + 4096 - 16, '.', 16);
    long_write((char *)address + 4096 - 16, 16, 17);
    long_write((char *)address + 4096 - 16, 16, (size_t)-1);
    long_write((char *)address + 4096 - 16, 16, (size_t)1 << (sizeof(size_t) * 8 - 1));
    check_status(sv_access(region, SV_RIGHT_READ), SV_OK, "read only");
    check_status(sv_random(address, 16), SV_FAULT, "to what is read only");
    check_status(sv_access(region, 0), SV_OK, "hidden");
    check_status(sv_random(address, 16), SV_FAULT, "to what is hidden");
    check_status(sv_drop(region), SV_OK, "drop");
    check_status(sv_random(address, 16), SV_FAULT, "to what was dropped");
}

int main(void)
{
    channel = channel_make(4);
    for (unsigned i = 0; i < BAD; i++) {
        reads(bad[i]);
        answers(bad[i]);
    }
    answers((uintptr_t)main);       // code
    answers((uintptr_t)sv_started); // the kernel's page
    answers((uintptr_t) "constant");
    lengths();
    edges();
    return check_result();
}
