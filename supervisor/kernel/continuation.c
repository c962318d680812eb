// Continuations: what a task waits for, and the runs that come of it.
//
// Each lies in its task, so there are at most SV_CONTINUATIONS_MAX of them. One that waits is in the list of what it
// waits for, or in a hart's heap of clocks; one that has fired is in its task's list of what is to run.
#include <string.h>

#include "arch.h"
#include "call.h"
#include "channel.h"
#include "devices.h"
#include "hart.h"
#include "task.h"
#include "user.h"

#define PLACE_BITS 6
_Static_assert(SV_CONTINUATIONS_MAX <= 1 << PLACE_BITS, "a place's number fits in its bits");

void continuations_init(struct task *t)
{
    list_init(&t->fired);
    list_init(&t->free);
    for (unsigned i = 0; i < SV_CONTINUATIONS_MAX; i++) {
        t->continuation[i].task = t;
        list_add_tail(&t->free, &t->continuation[i].link);
    }
}

struct continuation *continuation_take(struct task *t, uintptr_t code, sv_word argument, struct group *limit)
{
    if (list_empty(&t->free))
        return NULL;
    struct continuation *c = container_of(t->free.next, struct continuation, link);
    list_unlink(&c->link);
    c->state = CONTINUATION_RUNNING; // in no list
    c->flags = 0;
    c->by = NULL;
    c->code = code;
    c->argument = argument;
    memset(c->words, 0, sizeof(c->words));
    c->limit = limit;
    if (limit)
        object_hold(&limit->object);
    t->pending++;
    return c;
}

static inline void continuation_free(struct continuation *c)
{
    struct task *t = c->task;

    if (t->on_error == c)
        t->on_error = NULL;
    else
        t->pending--;
    if (c->by)
        c->by->waiters--;
    if (c->limit)
        object_release(&c->limit->object);
    c->state = CONTINUATION_FREE;
    c->generation++;
    list_add_tail(&t->free, &c->link);
}

// Out of where it waits, or waits to run.
static void continuation_detach(struct continuation *c)
{
    bool has_message = c->state == CONTINUATION_FIRED && c->event == SV_EVENT_MESSAGE;

    if (c->state == CONTINUATION_WAITING && c->by && c->by->object->type == SV_TYPE_CLOCK)
        heap_remove(&harts[c->hart].clocks, &c->clock);
    else if (c->state != CONTINUATION_RUNNING)
        list_unlink(&c->link);
    c->state = CONTINUATION_RUNNING;
    if (has_message)
        channel_unfire(c->by->object);
}

void continuation_fire(struct continuation *c, enum sv_event event)
{
    struct task *t = c->task;

    if (c->state == CONTINUATION_WAITING)
        list_unlink(&c->link);
    c->state = CONTINUATION_FIRED;
    c->event = (uint8_t)event;
    list_add_tail(&t->fired, &c->link);
    task_wake(t);
}

void continuation_gone(struct continuation *c)
{
    c->flags = 0; // again would be forever
    continuation_fire(c, SV_EVENT_GONE);
}

void continuations_fire(struct list *waiters, enum sv_event event, const sv_word *words)
{
    while (!list_empty(waiters)) {
        struct continuation *c = container_of(waiters->next, struct continuation, link);
        if (words)
            memcpy(c->words, words, sizeof(c->words));
        if (event == SV_EVENT_GONE)
            continuation_gone(c);
        else
            continuation_fire(c, event);
    }
}

static void clock_wait(struct continuation *c)
{
    struct hart *h = this_hart();

    if (c->clock.key <= arch_time()) {
        continuation_fire(c, SV_EVENT_TIME);
        return;
    }
    c->hart = (uint8_t)(h - harts);
    heap_insert(&h->clocks, &c->clock);
    hart_alarm_by(c->clock.key);
}

static void end_wait(struct continuation *c, struct task *watched)
{
    list_add_tail(&watched->object.waiters, &c->link);
    if (watched->is_ending && !watched->funds) {
        memcpy(c->words, watched->end.words, sizeof(c->words));
        continuation_fire(c, SV_EVENT_END);
    }
}

static __attribute__((noinline)) void other_wait(struct continuation *c, struct object *source)
{
    list_init(&c->link);
    switch (source->type) {
    case SV_TYPE_CLOCK:
        clock_wait(c);
        break;
    case SV_TYPE_TASK:
        end_wait(c, task_of(source));
        break;
    default:
        device_wait(source, c);
    }
}

// Mostly one is there that waits, and no message.
static inline void channel_listen(struct channel *ch, struct continuation *c)
{
    c->state = CONTINUATION_WAITING;
    list_add_tail(&ch->object.waiters, &c->link);
    if (unlikely(ch->waiting || !ch->senders))
        channel_update(ch);
}

void continuation_wait(struct continuation *c)
{
    struct object *source = c->by->object;
    struct channel *ch = container_of(source, struct channel, object);

    c->state = CONTINUATION_WAITING;
    if (source->type != SV_TYPE_CHANNEL) {
        other_wait(c, source);
    } else if (!(c->flags & SV_ROOM)) {
        channel_listen(ch, c);
    } else {
        list_add_tail(&ch->room, &c->link);
        channel_update(ch);
    }
}

// --- runs -------------------------------------------------------------------------------------------

// What these events have to say, as late as can be.
static __attribute__((noinline)) void event_words(struct continuation *c)
{
    uint64_t now = arch_time();

    if (c->event == SV_EVENT_TIME) {
        c->words[0] = (sv_word)now;
        c->words[1] = high_word(now);
    }
    if (c->event == SV_EVENT_INPUT)
        c->words[0] = console_waiting();
}

static __attribute__((noinline)) void limit_begin(struct task *t)
{
    object_hold(&t->limit->object);
    t->fast_calls = 0;
}

static __attribute__((noinline)) void limit_end(struct task *t)
{
    object_release(&t->limit->object);
    t->limit = NULL;
    t->fast_calls = SV_CALLS;
}

void run_enter(struct task *t, struct continuation *c, const sv_word *words, unsigned count)
{
    uintptr_t stack = t->stack_high - count * sizeof(struct sv_handle);

    t->runs++;
    t->run_ticks = 0;
    t->limit = c->limit;
    if (unlikely(t->limit))
        limit_begin(t);
    frame_enter(&t->frame, t->entry, c->code, c->argument, (enum sv_event)c->event, words, count, stack);
    c->state = CONTINUATION_RUNNING;
    t->running = c;
    if (!(c->flags & SV_AGAIN)) {
        t->running = NULL;
        continuation_free(c);
    }
}

void run_begin(struct task *t)
{
    struct continuation *c = container_of(t->fired.next, struct continuation, link);
    const sv_word *words = c->words;
    unsigned count = 0;

    list_unlink(&c->link);
    t->limit = c->limit; // what it receives is within it
    if (c->event == SV_EVENT_MESSAGE)
        words = channel_receive(c->by->object, t, &count);
    else if (c->event == SV_EVENT_TIME || c->event == SV_EVENT_INPUT)
        event_words(c);
    run_enter(t, c, words, count);
}

// Again: for what it waits by, if that is still there; else it hears so, once.
static __attribute__((noinline)) void continuation_rearm(struct continuation *c)
{
    if (!(c->flags & SV_AGAIN))
        continuation_free(c);
    else if (c->by)
        continuation_wait(c);
    else
        continuation_gone(c);
}

static inline bool run_over(struct task *t)
{
    struct continuation *c = t->running;

    if (unlikely(t->limit))
        limit_end(t);
    if (!c)
        return t->pending;
    t->running = NULL;
    if (likely(c->flags == SV_AGAIN && c->by && c->by->object->type == SV_TYPE_CHANNEL))
        channel_listen(container_of(c->by->object, struct channel, object), c);
    else
        continuation_rearm(c);
    return t->pending;
}

bool run_end(struct task *t)
{
    return run_over(t);
}

void continuations_clear(struct task *t)
{
    if (t->limit)
        limit_end(t);
    t->running = NULL;
    for (unsigned i = 0; i < SV_CONTINUATIONS_MAX; i++) {
        struct continuation *c = &t->continuation[i];
        if (c->state == CONTINUATION_FREE)
            continue;
        continuation_detach(c);
        continuation_free(c);
    }
}

void continuations_lose(struct task *t, const struct capability *by)
{
    for (unsigned i = 0; i < SV_CONTINUATIONS_MAX; i++) {
        struct continuation *c = &t->continuation[i];
        if (c->state == CONTINUATION_FREE || c->by != by)
            continue;
        bool is_moot =
            c->state == CONTINUATION_WAITING || (c->state == CONTINUATION_FIRED && c->event == SV_EVENT_MESSAGE);
        if (is_moot)
            continuation_detach(c);
        c->by->waiters--;
        c->by = NULL;
        if (is_moot)
            continuation_gone(c);
    }
}

// --- calls ------------------------------------------------------------------------------------------

// What may be waited for, and how: the right that it takes, and flags.
static enum sv_status source_check(const struct task *t, const struct capability *by, sv_word flags)
{
    static const struct {
        uint16_t right, flags;
    } source[SV_TYPES] = {
        [SV_TYPE_TASK] = {SV_RIGHT_WATCH, 0},
        [SV_TYPE_CLOCK] = {SV_RIGHT_WAIT, 0},
        [SV_TYPE_CHANNEL] = {SV_RIGHT_RECEIVE, SV_AGAIN | SV_ROOM},
        [SV_TYPE_CONSOLE] = {SV_RIGHT_READ, SV_AGAIN},
        [SV_TYPE_INTERRUPT] = {SV_RIGHT_WAIT, SV_AGAIN},
    };
    unsigned right = source[by->object->type].right, allowed = source[by->object->type].flags;

    if (!right)
        return SV_BAD_TYPE;
    if (by->object == &t->object) {
        right = 0;
        allowed = SV_ON_ERROR;
    }
    if (flags & ~(sv_word)allowed)
        return SV_INVALID;
    if (flags & SV_ROOM)
        right = SV_RIGHT_SEND;
    return (by->rights & right) == right ? SV_OK : SV_DENIED;
}

static enum sv_status group_find(struct task *t, sv_word address, struct group **out)
{
    struct sv_handle handle;

    *out = t->limit;
    if (!address)
        return SV_OK;
    if (!user_read(t, &handle, address, sizeof(handle)))
        return SV_FAULT;
    const struct capability *c = capability_find(t, handle);
    if (!c)
        return SV_BAD_HANDLE;
    if (c->object->type != SV_TYPE_GROUP)
        return SV_BAD_TYPE;
    *out = container_of(c->object, struct group, object);
    return SV_OK;
}

static void own_wait(struct task *t, struct continuation *c, bool on_error)
{
    if (!on_error) {
        continuation_fire(c, SV_EVENT_NOW);
        return;
    }
    if (t->on_error)
        continuation_free(t->on_error);
    t->pending--;
    t->on_error = c;
    c->state = CONTINUATION_WAITING;
    list_init(&c->link);
}

enum sv_status call_then(struct task *t, struct capability *by)
{
    const struct frame *f = &t->frame;
    sv_word flags = frame_argument(f, 2);
    struct group *limit;

    enum sv_status status = source_check(t, by, flags);
    if (status == SV_OK)
        status = group_find(t, frame_argument(f, 5), &limit);
    if (status != SV_OK)
        return status;
    struct continuation *c = continuation_take(t, frame_argument(f, 0), frame_argument(f, 1), limit);
    if (!c)
        return SV_LIMIT;
    frame_value(&t->frame, 1, (sv_word)c->generation << PLACE_BITS | (sv_word)(c - t->continuation));
    if (by->object == &t->object) {
        own_wait(t, c, flags & SV_ON_ERROR);
        return SV_OK;
    }
    c->by = by;
    c->flags = (uint8_t)flags;
    by->waiters++;
    c->clock.key = frame_argument(f, 3);
    if (sizeof(sv_word) < 8)
        c->clock.key |= (uint64_t)frame_argument(f, 4) << 32;
    continuation_wait(c);
    return SV_OK;
}

enum sv_status call_cancel(struct task *t, struct capability *own)
{
    sv_word number = frame_argument(&t->frame, 0);
    struct continuation *c = &t->continuation[number % SV_CONTINUATIONS_MAX];

    (void)own;
    if (c->state == CONTINUATION_FREE || (sv_word)c->generation << PLACE_BITS != (number & ~(sv_word)63))
        return SV_NOT_FOUND;
    if (c == t->running) {
        c->flags = 0; // its run goes on, and is the last
        return SV_OK;
    }
    continuation_detach(c);
    continuation_free(c);
    return SV_OK;
}

enum sv_status run_finish(struct task *t)
{
    bool goes_on = run_over(t);

    hart_end_run();
    if (unlikely(!goes_on))
        task_end(t, (struct task_end){{SV_END_STATUS}});
    return CALL_NO_ANSWER;
}

enum sv_status run_hand_over(struct task *t, struct continuation *c)
{
    bool goes_on;

    list_unlink(&c->link);
    c->event = SV_EVENT_MESSAGE;
    goes_on = run_over(t);
    hart_switch(c->task);
    run_enter(c->task, c, frame_arguments(&t->frame), 0);
    if (unlikely(!goes_on))
        task_end(t, (struct task_end){{SV_END_STATUS}});
    return CALL_NO_ANSWER;
}

enum sv_status call_finish(struct task *t, struct capability *own)
{
    (void)own;
    return run_finish(t);
}
