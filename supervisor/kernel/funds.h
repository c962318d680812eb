// Budgets of frames as objects: what a capability of type SV_TYPE_FRAMES names.
//
// Each budget but the machine's is split off another one and goes back there when nobody holds it and nothing that it
// paid for is left: objects hold a reference to who paid for them.
#pragma once

#include "object.h"

struct funds {
    struct object object;
    struct funds *parent; // NULL: the machine's
    struct budget budget;
    uint32_t paid; // objects that it paid for, for checks
};

// The machine's: all that is free.
void funds_init(void);
extern struct funds machine_funds;

// A budget of 'frames' out of another, one of which holds the object itself. SV_NO_MEMORY
must_check enum sv_status funds_split(struct funds *from, uint64_t frames, struct funds **out);
bool funds_destroy(struct object *o);

// Memory for an object: a block of frames, zeroed, which holds a reference to the budget. NULL: too little left.
must_check void *funds_take(struct funds *pays, unsigned order);
void funds_give(struct funds *paid, unsigned order, void *memory);

// A hash table of pointers for the kernel itself, for good: a power of two of them, 'wanted' or more, but in at most
// 2^most frames; *mask leads to one of them. NULL: too little left.
must_check void *funds_table(uint64_t wanted, unsigned most, uint32_t *mask);

static inline uint64_t funds_left(const struct funds *f)
{
    return f->budget.limit - f->budget.used;
}
