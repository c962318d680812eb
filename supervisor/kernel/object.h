// What capabilities name: the objects of the kernel.
//
// Every object has a struct object, and lies in frames of its own, paid by the budget that it was made from
// (those that are there from the beginning are static). So nobody can use up the kernel's memory for others, and what
// an object took is given back exactly, when its last reference goes.
//
// An object may have very much to give back: the frames of a region, the messages of a channel, all that a task held.
// So the one who dropped the last reference puts it on its hart's list of dying objects, and the hart takes that apart
// step by step before it leaves the kernel, letting others in between. Nothing recurses: what an object held goes on
// the same list.
#pragma once

#include "kernel.h"
#include "list.h"

struct object {
    uint8_t type;        // enum sv_type
    bool is_mourned;     // in a list of the dying
    uint32_t id;         // of its type, growing, never used again
    uint32_t references; // capabilities that name it, and what else in the kernel needs it
    struct list all;     // objects of its type, in the order of their ids
    struct list waiters; // continuations that wait for what it is about
    uint32_t marked;     // the last channels_sweep() that came by
    struct object *next_dying, *next_marked;
};

// All objects of each type. Under the kernel's lock, as all is here.
extern struct list objects[SV_TYPES];
extern uint32_t objects_count[SV_TYPES];

void objects_init(void);

// Starts with one reference, the maker's.
void object_init(struct object *o, enum sv_type type);

static inline void object_hold(struct object *o)
{
    o->references++;
}
void object_release(struct object *o);

// It is no more: out of the list of its type. Its memory is the caller's to give back.
void object_end(struct object *o);

// The one of this type with the lowest id that is at least 'from'; NULL: none. Walks a list: for who inspects only.
struct object *object_from(enum sv_type type, uint32_t from);

// Takes the dying objects of this hart apart, until nothing is left.
void objects_reap(void);
