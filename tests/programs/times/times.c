// Times that are past, and the end of time; an end that has been; what nobody will send any more.
#include "../check.h"

static struct sv_happening happening;

static bool comes(uint64_t ticks)
{
    const struct sv_source source = {.handle = sv_clock, .ticks = ticks};
    return sv_wait_any(&source, 1, &happening) == SV_OK && happening.event == SV_EVENT_TIME;
}

static void past(void)
{
    check(comes(0), "time 0");
    check(comes(1), "time 1");
    check(comes(sv_time()), "now");
    uint64_t begun = sv_time();
    check(sv_sleep(20) == SV_OK && sv_time() - begun >= sv_ticks(20), "20 ms take so long");
}

// The one at the end of time must not come, and not be in the way of others.
static void far(void)
{
    const struct sv_source sources[] = {{.handle = sv_clock, .ticks = UINT64_MAX},
                                        {.handle = sv_clock, .ticks = (uint64_t)1 << 63},
                                        {.handle = sv_clock, .ticks = sv_time() + sv_ticks(10)}};
    check(sv_wait_any(sources, 3, &happening) == SV_OK && happening.source == 2, "the nearest of three");
}

static void many(void)
{
    struct sv_source sources[SV_SOURCES_MAX];
    for (unsigned i = 0; i < SV_SOURCES_MAX; i++)
        sources[i] = (struct sv_source){.handle = sv_clock, .ticks = sv_time() + sv_ticks(50 - 5 * i)};
    check(sv_wait_any(sources, SV_SOURCES_MAX, &happening) == SV_OK && happening.source == SV_SOURCES_MAX - 1,
          "the first of many");
}

static void nobody(void)
{
    struct sv_handle channel = channel_make(1), receiver;
    check_status(sv_copy(channel, SV_RIGHT_SEND, &receiver), SV_OK, "a copy");
    sv_drop(channel);
    struct sv_what what;
    check_status(sv_what(receiver, &what), SV_BAD_HANDLE, "it went with what it was copied from");
}

int main(void)
{
    past();
    far();
    many();
    nobody();
    return check_result();
}
