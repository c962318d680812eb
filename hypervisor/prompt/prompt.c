// The prompt's entity and stream.
#include "prompt.h"

#include <stdatomic.h>

#include "ask.h"
#include "command.h"
#include "console.h"
#include "prompt_entity.h"
#include "session.h"

#define RING 4096u

static struct entity entity;
static struct stream stream;
static uint8_t ring[RING];
static _Atomic bool woken;
static uint32_t ticks_per_ms;

void prompt_init(struct hart *home)
{
    stream_init(&stream, "the prompt", ring, RING);
    entity_init(&entity, ENTITY_PROMPT, home);
    console_prompt_set(&stream);
    sched_start(&entity); // from PARKED; its first step finds nothing to do, and waits
}

void prompt_wake(void)
{
    atomic_store(&woken, true);
    sched_wake(&entity);
}

bool prompt_is_woken(struct entity *e)
{
    (void)e;
    return atomic_load(&woken);
}

int prompt_key(void)
{
    return stream_read(&stream);
}

uint64_t prompt_time(unsigned milliseconds)
{
    if (!ticks_per_ms)
        ticks_per_ms = ask_timebase_hz() / 1000;
    return hart_time() + (uint64_t)milliseconds * ticks_per_ms;
}

size_t out_write(const char *bytes, size_t count)
{
    return stream_write(&stream, (const uint8_t *)bytes, count);
}

bool out_is_shown(void)
{
    return !stream_watched(&stream) || stream.head == stream.shown;
}

static enum put step(uint64_t *deadline)
{
    if (!out_flush()) // an event follows when there is room
        return PUT_WAITING;
    enum next next = command_step(deadline);
    if (!out_flush())
        return PUT_WAITING;
    return next == NEXT_MORE ? PUT_READY : PUT_WAITING;
}

enum put prompt_step(uint64_t *deadline)
{
    atomic_store(&woken, false);
    *deadline = TIME_NEVER;
    lock_acquire(&session_lock); // a guest's step is as short
    session = &session_terminal;
    enum put put = step(deadline);
    lock_release(&session_lock);
    return put;
}
