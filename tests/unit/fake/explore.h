// Runs the hypervisor's code on several harts of a test, in one thread: at each atomic operation, and
// wherever the test says so, another hart may go on. Who does is chosen at random from a seed, so that a
// schedule that fails can be had again.
//
// Included before anything else, this makes every atomic operation of what follows such a point
// (tests/unit/explored/). Memory is seen in the order of the operations: what a weaker memory order lets
// happen is not explored.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

// Runs entry(0) to entry(count - 1), until all return. False if explore_fail() was called, or if `points`
// were passed without an end; explore_message then says why.
bool explore_run(unsigned count, void (*entry)(unsigned hart), unsigned seed, unsigned long points);
extern char explore_message[256];

// Outside a run: whose code is called, and what happens at each point.
void explore_act_as(unsigned hart);
extern void (*explore_hook)(void);

// Within a run:
unsigned explore_self(void); // which hart goes on now
void explore_point(void);
_Noreturn void explore_end(void); // returns from entry(), from wherever
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned explore_random(unsigned below); // outside, too: from the last seed

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_thread_fence

#define EXPLORE_UPDATE(p, operation)                                                                                   \
    ({                                                                                                                 \
        explore_point();                                                                                               \
        __auto_type explore_p_ = (p);                                                                                  \
        __typeof__((void)0, *explore_p_) explore_old_ = *explore_p_;                                                   \
        *explore_p_ = operation;                                                                                       \
        explore_old_;                                                                                                  \
    })
#define atomic_load(p) (explore_point(), *(p))
#define atomic_store(p, v) (explore_point(), (void)(*(p) = (v)))
#define atomic_exchange(p, v) EXPLORE_UPDATE(p, (v))
#define atomic_fetch_add(p, v) EXPLORE_UPDATE(p, explore_old_ + (v))
#define atomic_fetch_sub(p, v) EXPLORE_UPDATE(p, explore_old_ - (v))
#define atomic_fetch_or(p, v) EXPLORE_UPDATE(p, explore_old_ | (v))
#define atomic_fetch_and(p, v) EXPLORE_UPDATE(p, explore_old_ &(v))
#define atomic_compare_exchange_strong(p, expected, v)                                                                 \
    ({                                                                                                                 \
        explore_point();                                                                                               \
        __auto_type explore_c_ = (p);                                                                                  \
        __auto_type explore_e_ = (expected);                                                                           \
        bool explore_same_ = *explore_c_ == *explore_e_;                                                               \
        if (explore_same_)                                                                                             \
            *explore_c_ = (v);                                                                                         \
        else                                                                                                           \
            *explore_e_ = *explore_c_;                                                                                 \
        explore_same_;                                                                                                 \
    })
#define atomic_load_explicit(p, order) atomic_load(p)
#define atomic_store_explicit(p, v, order) atomic_store(p, v)
#define atomic_exchange_explicit(p, v, order) atomic_exchange(p, v)
#define atomic_fetch_add_explicit(p, v, order) atomic_fetch_add(p, v)
#define atomic_fetch_sub_explicit(p, v, order) atomic_fetch_sub(p, v)
#define atomic_fetch_or_explicit(p, v, order) atomic_fetch_or(p, v)
#define atomic_fetch_and_explicit(p, v, order) atomic_fetch_and(p, v)
#define atomic_compare_exchange_strong_explicit(p, expected, v, success, failure)                                      \
    atomic_compare_exchange_strong(p, expected, v)
#define atomic_thread_fence(order) explore_point()
