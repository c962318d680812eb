// Limits of shares, as the queues need them. Nobody outside this folder includes it.
#pragma once

#include "sched.h"

void limits_init(uint64_t slice);

static inline unsigned long harts_all(void)
{
    return harts_count < HARTS_MAX ? (1UL << harts_count) - 1 : ~0UL;
}

extern _Atomic unsigned long shared_harts; // bit n: hart n is nobody's own

// The harts that what has this share may run on now, and bits of some that do not exist; never none that does. If all
// of its own choice now belong to others, it runs on any of the rest.
static inline unsigned long share_harts(const struct share *s)
{
    unsigned long shared = atomic_load_explicit(&shared_harts, memory_order_relaxed);
    unsigned long own = s->owned ? s->owned : s->harts & shared;
    return own ? own : shared;
}

static inline bool share_may_run(const struct share *s, const struct hart *h)
{
    return share_harts(s) >> h->index & 1;
}

// Takes a part of the budget, in ticks, for a vcore that is going to run; 0: it is used up until *until.
uint64_t budget_take(struct share *s, uint64_t now, uint64_t *until);
// What was taken and not used; negative if it took longer.
void budget_give_back(struct share *s, int64_t unused);

// pinned.c: takes all that is at home on this hart, and must not run there any more, elsewhere.
void sched_evacuate(struct hart *h);
