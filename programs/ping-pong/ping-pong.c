// Two tasks send a message back and forth: in registers, and with a region that moves along. Prints how long a round
// trip takes. Under QEMU's -icount shift=0 a nanosecond is an instruction.
//
// The image that we were started from is granted to us, so we start ourselves a second time, as the partner.
#include <stdio.h>
#include <string.h>

#include "sv.h"

#define PARTNER_FRAMES 600 // its image and stack; and the tables that map the region

static struct sv_handle out, in;
static unsigned rounds, left;
static size_t region_size;
static uint64_t begun;
static struct sv_handle partner;

static void experiment_begin(void);

// ---- The partner: sends back what comes ----

static void reply(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                  sv_word handle_count, const struct sv_handle *handles)
{
    (void)argument;
    if (event != SV_EVENT_MESSAGE)
        return;
    if (!handle_count) {
        sv_send_last(out, word0, word1, word2, word3);
        return;
    }
    const sv_word words[SV_MESSAGE_WORDS] = {word0, word1, word2, word3};
    struct sv_transfer transfer = sv_move(handles[0]);
    *(volatile unsigned *)word0 += 1; // it is in our memory now
    sv_send_with(out, words, &transfer, 1 | SV_LAST);
}

// ---- The one who counts ----

static void result_print(uint64_t ticks)
{
    uint64_t ns = ticks * 1000000000 / sv_started->ticks_per_second / rounds;
    if (region_size)
        printf("ping-pong: region of %zu KiB: %llu ns for a round trip, of %u\n", region_size / 1024,
               (unsigned long long)ns, rounds);
    else
        printf("ping-pong: registers: %llu ns for a round trip, of %u\n", (unsigned long long)ns, rounds);
}

static void give_up(const char *what, enum sv_status status)
{
    printf("ping-pong: %s: %s\n", what, sv_status_text(status));
    sv_exit(1);
}

// Every answer, of each experiment.
static void answered(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                     sv_word handle_count, const struct sv_handle *handles)
{
    struct sv_transfer transfer;
    const sv_word words[SV_MESSAGE_WORDS] = {word0, word1, word2, word3};

    (void)argument;
    if (event != SV_EVENT_MESSAGE)
        give_up("no answer", SV_GONE);
    if (--left) {
        if (handle_count)
            transfer = sv_move(handles[0]);
        sv_send_with(out, words, &transfer, (unsigned)handle_count | SV_LAST);
        return;
    }
    result_print(sv_time() - begun);
    if (handle_count)
        sv_drop(handles[0]);
    experiment_begin();
}

static void ball_throw(void)
{
    sv_word words[SV_MESSAGE_WORDS] = {0};
    struct sv_transfer ball;
    struct sv_handle region;
    void *address;

    if (region_size) {
        enum sv_status status =
            sv_allocate(sv_frames, region_size, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_POPULATED, &address, &region);
        if (status != SV_OK)
            give_up("no region", status);
        ball = sv_move(region);
        words[0] = (sv_word)address;
    }
    begun = sv_time();
    enum sv_status status = sv_send_with(out, words, &ball, region_size != 0);
    if (status != SV_OK)
        give_up("not sent", status);
}

static void experiment_begin(void)
{
    static unsigned number;
    static const struct {
        unsigned rounds;
        size_t region_size;
    } experiments[] = {{2000, 0}, {500, 4096}, {50, 1 << 20}};

    if (number == sizeof(experiments) / sizeof(*experiments)) {
        printf("ping-pong: done\n");
        sv_end(partner, 0);
        sv_exit(0);
    }
    rounds = left = experiments[number].rounds;
    region_size = experiments[number++].region_size;
    ball_throw();
}

static void partner_start(void)
{
    static struct sv_grant grants[SV_GRANTS_MAX];
    struct sv_start start;

    sv_start_prepare(&start, PARTNER_FRAMES, "partner");
    sv_start_grant(&start, grants, "in", sv_share(out, SV_RIGHT_RECEIVE));
    sv_start_grant(&start, grants, "out", sv_share(in, SV_RIGHT_SEND));
    enum sv_status status = sv_start(sv_granted("image"), &start, &partner, NULL);
    if (status != SV_OK)
        give_up("no partner", status);
}

void program(void)
{
    if (!strcmp(sv_started->arguments, "partner")) {
        in = sv_granted("in");
        out = sv_granted("out");
        sv_then_always(in, reply, 0);
        return;
    }
    enum sv_status status = sv_channel(sv_frames, 1, &out);
    if (status == SV_OK)
        status = sv_channel(sv_frames, 1, &in);
    if (status != SV_OK)
        give_up("no channel", status);
    partner_start();
    sv_then_always(in, answered, 0);
    experiment_begin();
}
