// The registry of capabilities: who may do what to which object.
//
// An entry lies in its holder: in a task's table, in a message that waits in a channel, or in a group. A task's are
// found by their handles through a hash table of its own; as handles are random numbers, a few bits of one are its
// hash.
//
// What is derived from an entry hangs beneath it, and so all that came from one is a tree, which revocation takes apart
// one by one: no recursion, and it can stop and go on at any time. To move an entry to another holder is to copy it,
// with a new handle, into a free place there, and to put the copy where the old one was in the tree.
#pragma once

#include "object.h"

struct capability {
    uint64_t handle[2];          // struct sv_handle, as two numbers: least significant word first; in a task only
    struct object *object;       // what it names; NULL: a free place
    struct object *holder;       // a task, a channel or a group
    struct capability *parent;   // what it is derived from
    struct capability *child;    // the newest of what is derived from it
    struct capability *next;     // its siblings
    struct capability *previous; // NULL: the first child
    struct capability *chain;    // in its bucket; of a free place: the next free one
    uint32_t passed;             // calls by it whose type and rights were checked: a bit each, the highest for call 0
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

void capabilities_init(void);
extern uint32_t capabilities_count;

// The n-th place for one in a task, channel or group; NULL: it has no more. Those that are free have no object.
struct capability *holder_place(struct object *holder, unsigned n);

// The entry that a task's handle names, NULL if there is none; and whether the run may act by it, too, which a group
// can forbid. Having been found, it is looked for among those held again: to revoke takes it out of the group.
struct task;
struct capability *capability_held(const struct task *t, struct sv_handle handle);
struct capability *capability_find(const struct task *t, struct sv_handle handle);

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
