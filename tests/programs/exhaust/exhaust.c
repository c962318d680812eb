// Takes all there is of everything; an error comes, never a crash, and when all is given back all is there again.
#include <string.h>

#include "../check.h"

static struct sv_handle handles[SV_CAPABILITIES_MAX];

static void drop(unsigned count)
{
    while (count--)
        sv_drop(handles[count]);
}

static void capabilities(void)
{
    struct sv_handle channel = channel_make(1), copy;
    unsigned count = 0;
    enum sv_status status;
    while (count < SV_CAPABILITIES_MAX && (status = sv_copy(channel, SV_RIGHT_SEND, &copy)) == SV_OK)
        handles[count++] = copy;
    check_status(status, SV_LIMIT, "the last capability");
    check(count > SV_CAPABILITIES_MAX / 2, "many capabilities");
    check_status(sv_channel(sv_frames, 1, &copy), SV_LIMIT, "a channel when there is no room for its capability");
    sv_drop(channel);
    check_status(sv_copy(sv_granted("console"), SV_RIGHT_WRITE, &copy), SV_OK, "one more when all are gone");
    sv_drop(copy);
}

static void never(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                  sv_word handle_count, const struct sv_handle *handles_of_message)
{
    (void)argument, (void)event, (void)word0, (void)word1, (void)word2, (void)word3, (void)handle_count,
        (void)handles_of_message;
    check(false, "what was cancelled runs");
}

static void continuations(void)
{
    struct sv_handle channel = channel_make(1);
    sv_word numbers[SV_CONTINUATIONS_MAX];
    struct sv_then then = {.code = never};
    unsigned count = 0;
    enum sv_status status = SV_OK;
    while (count < SV_CONTINUATIONS_MAX && (status = sv_then_with(channel, &then, &numbers[count])) == SV_OK)
        count++;
    if (status == SV_OK)
        status = sv_then(channel, never, 0);
    check_status(status, SV_LIMIT, "the last continuation");
    for (unsigned i = 0; i < count; i++)
        if (sv_cancel(numbers[i]) != SV_OK)
            check(false, "cancel");
    check_status(sv_cancel(numbers[0]), SV_NOT_FOUND, "cancel it again");
    sv_drop(channel);
}

static void memory(void)
{
    unsigned count = 0;
    enum sv_status status = SV_OK;
    size_t size = 1 << 20;
    while (count < SV_CAPABILITIES_MAX && size >= 4096) {
        status = sv_allocate(sv_frames, size, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_LAZY, NULL, &handles[count]);
        if (status == SV_OK)
            count++;
        else
            size /= 2;
    }
    check(status == SV_NO_MEMORY || status == SV_LIMIT, "the last frame");
    struct sv_handle other;
    check(sv_channel(sv_frames, 64, &other) != SV_OK || sv_drop(other) == SV_OK, "a channel without memory");
    drop(count);
}

static void sizes(void)
{
    struct sv_handle made;
    check_status(sv_allocate(sv_frames, 0, SV_RIGHT_READ, SV_LAZY, NULL, &made), SV_INVALID, "a region of nothing");
    check(sv_allocate(sv_frames, (size_t)-1, SV_RIGHT_READ, SV_LAZY, NULL, &made) != SV_OK, "of everything");
    check(sv_allocate(sv_frames, (size_t)-4096, SV_RIGHT_READ, SV_LAZY, NULL, &made) != SV_OK, "of nearly everything");
    check(sv_allocate(sv_frames, SV_REGION_MAX, SV_RIGHT_READ, SV_LAZY, NULL, &made) != SV_OK, "of a GiB");
    check_status(sv_channel(sv_frames, 0, &made), SV_INVALID, "a channel of no depth");
    check_status(sv_channel(sv_frames, SV_QUEUE_MAX + 1, &made), SV_INVALID, "a channel too deep");
    check(sv_split(sv_frames, (size_t)-1, &made) != SV_OK, "a budget of everything");
    check(sv_split(sv_frames, frames_left() + 1, &made) != SV_OK, "a budget larger than ours");
}

// Again and again: nothing leaks.
static void rounds(void)
{
    for (unsigned i = 0; i < 200; i++) {
        struct sv_handle channel = channel_make(8), region, part;
        char *address = region_make(65536, &region);
        address[0] = address[65535] = 1;
        check_status(sv_split(sv_frames, 10, &part), SV_OK, "a budget");
        const sv_word words[SV_MESSAGE_WORDS] = {0};
        struct sv_transfer transfers[] = {sv_move(region), sv_move(part)};
        check_status(sv_send_with(channel, words, transfers, 2), SV_OK, "into the channel");
        check_status(sv_drop(channel), SV_OK, "gone, with what is in it");
    }
}

int main(void)
{
    capabilities(); // our table has grown to its full size
    size_t before = frames_left();
    capabilities();
    check_frames(before, "frames after capabilities");
    continuations();
    check_frames(before, "frames after continuations");
    memory();
    check_frames(before, "frames after memory");
    sizes();
    rounds();
    check_frames(before, "frames after rounds");
    return check_result();
}
