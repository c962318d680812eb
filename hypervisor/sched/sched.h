// The scheduler: shares all harts among everything that wants to run.
//
// What it schedules is an entity: a vcore; or a capsule's own life (loading, scrubbing), its devices' worker or the
// uplink, which run in short steps so that they never keep a guest waiting.
//
//                 sched_start                sched_pick
//      PARKED ------------------> READY ------------------> RUNNING
//        ^                        ^  ^                       | | |
//        |                        |  +----- PUT_READY -------+ | |
//        |     wake or deadline   |                            | |
//        +--sched_sleep-> WAITING-+ <-------- PUT_WAITING -----+ |
//        +<---------------------------------- PUT_PARKED --------+
//
// Each hart has a queue with a lock of its own, which guards the state of the entities whose home it
// is. An entity's home changes only while it is RUNNING or being taken by its new hart. Two queue
// locks are never held at once, and there is no global lock; a word counts what is ready anywhere.
//
// Fairness: an entity's virtual time is the hart time it has had, divided by its weight. Least goes first,
// and a hart whose next entity has had more than another hart's takes that one instead. This is start-time
// fair queueing (Goyal, Vin, Cheng, 1996): the machine's own virtual time, where sleepers are let in again,
// is what those had who were started last.
#pragma once

#include <stdatomic.h>

#include "hart.h"
#include "heap.h"
#include "lock.h"
#include "status.h"
#include "types.h"

// HELD: out of budget until its timer's deadline, and not to be woken by anything else.
enum entity_state { ENTITY_PARKED, ENTITY_READY, ENTITY_RUNNING, ENTITY_WAITING, ENTITY_HELD };
enum entity_kind { ENTITY_VCORE, ENTITY_LIFE, ENTITY_WORKER, ENTITY_UPLINK };
enum put { PUT_READY, PUT_WAITING, PUT_PARKED };

#define TIME_NEVER UINT64_MAX

#define WEIGHT_DEFAULT 100u
#define WEIGHT_MAX 1000u
#define CAP_MAX 6400u

// What the vcores of a capsule have in common: how much of the harts they get. Lives in the capsule, longer than
// its vcores run. Changed by the functions below only.
struct share {
    uint32_t factor; // virtual time for a tick, see FACTOR_SHIFT
    bool is_pinned;  // not all harts will do
    bool is_capped;
    unsigned long harts;           // the affinity: bit n for hart n
    unsigned long owned;           // harts that are its own; 0: none
    _Atomic unsigned long waiting; // its READY entities, if it is pinned
    struct lock lock;              // guards the budget
    uint64_t budget, period_end;   // ticks
    int64_t left;
};

struct entity {
    struct heap_node ready; // in the home queue; key = virtual time
    struct heap_node timer; // among the home queue's sleepers; key = deadline
    _Atomic(struct hart *) home;
    _Atomic(struct hart *) running; // where it runs; set before its pending work is looked at a last time
    enum entity_state state;
    enum entity_kind kind;
    bool is_pinned;        // READY: in the queue's second heap
    struct share *share;   // never NULL
    uint64_t virtual_time; // a slice at the default weight is VIRTUAL_SLICE
    uint64_t started;      // RUNNING: when it was last charged; READY: since when
    uint64_t consumed;     // hart time had in all, ticks, but for what is not charged yet
    uint64_t stolen;       // READY, and not RUNNING; up to date when it starts to run
};

struct queue {
    struct lock lock;
    struct heap ready, sleepers; // sleepers: WAITING with a deadline, and HELD
    struct entity *running;
    struct entity *next; // taken out already, to run next whatever is first
    uint64_t slice_end;  // TIME_NEVER: nobody else wants this hart
    uint64_t granted;    // what the entity that is picked may use, if it is capped
    _Atomic uint32_t length;
    _Atomic unsigned long first_hint; // virtual time of the first in `ready`, coarse (see hint_of)

    struct heap pinned;                              // READY, too, but those that not all harts may take
    _Atomic unsigned long pinned_hint, pinned_harts; // the first of them: its virtual time, where it may run
    uint64_t floor;                                  // virtual time of who was started last
    struct share *owner;                             // whose own this hart is; NULL: everybody's
};

// Virtual time: 64 bits of it last for ages at any weight.
#define VIRTUAL_SLICE 65536u
#define FACTOR_SHIFT 20

// `slice` in ticks. Once, before any hart starts; every harts[] entry has its queue.
void sched_init(uint64_t slice);
void sched_hart_init(struct hart *h, struct queue *q);

// A new entity, PARKED, at home on this hart, with a share that all have in common: the default weight and
// no limits. `share` may be set to a capsule's own before the entity is started first.
void entity_init(struct entity *e, enum entity_kind kind, struct hart *home);

// Hart time that the entity has had in all, in ticks, up to now. Takes its queue's lock.
uint64_t entity_consumed(struct entity *e);

// The default weight. After sched_init.
void share_init(struct share *s);

// A vcore's part of the harts when they are scarce, 1 to WEIGHT_MAX. Any time, from any hart, no lock needed
// or taken; counts from when a vcore is charged next, within a slice. STATUS_INVALID: out of range.
must_check enum status sched_set_weight(struct share *s, unsigned weight);

// The most that a capsule's vcores get together, in percent of one hart, up to CAP_MAX; 0: no limit. Any time,
// from any hart; takes the share's lock. Counts from a new period on, for what runs from its next exit on, which
// the caller sees to. STATUS_INVALID: out of range.
must_check enum status sched_set_cap(struct share *s, unsigned percent);

// Where a capsule's vcores may run: bit n for the hart of index n; bits of harts that do not exist are ignored.
// What runs elsewhere moves at its next exit, for which the caller asks its hart, if it changes anything, with
// REQUEST_RESCHEDULE. Who starts to run says so first (entity.running) and then looks at what was set here, so
// that one of the two always sees the other. STATUS_INVALID: no such hart at all. STATUS_BUSY: it has harts of its own
// (give them back first), or all of these are others' own.
must_check enum status sched_set_affinity(struct share *s, unsigned long harts_mask);

// Makes the harts of the affinity the capsule's own, or gives them back, which must be done before the share's
// memory is. Nothing else runs there, and no slice ends there unless its own vcores wait for each other.
// STATUS_BUSY: one of them is another's. STATUS_INVALID: none would be left for all others. Both take a lock that
// the queues' and budgets' locks are taken under.
must_check enum status sched_set_exclusive(struct share *s, bool exclusive);
// A hart that is nobody's own.
struct hart *sched_shared_hart(void);
static inline bool sched_is_exclusive(const struct hart *h)
{
    return h->queue->owner != NULL;
}

// The running entity of this hart wants another one to go on, which may be waiting for a hart: a sibling that
// holds what it spins for. If that is READY and may run here, it runs here next, on the time of the one that
// yields, and the answer is true: the caller makes the running entity PUT_READY.
bool sched_yield_to(struct hart *h, struct entity *to);

// Makes a WAITING (sched_wake) or PARKED (sched_start) entity READY and sees to it that a hart looks
// at it. No effect in any other state.
void sched_wake(struct entity *e);
void sched_start(struct entity *e);

// Makes a PARKED entity WAITING until sched_wake or the deadline (host time; TIME_NEVER: none), or READY at
// once if `has_cause(e)` says, under the lock, that it has something to wake up for; NULL asks nothing. No
// effect in any other state.
void sched_sleep(struct entity *e, uint64_t deadline, bool (*has_cause)(struct entity *));

// The hart gives up its running entity, whose state has been saved completely. PUT_WAITING sleeps
// until sched_wake or the deadline. Waiting and parking both become PUT_READY if `has_cause(e)` says, under
// the lock, that what would have woken it came meanwhile; NULL asks nothing.
void sched_put(struct hart *h, struct entity *e, enum put how, uint64_t deadline, bool (*has_cause)(struct entity *));

// What runs next on this hart, now RUNNING; NULL if nothing wants to.
struct entity *sched_pick(struct hart *h);

// Both of them, after sched_should_switch: the running entity becomes READY, and the answer is what runs next.
struct entity *sched_turn(struct hart *h, struct entity *e);

// The slice ended, or others asked this hart to look: true if the running entity should make way. If
// not, the slice is set as the queues ask for.
bool sched_should_switch(struct hart *h, uint64_t now);

// When the first sleeper is due. Only this hart puts sleepers in; but others wake them, and whom they woke may sleep
// elsewhere already, until another time: so only the key of who is still the first counts.
static inline uint64_t sched_sleeper_deadline(const struct hart *h)
{
    const struct heap_node *first;
    uint64_t key;

    do {
        first = heap_first(&h->queue->sleepers);
        key = first ? first->key : TIME_NEVER;
        atomic_thread_fence(memory_order_acquire);
    } while (unlikely(first != heap_first(&h->queue->sleepers)));
    return key;
}

// When this hart's scheduler wants an interrupt next: slice or first sleeper.
static inline uint64_t sched_deadline(const struct hart *h)
{
    uint64_t sleeper = sched_sleeper_deadline(h), slice_end = h->queue->slice_end;
    return sleeper < slice_end ? sleeper : slice_end;
}

// Wakes the sleepers whose time has come.
void sched_expire_due(struct hart *h, uint64_t now);
static inline void sched_expire(struct hart *h, uint64_t now)
{
    if (sched_sleeper_deadline(h) <= now)
        sched_expire_due(h, now);
}

extern _Atomic uint32_t sched_ready_total;  // READY entities, all queues
extern _Atomic unsigned long relaxed_harts; // bit n: hart n runs a guest that may sleep unseen

// Does anything wait for a hart, anywhere?
static inline bool sched_is_contended(void)
{
    return atomic_load_explicit(&sched_ready_total, memory_order_relaxed) != 0;
}

// The hart runs a guest whose WFI is not trapped (true), or no longer. While it is, it is told when
// contention begins. Answers false if there is contention already: then its slice has an end.
bool sched_relax_slowly(struct hart *h);
void sched_tighten_slowly(struct hart *h);
static inline void sched_tighten(struct hart *h)
{
    if (atomic_load_explicit(&relaxed_harts, memory_order_relaxed))
        sched_tighten_slowly(h);
}
void sched_slice_begin(struct hart *h);
static inline bool sched_relax(struct hart *h)
{
    if ((!sched_is_contended() || sched_is_exclusive(h)) && sched_relax_slowly(h))
        return true;
    sched_tighten(h);
    if (unlikely(h->queue->slice_end == TIME_NEVER))
        sched_slice_begin(h); // contention began after it was chosen
    return false;
}

// Around the idle loop's sleep. sched_idle_enter answers false if there is something to do.
bool sched_idle_enter(struct hart *h);
void sched_idle_leave(struct hart *h);
