#include "channel.h"

#include <string.h>

#include "call.h"
#include "funds.h"
#include "hart.h"
#include "transfer.h"
#include "user.h"

uint32_t channel_entries_waiting;

static struct channel *channel_of(struct object *o)
{
    return container_of(o, struct channel, object);
}

__attribute__((noinline)) void channel_update(struct channel *ch)
{
    while (ch->fired < ch->waiting && !list_empty(&ch->object.waiters)) {
        ch->fired++;
        continuation_fire(container_of(ch->object.waiters.next, struct continuation, link), SV_EVENT_MESSAGE);
    }
    if (!ch->waiting && !ch->senders)
        continuations_fire(&ch->object.waiters, SV_EVENT_GONE, NULL);
    if (!ch->receivers)
        continuations_fire(&ch->room, SV_EVENT_GONE, NULL);
    else if (ch->waiting < ch->depth)
        continuations_fire(&ch->room, SV_EVENT_ROOM, NULL);
}

void channel_gained(struct capability *c)
{
    struct channel *ch = channel_of(c->object);

    ch->senders += !!(c->rights & SV_RIGHT_SEND);
    ch->receivers += !!(c->rights & SV_RIGHT_RECEIVE);
}

void channel_empty(struct channel *ch)
{
    hart_mourn(&ch->object);
}

void channel_lost(struct capability *c)
{
    struct channel *ch = channel_of(c->object);

    ch->senders -= !!(c->rights & SV_RIGHT_SEND);
    ch->receivers -= !!(c->rights & SV_RIGHT_RECEIVE);
    if (!ch->receivers && ch->waiting)
        channel_empty(ch);
    if (!ch->receivers || !ch->senders)
        channel_update(ch);
}

void channel_unfire(struct object *o)
{
    channel_of(o)->fired--;
    channel_update(channel_of(o));
}

static void message_remove(struct channel *ch, const struct message *first)
{
    if (unlikely(first->count))
        channel_entries_waiting -= first->count;
    ch->head = ch->head + 1 < ch->depth ? ch->head + 1 : 0;
    ch->waiting--;
}

static struct sv_handle entry_receive(struct task *t, struct capability *entry)
{
    struct capability *place;

    if (!entry->object) // revoked on its way
        return (struct sv_handle){{0}};
    if (table_take(t, &place) != SV_OK) {
        capability_remove(entry);
        return (struct sv_handle){{0}};
    }
    capability_move(place, &t->object, entry, SV_RIGHTS_ALL);
    return capability_handle(place);
}

static __attribute__((noinline)) void entries_receive(struct task *t, struct message *m)
{
    struct sv_handle *handles = (struct sv_handle *)(void *)(t->stack_top + FRAME_SIZE) - m->count;

    for (unsigned i = 0; i < m->count; i++)
        handles[i] = entry_receive(t, &m->entry[i]);
}

const sv_word *channel_receive(struct object *o, struct task *t, unsigned *count)
{
    struct channel *ch = channel_of(o);
    struct message *m = &ch->message[ch->head];

    ch->fired--;
    *count = m->count;
    if (unlikely(m->count))
        entries_receive(t, m);
    message_remove(ch, m);
    if (unlikely(!list_empty(&ch->room) || !ch->senders))
        channel_update(ch);
    return m->words;
}

static void entries_remove(struct message *m)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->entry[i].object)
            capability_remove(&m->entry[i]);
}

// Also for one that is not dying, but that nobody can receive from.
bool channel_destroy(struct object *o)
{
    struct channel *ch = channel_of(o);
    unsigned work = STEP_WORK / SV_MESSAGE_HANDLES;

    if (ch->waiting) {
        for (; ch->waiting && work; work--) {
            struct message *m = &ch->message[ch->head];
            entries_remove(m);
            message_remove(ch, m);
        }
        return false;
    }
    if (o->references)
        return true;
    object_end(o);
    funds_give(ch->payer, ch->order, ch);
    return true;
}

// --- calls ------------------------------------------------------------------------------------------

static struct channel *channel_create(struct funds *pays, unsigned depth)
{
    size_t size = sizeof(struct channel) + depth * sizeof(struct message);
    unsigned order = 0;

    while (FRAME_SIZE << order < size)
        order++;
    struct channel *ch = funds_take(pays, order);
    if (!ch)
        return NULL;
    object_init(&ch->object, SV_TYPE_CHANNEL);
    list_init(&ch->room);
    ch->payer = pays;
    ch->order = order;
    ch->depth = depth;
    return ch;
}

enum sv_status call_channel(struct task *t, struct capability *c)
{
    sv_word depth = frame_argument(&t->frame, 0);

    if (!depth || depth > SV_QUEUE_MAX)
        return SV_INVALID;
    struct channel *ch = channel_create(container_of(c->object, struct funds, object), (unsigned)depth);
    if (!ch)
        return SV_NO_MEMORY;
    call_give_new(t, &ch->object, SV_RIGHT_SEND | SV_RIGHT_RECEIVE | SV_RIGHT_COPY);
    return SV_OK;
}

static enum sv_status channel_check(const struct channel *ch)
{
    if (!ch->receivers)
        return SV_GONE;
    return ch->waiting < ch->depth ? SV_OK : SV_FULL;
}

static enum sv_status message_send(struct channel *ch, const struct frame *f, unsigned count)
{
    struct message *m = message_at(ch, ch->waiting);

    for (unsigned i = 0; i < SV_MESSAGE_WORDS; i++)
        m->words[i] = frame_argument(f, i);
    m->count = count;
    if (unlikely(count))
        channel_entries_waiting += count;
    ch->waiting++;
    ch->sent++;
    if (!list_empty(&ch->object.waiters)) { // one for each message, till now
        ch->fired++;
        continuation_fire(container_of(ch->object.waiters.next, struct continuation, link), SV_EVENT_MESSAGE);
    }
    return SV_OK;
}

// The channel's own capability may be gone when those to go along are ready.
static __attribute__((noinline)) enum sv_status send_along(struct task *t, struct channel *ch, struct sv_handle handle,
                                                           unsigned count)
{
    struct sv_transfer transfer[SV_MESSAGE_HANDLES];
    struct capability *c[SV_MESSAGE_HANDLES];

    if (!user_read(t, transfer, frame_argument(&t->frame, 4), count * sizeof(*transfer)))
        return SV_FAULT;
    enum sv_status status = transfers_prepare(t, transfer, count, c);
    if (status != SV_OK)
        return status;
    const struct capability *by = capability_held(t, handle);
    if (!by || by->object != &ch->object)
        return SV_BAD_HANDLE;
    status = channel_check(ch);
    if (status != SV_OK)
        return status;
    for (unsigned i = 0; i < count; i++)
        if (c[i]->object == &ch->object)
            return SV_INVALID; // nobody would ever get rid of the channel
    struct message *m = message_at(ch, ch->waiting);
    for (unsigned i = 0; i < count; i++)
        transfer_commit(&transfer[i], c[i], &m->entry[i], &ch->object);
    return message_send(ch, &t->frame, count);
}

static __attribute__((noinline)) enum sv_status send_with(struct task *t, struct channel *ch,
                                                          const struct capability *c, sv_word flags)
{
    sv_word count = flags & ~(sv_word)SV_LAST;

    if (count > SV_MESSAGE_HANDLES)
        return SV_INVALID;
    object_hold(&ch->object); // while others have the lock
    enum sv_status status = send_along(t, ch, capability_handle(c), (unsigned)count);
    object_release(&ch->object);
    // Where others had the lock, it may be doomed: it ends as it is.
    return flags & SV_LAST && status == SV_OK && !t->is_doomed ? run_finish(t) : status;
}

// Without the detour through a queue, if it would be the next to be read, and its reader the next to run.
static __attribute__((noinline)) enum sv_status send_last(struct task *t, struct channel *ch)
{
    struct continuation *c = container_of(ch->object.waiters.next, struct continuation, link);

    if (likely(!ch->waiting && !list_empty(&ch->object.waiters) && hart_is_free_for(c->task))) {
        ch->sent++;
        return run_hand_over(t, c);
    }
    message_send(ch, &t->frame, 0);
    return run_finish(t);
}

enum sv_status call_send(struct task *t, struct capability *c)
{
    struct channel *ch = channel_of(c->object);
    sv_word flags = frame_argument(&t->frame, 5);

    if (unlikely(!ch->receivers || ch->waiting >= ch->depth))
        return channel_check(ch);
    if (unlikely(flags & ~(sv_word)SV_LAST))
        return send_with(t, ch, c, flags);
    return flags ? send_last(t, ch) : message_send(ch, &t->frame, 0);
}
