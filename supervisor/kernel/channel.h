// Channels: bounded queues of messages.
//
// A channel lies in one block of frames, paid at once for all that can wait in it. A continuation that waits for a
// message is fired when there is one for it, and takes the first when its run begins; so as many have fired at any time
// as there are messages, or all that wait. Nothing has to be found again when one of them is taken back.
#pragma once

#include "capability.h"

struct continuation;

struct message {
    sv_word words[SV_MESSAGE_WORDS];
    unsigned count; // of entries
    struct capability entry[SV_MESSAGE_HANDLES];
};

struct channel {
    struct object object; // its waiters: for messages
    struct funds *payer;
    unsigned order; // of its block
    unsigned depth, head, waiting;
    unsigned fired;              // continuations that are to take a message
    uint32_t senders, receivers; // capabilities with that right
    sv_word sent;
    struct list room; // continuations that wait for room
    struct message message[];
};

// The n-th of those that wait, or behind them.
static inline struct message *message_at(struct channel *ch, unsigned n)
{
    n += ch->head;
    return &ch->message[n < ch->depth ? n : n - ch->depth];
}

extern uint32_t channel_entries_waiting; // places for capabilities in all messages that wait

bool channel_destroy(struct object *o);
void channel_gained(struct capability *c);
void channel_lost(struct capability *c);

// Whoever can go on, does: with a message, with room, or knowing that it will never come.
void channel_update(struct channel *ch);

// Its messages go the way of dying objects.
void channel_empty(struct channel *ch);

// Empties the channels that no task can come to (sweep.c).
void channels_sweep(void);

// One that was to take a message doesn't.
void channel_unfire(struct object *o);

// The words of the next message to a task that one of its continuations was fired for, till others come into the
// channel. So many handles are on top of the task's stack; those of capabilities that it has no place for are 0, and
// these capabilities gone.
const sv_word *channel_receive(struct object *o, struct task *t, unsigned *count);

// (frames, depth), (channel, word, word, word, word, transfers, count)
enum sv_status call_channel(struct task *t, struct capability *c);
enum sv_status call_send(struct task *t, struct capability *c);
