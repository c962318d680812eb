// A lock of one word that costs four instructions to take: for the console, where each byte that is
// printed pays for two of them. Not fair, so only for what is held for a short and bounded time.
#pragma once

#include <stdatomic.h>

#include "types.h"

struct latch {
    _Atomic uint32_t held;
};

// Takes the latch if nobody holds it.
static inline must_check bool latch_try(struct latch *l)
{
    return !atomic_exchange_explicit(&l->held, 1, memory_order_acquire);
}

static inline void latch_acquire(struct latch *l)
{
    while (unlikely(!latch_try(l)))
        while (atomic_load_explicit(&l->held, memory_order_relaxed)) {
        }
}

static inline void latch_release(struct latch *l)
{
    atomic_store_explicit(&l->held, 0, memory_order_release);
}
