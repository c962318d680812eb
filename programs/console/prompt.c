// The management prompt's stream and steps.
#include "prompt.h"

#include "console.h"
#include "line.h"
#include "out.h"
#include "service.h"

#define RING 4096u

static struct stream stream;
static uint8_t ring[RING];
static bool woken = true;
static uint64_t wake_at = UINT64_MAX;

void service_prompt_init(void)
{
    stream_init(&stream, "the prompt", ring, RING);
    console_prompt_set(&stream);
}

void service_prompt_wake(void)
{
    woken = true;
}

int line_key(void)
{
    return stream_read(&stream);
}

uint64_t prompt_time(unsigned milliseconds)
{
    return sv_time() + sv_ticks(milliseconds);
}

size_t out_write(const char *bytes, size_t count)
{
    return stream_write(&stream, (const uint8_t *)bytes, count);
}

bool line_is_shown(void)
{
    return !stream_watched(&stream) || stream.head == stream.shown;
}

bool service_prompt_step(uint64_t *deadline)
{
    bool due = woken || wake_at <= sv_time();

    if (due) {
        woken = false;
        wake_at = UINT64_MAX;
        if (out_flush()) { // else an event follows when there is room
            bool more = line_step(&wake_at) == NEXT_MORE;
            woken |= out_flush() && more;
        }
    }
    *deadline = wake_at;
    return due;
}
