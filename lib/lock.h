// A ticket lock: fair, one word. Interrupts are always off in the hypervisor, so holding one
// never races with a handler on the same hart. No lock is held while entering a guest or waiting
// for another hart.
#pragma once

#include <stdatomic.h>

#include "types.h"

struct lock {
    _Atomic uint32_t next;
    _Atomic uint32_t serving;
};

static inline void lock_acquire(struct lock *l)
{
    uint32_t ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
    while (atomic_load_explicit(&l->serving, memory_order_acquire) != ticket) {
    }
}

// Takes the lock if nobody holds it.
static inline must_check bool lock_try(struct lock *l)
{
    uint32_t serving = atomic_load_explicit(&l->serving, memory_order_acquire);
    return atomic_compare_exchange_strong_explicit(&l->next, &serving, serving + 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static inline void lock_release(struct lock *l)
{
    uint32_t serving = atomic_load_explicit(&l->serving, memory_order_relaxed);
    atomic_store_explicit(&l->serving, serving + 1, memory_order_release);
}
