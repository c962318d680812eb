// What the supervisor's system calls cost: `MEASURE name nanoseconds`, which are instructions under -icount shift=0.
// Runs as init. The image starts itself again as the partner that messages go to and come back from.
#include <stdio.h>
#include <string.h>

#include "riscv/ecall.h"
#include "sv.h"

#define FRAMES 600 // of a partner: its image and stack, and the tables that map a region
#define CALLS 1000
#define RUNS 60 // continuations, no more than SV_CONTINUATIONS_MAX with what else waits
#define COPIES 200
#define STARTS 8

static struct sv_handle out, in, partner, image;
static uint64_t begun, started;
static unsigned rounds, left;
static const char *measured;

static void next(void);

static void check(const char *what, enum sv_status status)
{
    if (status == SV_OK)
        return;
    printf("MEASURE failed: %s: %s\n", what, sv_status_text(status));
    sv_power(sv_granted("system"), false);
}

static void figure(const char *name, uint64_t ticks, unsigned times)
{
    uint64_t ns = ticks * (1000000000 / sv_started->ticks_per_second);
    printf("MEASURE %s %llu\n", name, (unsigned long long)((ns + times / 2) / times));
}

// --- calls ------------------------------------------------------------------------------------------

static void null_call(void)
{
    enum sv_status status = SV_OK;

    begun = sv_time();
    for (unsigned i = 0; i < CALLS; i++) {
        struct sv_handle self = sv_self;
        sv_word a[6];
        status |= sv_ecall(SV_WHAT, &self, a, 0);
    }
    check("what", status);
    figure("null_call", sv_time() - begun, CALLS);
    next();
}

static void copy_and_revoke(void)
{
    struct sv_handle copy;

    begun = sv_time();
    for (unsigned i = 0; i < COPIES; i++)
        check("copy", sv_copy(in, SV_RIGHTS_ALL, &copy));
    uint64_t copied = sv_time();
    sv_revoke(in);
    uint64_t revoked = sv_time();
    figure("capability_copy", copied - begun, COPIES);
    figure("capability_revoke", revoked - copied, COPIES);
    next();
}

// --- runs -------------------------------------------------------------------------------------------

static __attribute__((noinline)) void run_is_first_or_last(bool is_first)
{
    if (is_first) {
        begun = sv_time();
        return;
    }
    figure("dispatch", sv_time() - begun, RUNS - 1);
    next();
}

// From the end of one run to the first instruction of the next, which were both ready.
static void run(sv_word number, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                sv_word handle_count, const struct sv_handle *handles)
{
    (void)event, (void)word0, (void)word1, (void)word2, (void)word3, (void)handle_count, (void)handles;
    if (!number || number == RUNS - 1)
        run_is_first_or_last(!number);
}

static void dispatch(void)
{
    for (sv_word i = 0; i < RUNS; i++)
        check("then", sv_then_now(run, i));
}

// --- messages ---------------------------------------------------------------------------------------

// What came with a capability goes back with it; memory is touched first: it is in ours now.
static __attribute__((noinline)) void pass_on(sv_word address, struct sv_handle handle)
{
    const sv_word words[SV_MESSAGE_WORDS] = {address};
    struct sv_transfer transfer = sv_move(handle);

    if (address)
        *(volatile unsigned *)address += 1;
    check("send", sv_send_with(out, words, &transfer, 1 | SV_LAST));
}

// Messages in registers have a short way of their own, without a stack.
static __attribute__((noinline)) void reply_otherwise(sv_word argument, enum sv_event event, sv_word word0,
                                                      sv_word word1, sv_word word2, sv_word word3, sv_word handle_count,
                                                      const struct sv_handle *handles)
{
    (void)argument, (void)word1, (void)word2, (void)word3, (void)handle_count;
    if (event == SV_EVENT_MESSAGE)
        pass_on(word0, handles[0]);
}

static void reply(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                  sv_word handle_count, const struct sv_handle *handles)
{
    if (event != SV_EVENT_MESSAGE || handle_count)
        reply_otherwise(argument, event, word0, word1, word2, word3, handle_count, handles);
    else
        sv_send_last(out, word0, word1, word2, word3);
}

static __attribute__((noinline)) void answered_otherwise(sv_word argument, enum sv_event event, sv_word word0,
                                                         sv_word word1, sv_word word2, sv_word word3,
                                                         sv_word handle_count, const struct sv_handle *handles)
{
    (void)argument, (void)event;
    if (left == rounds)
        begun = sv_time(); // all has been touched once
    if (left--) {
        if (handle_count)
            pass_on(word0, handles[0]);
        sv_send_last(out, word0, word1, word2, word3);
    }
    figure(measured, sv_time() - begun, handle_count ? rounds * 2 : rounds);
    if (handle_count)
        sv_drop(handles[0]);
    next();
}

static void answered(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                     sv_word handle_count, const struct sv_handle *handles)
{
    if (handle_count || left == rounds || !left) {
        answered_otherwise(argument, event, word0, word1, word2, word3, handle_count, handles);
        return;
    }
    left--;
    sv_send_last(out, word0, word1, word2, word3);
}

static void play(const char *name, unsigned times, const struct sv_handle *with, void *address)
{
    const sv_word words[SV_MESSAGE_WORDS] = {(sv_word)address};
    struct sv_transfer transfer = sv_move(with ? *with : SV_NONE);

    measured = name;
    rounds = left = times;
    check("send", sv_send_with(out, words, &transfer, with != NULL));
}

static void round_trip(void)
{
    play("round_trip", CALLS, NULL, NULL);
}

static void region(const char *name, size_t size)
{
    struct sv_handle handle;
    void *address;

    check("allocate", sv_allocate(sv_frames, size, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_POPULATED, &address, &handle));
    play(name, 100, &handle, address);
}

static void region_4k(void)
{
    region("region_4_kib_one_way", 4096);
}

static void region_1m(void)
{
    region("region_1_mib_one_way", 1 << 20);
}

static void capability(void)
{
    struct sv_handle handle;

    check("channel", sv_channel(sv_frames, 1, &handle));
    play("capability_one_way", 100, &handle, NULL);
}

// --- starting ---------------------------------------------------------------------------------------

static struct sv_handle start(const char *arguments)
{
    static struct sv_grant grants[SV_GRANTS_MAX];
    struct sv_handle task;
    struct sv_start s;

    sv_start_prepare(&s, FRAMES, arguments);
    sv_start_grant(&s, grants, "in", sv_share(out, SV_RIGHT_RECEIVE));
    sv_start_grant(&s, grants, "out", sv_share(in, SV_RIGHT_SEND));
    begun = sv_time();
    check("start", sv_start(image, &s, &task, NULL));
    return task;
}

// Each says when it began.
static void has_started(sv_word argument, enum sv_event event, sv_word low, sv_word high, sv_word word2, sv_word word3,
                        sv_word handle_count, const struct sv_handle *handles)
{
    (void)argument, (void)event, (void)word2, (void)word3, (void)handle_count, (void)handles;
    started += (sizeof(sv_word) == 8 ? low : (uint64_t)high << 32 | low) - begun;
    if (--left) {
        sv_then(in, has_started, 0);
        start("begin");
        return;
    }
    figure("task_start", started, STARTS);
    partner = start("partner");
    check("then", sv_then_always(in, answered, 0));
    next();
}

static void task_start(void)
{
    left = STARTS;
    sv_then(in, has_started, 0);
    start("begin");
}

// ----------------------------------------------------------------------------------------------------

static void next(void)
{
    static void (*const steps[])(void) = {null_call,  copy_and_revoke, dispatch,  task_start,
                                          round_trip, region_4k,       region_1m, capability};
    static unsigned step;

    if (step < sizeof(steps) / sizeof(*steps)) {
        steps[step++]();
        return;
    }
    printf("MEASURE done\n");
    sv_end(partner, 0);
    sv_power(sv_granted("system"), false);
}

static void partner_begin(uint64_t now)
{
    in = sv_granted("in");
    out = sv_granted("out");
    if (!strcmp(sv_started->arguments, "partner"))
        sv_then_always(in, reply, 0);
    else
        sv_send(out, (sv_word)now, (sv_word)(now >> 16 >> 16), 0, 0);
}

void program(void)
{
    uint64_t now = sv_time();

    if (*sv_started->arguments) {
        partner_begin(now);
        return;
    }
    check("channel", sv_channel(sv_frames, 1, &out));
    check("channel", sv_channel(sv_frames, 1, &in));
    check("open", sv_open(sv_granted("archive"), "init", &image));
    next();
}
