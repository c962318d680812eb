// The registry of capabilities: who may do what to which object.
//
// An entry lies in its holder: in a task's table, in a message that waits in a channel, or in a group. It is found by
// its handle through a hash table; as handles are random numbers, a few bits of one are its hash. Only the holder's own
// use of a handle finds anything.
//
// What is derived from an entry hangs beneath it, and so all that came from one is a tree, which revocation takes apart
// one by one: no recursion, and it can stop and go on at any time. To move an entry to another holder is to copy it,
// with a new handle, into a free place there, and to put the copy where the old one was in the tree.
#pragma once

#include "object.h"

struct capability {
    uint64_t handle[2];          // struct sv_handle, as two numbers: least significant word first
    struct object *object;       // what it names; NULL: a free place
    struct object *holder;       // a task, a channel or a group
    struct capability *parent;   // what it is derived from
    struct capability *child;    // the newest of what is derived from it
    struct capability *next;     // its siblings
    struct capability *previous; // NULL: the first child
    struct capability *chain;    // in its bucket; of a free place: the next free one
    uint32_t id;                 // stays the same when it moves
    uint32_t limit;              // id of the group that the run was limited to that got it, or 0
    uint16_t rights;
    uint8_t access;  // of a region, in a task: what it is mapped for
    uint8_t waiters; // continuations of the holder that wait by it
};

static inline struct sv_handle capability_handle(const struct capability *c)
{
    return (struct sv_handle){{(uint32_t)c->handle[0], (uint32_t)(c->handle[0] >> 32), (uint32_t)c->handle[1],
                               (uint32_t)(c->handle[1] >> 32)}};
}

// A hash table for a machine of that many frames. Taken from the machine's budget.
must_check enum status capabilities_init(uint64_t frames);
extern uint32_t capabilities_count;

// The entry that a task's handle names, NULL if there is none; and whether the run may act by it, too, which a group
// can forbid. Having been found, it is looked for among those held again: to revoke takes it out of the group.
struct task;
struct capability *capability_held(const struct task *t, struct sv_handle handle);
struct capability *capability_find(const struct task *t, struct sv_handle handle);

extern struct capability **capability_buckets;
extern uint32_t capability_bucket_mask;

// The same, where it has to be fast: whoever holds it.
static inline struct capability *capability_named(struct sv_handle handle)
{
    uint64_t low = handle.word[0] | (uint64_t)handle.word[1] << 32,
             high = handle.word[2] | (uint64_t)handle.word[3] << 32;
    struct capability *c = capability_buckets[low & capability_bucket_mask];

    while (c && (c->handle[0] != low || c->handle[1] != high))
        c = c->chain;
    return c;
}

// Fills a free place: a capability to 'object', derived from 'parent' (or from none). Can't fail.
void capability_make(struct capability *place, struct object *holder, struct object *object, unsigned rights,
                     struct capability *parent);

// From one holder's place to another's, with a handle of its own and no more than these rights. Nothing is derived from
// it.
void capability_move(struct capability *place, struct object *holder, struct capability *from, unsigned rights);

// Takes away one from which nothing is derived.
void capability_remove(struct capability *c);

// Takes away what is derived from it, at most 'work' entries. True if nothing of that is left.
bool capability_revoke(struct capability *c, unsigned work);

// The one with the lowest id that is at least 'from', or NULL. Looks at all: for who inspects only.
struct capability *capability_from(uint32_t from);

bool handle_equal(struct sv_handle a, struct sv_handle b);
static inline bool handle_is_none(struct sv_handle h)
{
    return !(h.word[0] | h.word[1] | h.word[2] | h.word[3]);
}
