// Regions that are sent: twice, to oneself, while in use; what they may become.
#include <string.h>

#include "../check.h"

static struct sv_happening happening;

static enum sv_status region_send(struct sv_handle channel, struct sv_handle region)
{
    const sv_word words[SV_MESSAGE_WORDS] = {1, 2, 3, 4};
    struct sv_transfer transfer = sv_move(region);
    return sv_send_with(channel, words, &transfer, 1);
}

static void to_oneself(void)
{
    struct sv_handle channel = channel_make(2), region;
    struct sv_what what;
    char *address = region_make(8192, &region);
    strcpy(address, "kept");
    check_status(region_send(channel, region), SV_OK, "send it");
    check_status(region_send(channel, region), SV_BAD_HANDLE, "send it again");
    check_status(sv_what(region, &what), SV_BAD_HANDLE, "its old handle");
    check_status(sv_random(address, 8), SV_FAULT, "its memory while it is under way");
    check_status(sv_wait(channel, &happening), SV_OK, "wait");
    check(happening.event == SV_EVENT_MESSAGE && happening.handle_count == 1 && happening.word[3] == 4, "it comes");
    check(sv_what(happening.handle[0], &what) == SV_OK && what.value[0] == (sv_word)address && what.value[1] == 8192,
          "at the same address");
    check(!strcmp(address, "kept"), "with what was in it");
    sv_drop(happening.handle[0]);
    sv_drop(channel);
}

// One capability cannot go twice in one message; then nothing of it goes.
static void twice_at_once(void)
{
    struct sv_handle channel = channel_make(2), region;
    const sv_word words[SV_MESSAGE_WORDS] = {0};
    char *address = region_make(4096, &region);
    struct sv_transfer transfers[] = {sv_move(region), sv_move(region)};
    check(sv_send_with(channel, words, transfers, 2) != SV_OK, "twice in one message");
    address[0] = 1;
    check(address[0] == 1, "it is still here");
    transfers[1].handle = SV_NONE;
    check_status(sv_send_with(channel, words, transfers, 2), SV_BAD_HANDLE, "with one that is none");
    address[0] = 2;
    check(address[0] == 2, "it is here even so");
    sv_drop(region);
    sv_drop(channel);
}

static void full_queue(void)
{
    struct sv_handle channel = channel_make(1), region;
    char *address = region_make(4096, &region);
    check_status(sv_send(channel, 0, 0, 0, 0), SV_OK, "fill the queue");
    check_status(region_send(channel, region), SV_FULL, "no room");
    address[0] = 3;
    check(address[0] == 3, "nothing has moved");
    sv_drop(region);
    sv_drop(channel);
}

static void access(void)
{
    struct sv_handle region, read_only;
    region_make(4096, &region);
    check_status(sv_access(region, SV_RIGHT_WRITE | SV_RIGHT_EXECUTE), SV_INVALID, "writable and executable");
    check(sv_access(region, SV_RIGHTS_ALL) != SV_OK, "all rights");
    check_status(sv_copy(region, SV_RIGHT_READ, &read_only), SV_OK, "a copy that may only be read");
    check_status(sv_access(read_only, SV_RIGHT_READ | SV_RIGHT_WRITE), SV_DENIED, "writable by it");
    check(sv_allocate(sv_frames, 4096, SV_RIGHT_READ | SV_RIGHT_WRITE | SV_RIGHT_EXECUTE, 0, NULL, &read_only) != SV_OK,
          "a region for code that is written");
    check_status(sv_drop(region), SV_OK, "drop");
}

// Nobody would ever get rid of it.
static void channel_in_itself(void)
{
    struct sv_handle channel = channel_make(1);
    const sv_word words[SV_MESSAGE_WORDS] = {0};
    struct sv_transfer transfer = sv_share(channel, SV_RIGHT_RECEIVE);
    check_status(sv_send_with(channel, words, &transfer, 1), SV_INVALID, "a channel into itself");
    transfer = sv_move(channel);
    check_status(sv_send_with(channel, words, &transfer, 1), SV_INVALID, "moved into itself");
    sv_drop(channel);
}

// Two channels in each other: all is back when our handles to them are gone.
static void channels_in_each_other(void)
{
    struct sv_handle one = channel_make(1), other = channel_make(1);
    const sv_word words[SV_MESSAGE_WORDS] = {0};
    struct sv_transfer transfer = sv_share(other, SV_RIGHT_RECEIVE);
    check_status(sv_send_with(one, words, &transfer, 1), SV_OK, "a channel into another");
    transfer = sv_share(one, SV_RIGHT_RECEIVE);
    check_status(sv_send_with(other, words, &transfer, 1), SV_OK, "and the other way");
    sv_drop(one);
    sv_drop(other);
}

int main(void)
{
    size_t before = frames_left();
    to_oneself();
    twice_at_once();
    full_queue();
    access();
    channel_in_itself();
    channels_in_each_other();
    check_frames(before, "the budget is whole again");
    return check_result();
}
