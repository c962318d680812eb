// What the scheduler's parts know of queues and of each other: sched.c puts and picks, wake.c makes ready, pinned.c
// is about those that not all harts may take, queue.c is a queue and the machine's virtual time. Nobody outside this
// folder includes it.
#pragma once

#include "limits.h"

extern _Atomic uint32_t pinned_total;    // of sched_ready_total, those that not all harts may take
extern _Atomic unsigned long idle_harts; // asleep in the idle loop

static inline unsigned long bit_of(const struct hart *h)
{
    return 1UL << h->index;
}

// Virtual times are compared across harts without a lock, so as hints of one word: a slice is 16 units. On
// RV32 they wrap, and half the circle is hours at the least weight: enough for what is READY.
#define HINT_SHIFT 12
#define HINT_HALF_SLICE 8
#define HINT_IS_SHORT (sizeof(unsigned long) < sizeof(uint64_t))
static inline unsigned long hint_of(uint64_t virtual_time)
{
    return (unsigned long)(virtual_time >> HINT_SHIFT);
}

static inline bool hint_before(unsigned long a, unsigned long b)
{
    return (long)(a - b) < 0;
}

// --- queue.c: with the queue's lock held ----------------------------------------------------------------

// The first of both heaps.
static inline struct heap_node *ready_first(const struct queue *q)
{
    struct heap_node *first = heap_first(&q->ready), *pinned = heap_first(&q->pinned);
    return unlikely(pinned) && (!first || pinned->key < first->key) ? pinned : first;
}

// The first of those that all harts may take has changed.
static inline void hint_update(struct queue *q)
{
    const struct heap_node *first = heap_first(&q->ready);
    if (first)
        atomic_store_explicit(&q->first_hint, hint_of(first->key), memory_order_relaxed);
}

// What the running entity is to be charged. Only its hart does: no lock needed.
static inline uint64_t virtual_time_since(const struct entity *e, uint64_t now)
{
    return (now - e->started) * e->share->factor >> FACTOR_SHIFT;
}

void queues_init(void);
void ready_insert(struct queue *q, struct entity *e);
// Takes out what is in one of the two heaps; it is RUNNING then.
void ready_remove(struct queue *q, struct entity *e);
// The first of both heaps, likewise; NULL if there is none.
struct entity *ready_pop(struct queue *q);
// The running entity has had the hart until now.
void charge(struct queue *q, struct entity *e, uint64_t now);

// The machine's virtual time, in hints.
uint64_t floor_read(void);
// Raises it by so much, but not beyond what the entity has had.
void floor_raise(const struct entity *e, uint64_t by);
// A sleeper comes back with at most half a slice of credit: enough to be served soon, too little to
// starve those who stayed. Who runs alone is charged late, so the floor may turn out to have been low
// then: whoever starts to run has no more than a few slices of credit.
#define CREDIT_AWAKE HINT_HALF_SLICE
#define CREDIT_RUNNING (8 * HINT_HALF_SLICE)
void virtual_time_catch_up(const struct queue *q, struct entity *e, unsigned credit);
// Who starts to run: catches up, and the queue's floor is where it is, and the machine's is, too, if it `raises` that.
void floor_pass(struct queue *q, struct entity *e, bool raises);

// --- wake.c -----------------------------------------------------------------------------------------------

// WAITING from now on; with the queue's lock held.
void fall_asleep(struct queue *q, struct entity *e, uint64_t deadline);
// An idle hart takes what is ready: that at home there, if it is idle. Else all harts have to share from
// now on, and those are told that don't know: their guests may be asleep unseen, and their slices don't
// end. False if no hart is idle. No lock held, as below.
bool others_tell(const struct hart *home, unsigned long can);
// Something has become ready at `home`, which may have to preempt or to start a slice.
void announce(struct hart *home, unsigned long can);

// --- pinned.c ---------------------------------------------------------------------------------------------

// Should what becomes ready on this hart run elsewhere? It must if it may not run here; who is pinned also
// because nobody can take it from here who does not look for it.
static inline bool is_misplaced(const struct hart *h, const struct entity *e)
{
    if (likely(!h->queue->owner && !e->share->is_pinned))
        return false;
    unsigned long can = share_harts(e->share);
    return !(can & bit_of(h)) || (h->queue->running && can & atomic_load(&idle_harts));
}

static inline unsigned long shared_read(void)
{
    return atomic_load_explicit(&shared_harts, memory_order_relaxed);
}

// With the queue's lock held: its second heap has changed; puts something there.
void pinned_update(struct queue *q);
void pinned_insert(struct queue *q, struct entity *e);
// Without: the hart whose first pinned entity may run on `h`, and has had the least, if that is less than `than`;
// and takes it.
struct hart *poorest_pinned(const struct hart *h, bool any, unsigned long than);
struct entity *take_pinned(struct hart *victim, struct hart *h);
// Puts what is in no queue, and being taken, into one where it may run; the second, a list linked by ready nodes.
void place(struct entity *e);
void place_all(struct heap_node *list);
