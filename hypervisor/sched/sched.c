#include "sched.h"

#include "queue.h"

static uint64_t slice_length;
_Atomic unsigned long idle_harts, relaxed_harts;

static struct share share_common;

void sched_init(uint64_t slice)
{
    slice_length = slice;
    queues_init();
    limits_init(slice);
    share_init(&share_common);
}

void sched_hart_init(struct hart *h, struct queue *q)
{
    *q = (struct queue){.slice_end = TIME_NEVER};
    h->queue = q;
}

void entity_init(struct entity *e, enum entity_kind kind, struct hart *home)
{
    *e = (struct entity){.kind = kind, .share = &share_common};
    atomic_store_explicit(&e->home, home, memory_order_relaxed);
}

// --- giving up and taking the hart --------------------------------------------------------------------

void sched_put(struct hart *h, struct entity *e, enum put how, uint64_t deadline, bool (*has_cause)(struct entity *))
{
    struct queue *q = h->queue;

    atomic_store(&e->running, NULL);
    lock_acquire(&q->lock);
    charge(q, e, hart_time());
    if (unlikely(e->share->is_capped) && q->slice_end != TIME_NEVER)
        budget_give_back(e->share, (int64_t)(q->slice_end - e->started));
    bool is_here = true;
    q->running = NULL;
    q->slice_end = TIME_NEVER; // an idle hart has none
    if (how != PUT_READY && has_cause && has_cause(e))
        how = PUT_READY;
    switch (how) {
    case PUT_READY:
        is_here = likely(!is_misplaced(h, e));
        if (is_here)
            ready_insert(q, e);
        break;
    case PUT_WAITING:
        fall_asleep(q, e, deadline);
        break;
    case PUT_PARKED:
        e->state = ENTITY_PARKED;
        break;
    }
    lock_release(&q->lock);
    if (unlikely(!is_here))
        place(e);
}

static struct entity *take_from(struct hart *victim, struct hart *h)
{
    struct queue *q = victim->queue;

    lock_acquire(&q->lock);
    struct heap_node *node = heap_first(&q->ready);
    struct entity *e = node ? container_of(node, struct entity, ready) : NULL;
    if (e) {
        ready_remove(q, e);
        atomic_store_explicit(&e->home, h, memory_order_release);
    }
    lock_release(&q->lock);
    return e;
}

// The hart whose first ready entity has had the least, if that is less than `than` by half a slice.
static struct hart *poorest(const struct hart *h, bool any, unsigned long than)
{
    struct hart *found = NULL;

    for (unsigned i = 0; i < harts_count; i++) {
        struct queue *q = harts[i]->queue;
        if (harts[i] == h || !q || !atomic_load_explicit(&q->length, memory_order_relaxed))
            continue;
        unsigned long hint = atomic_load_explicit(&q->first_hint, memory_order_relaxed);
        if (any || hint_before(hint, than)) {
            found = harts[i];
            than = hint;
            any = false;
        }
    }
    return found;
}

// Apart from pick_one(), which needs few registers without it.
static __attribute__((noinline)) struct entity *steal(struct hart *h, bool any, uint64_t own_virtual_time)
{
    unsigned long than = hint_of(own_virtual_time) - HINT_HALF_SLICE;
    if (unlikely(atomic_load_explicit(&pinned_total, memory_order_relaxed))) {
        struct hart *victim = poorest_pinned(h, any, than);
        struct entity *e = victim ? take_pinned(victim, h) : NULL;
        if (e)
            return e;
    }
    struct hart *victim = h->queue->owner ? NULL : poorest(h, any, than);
    return victim ? take_from(victim, h) : NULL;
}

// Without limits, on a hart without an owner.
static bool is_common(const struct queue *q, const struct entity *e)
{
    return likely(!q->owner && !e->share->is_pinned && !e->share->is_capped);
}

static bool is_any_free(void)
{
    return atomic_load_explicit(&sched_ready_total, memory_order_relaxed) !=
           atomic_load_explicit(&pinned_total, memory_order_relaxed);
}

// Does anybody wait for this hart, or is it wiser to think so? A hart that is somebody's own, exactly.
static bool is_wanted(const struct queue *q)
{
    const struct share *owner = q->owner; // which another hart may take away meanwhile

    if (unlikely(owner))
        return atomic_load(&owner->waiting) != 0;
    return sched_is_contended();
}

static inline __attribute__((always_inline)) struct entity *start(struct hart *h, struct entity *e, uint64_t now,
                                                                  bool common)
{
    struct queue *q = h->queue;
    bool wanted = common ? sched_is_contended() : is_wanted(q);

    e->stolen += now - e->started;
    e->started = now;
    q->running = e;
    q->slice_end = wanted ? now + slice_length : TIME_NEVER;
    floor_pass(q, e, wanted && (common || (is_any_free() ? !e->share->is_pinned : !q->owner)));
    if (wanted) {
        // More than one may have become ready while this hart alone was told.
        atomic_thread_fence(memory_order_seq_cst);
        if (unlikely(atomic_load_explicit(&idle_harts, memory_order_relaxed) |
                     (atomic_load_explicit(&relaxed_harts, memory_order_relaxed) & ~bit_of(h))))
            others_tell(h, (is_any_free() ? shared_read() : 0) |
                               atomic_load_explicit(&q->pinned_harts, memory_order_relaxed));
    }
    if (!common && e->share->is_capped)
        q->slice_end = now + q->granted;
    return e;
}

// It may turn out only now that it must not run here, or not yet: then false, and it is taken care of.
static __attribute__((noinline)) bool admit(struct hart *h, struct entity *e)
{
    struct queue *q = h->queue;
    uint64_t until;

    if (!share_may_run(e->share, h)) {
        atomic_store(&e->running, NULL);
        place(e);
        return false;
    }
    if (!e->share->is_capped || (q->granted = budget_take(e->share, hart_time(), &until)) != 0)
        return true;
    atomic_store(&e->running, NULL);
    lock_acquire(&q->lock);
    e->state = ENTITY_HELD;
    e->timer.key = until;
    heap_insert(&q->sleepers, &e->timer);
    lock_release(&q->lock);
    return false;
}

static struct entity *pick_one(struct hart *h)
{
    struct queue *q = h->queue;
    const struct heap_node *first = ready_first(q); // a hint: looked at again under the lock
    uint64_t key = first ? first->key : 0;
    struct entity *e = q->next;

    if (unlikely(e)) {
        q->next = NULL;
        return e;
    }
    if (atomic_load(&sched_ready_total) > atomic_load_explicit(&q->length, memory_order_relaxed)) {
        e = steal(h, !first, key);
        if (e)
            return e;
    }
    lock_acquire(&q->lock);
    e = ready_pop(q);
    lock_release(&q->lock);
    return e;
}

// NULL: see admit().
static inline __attribute__((always_inline)) struct entity *admitted(struct hart *h, struct entity *e, uint64_t now)
{
    atomic_store(&e->running, h); // and then its limits are looked at: see sched_set_affinity()
    if (is_common(h->queue, e))
        return start(h, e, now, true);
    return admit(h, e) ? start(h, e, now, false) : NULL;
}

struct entity *sched_pick(struct hart *h)
{
    for (;;) {
        struct entity *e = pick_one(h);
        if (!e || (e = admitted(h, e, hart_time())) != NULL)
            return e;
    }
}

// Should the first in the queue run instead of `e`? A newcomer preempts if it has had less by a quarter of a
// slice; at a slice's end, if by anything. Who is behind all others, its weight being more than a hart is worth,
// does not keep newcomers waiting either: the first goes next, although it would not be chosen.
static bool newcomer_preempts(struct queue *q, const struct entity *e, bool ended)
{
    const struct heap_node *first = ready_first(q);

    if (!first)
        return false;
    if (first->key + (ended ? 0 : VIRTUAL_SLICE / 4) < e->virtual_time)
        return true;
    if (e->share->is_pinned || first->key + VIRTUAL_SLICE / 4 >= floor_read() << HINT_SHIFT)
        return false;
    q->next = ready_pop(q);
    return true;
}

// The same of those that may run on all harts, without the lock and so by hints: false says nothing.
static bool is_preempted(const struct queue *q, const struct entity *e, uint64_t now)
{
    unsigned long first = atomic_load_explicit(&q->first_hint, memory_order_relaxed);

    return atomic_load_explicit(&q->length, memory_order_relaxed) &&
           hint_before(first + (now >= q->slice_end ? 0 : HINT_HALF_SLICE / 2),
                       hint_of(e->virtual_time + virtual_time_since(e, now)));
}

// The slice of one that is capped: what it has taken of the budget. False if there is no more.
static bool budget_renew(struct queue *q, struct entity *e, uint64_t now)
{
    uint64_t until;

    if (q->slice_end != TIME_NEVER)
        budget_give_back(e->share, (int64_t)(q->slice_end - now));
    uint64_t granted = budget_take(e->share, now, &until);
    q->slice_end = now + granted;
    return granted != 0;
}

static bool is_anyone_poorer(struct hart *h, uint64_t virtual_time)
{
    unsigned long than = hint_of(virtual_time) - HINT_HALF_SLICE;
    if (unlikely(atomic_load_explicit(&pinned_total, memory_order_relaxed)) && poorest_pinned(h, false, than))
        return true;
    return !h->queue->owner && poorest(h, false, than);
}

// Is all as it mostly is: no limits, and what is first here goes next?
static bool is_plain_turn(struct hart *h, const struct entity *e)
{
    const struct queue *q = h->queue;
    const struct heap_node *first = heap_first(&q->ready);

    if (!is_common(q, e) || unlikely(q->next || !heap_empty(&q->pinned)))
        return false;
    if (!first || first->key > e->virtual_time)
        return false;
    return atomic_load_explicit(&sched_ready_total, memory_order_relaxed) ==
               atomic_load_explicit(&q->length, memory_order_relaxed) ||
           !is_anyone_poorer(h, first->key);
}

// Puts `e` back and takes the first out in one step, so that no count changes. NULL if that won't do. *now: the time
// with the lock held, so that nobody became ready later.
static inline __attribute__((always_inline)) struct entity *exchange(struct hart *h, struct entity *e, uint64_t *now)
{
    struct queue *q = h->queue;
    struct entity *next = NULL;

    lock_acquire(&q->lock);
    *now = hart_time();
    charge(q, e, *now);
    if (likely(is_plain_turn(h, e))) {
        next = container_of(heap_pop(&q->ready), struct entity, ready);
        next->state = ENTITY_RUNNING;
        atomic_store_explicit(&e->running, NULL, memory_order_release);
        e->state = ENTITY_READY;
        e->is_pinned = false;
        e->ready.key = e->virtual_time;
        heap_insert(&q->ready, &e->ready);
        hint_update(q);
    }
    lock_release(&q->lock);
    return next;
}

struct entity *sched_turn(struct hart *h, struct entity *e)
{
    uint64_t now;
    struct entity *next = exchange(h, e, &now);

    if (unlikely(!next)) {
        sched_put(h, e, PUT_READY, TIME_NEVER, NULL);
    } else {
        if (likely((next = admitted(h, next, now)) != NULL))
            return next;
        h->queue->running = NULL; // as sched_put() leaves it
        h->queue->slice_end = TIME_NEVER;
    }
    return sched_pick(h);
}

// Apart from sched_should_switch(), which needs few registers without it.
static __attribute__((noinline)) bool should_switch(struct hart *h, struct entity *e, uint64_t now)
{
    struct queue *q = h->queue;
    bool ended = now >= q->slice_end;

    lock_acquire(&q->lock);
    charge(q, e, now);
    bool make_way = newcomer_preempts(q, e, ended);
    lock_release(&q->lock);
    if (unlikely(q->owner || e->share->is_pinned) && !share_may_run(e->share, h))
        return true;
    if (ended && !make_way)
        make_way = is_anyone_poorer(h, e->virtual_time);
    if (make_way || !(ended || q->slice_end == TIME_NEVER))
        return make_way;
    if (unlikely(e->share->is_capped))
        return !budget_renew(q, e, now);
    q->slice_end = is_wanted(q) ? now + slice_length : TIME_NEVER;
    return false;
}

bool sched_should_switch(struct hart *h, uint64_t now)
{
    struct queue *q = h->queue;
    struct entity *e = q->running;

    // What makes way is charged when it does.
    return !e || is_preempted(q, e, now) || should_switch(h, e, now);
}

// --- idle and relaxed harts ---------------------------------------------------------------------------------

bool sched_relax_slowly(struct hart *h)
{
    const struct queue *q = h->queue;

    if (q->running && q->running->share->is_capped)
        return false; // sleep is not to count
    atomic_fetch_or(&relaxed_harts, bit_of(h));
    atomic_thread_fence(memory_order_seq_cst);
    return !is_wanted(q);
}

void sched_slice_begin(struct hart *h)
{
    h->queue->slice_end = hart_time() + slice_length;
}

void sched_tighten_slowly(struct hart *h)
{
    if (atomic_load_explicit(&relaxed_harts, memory_order_relaxed) & bit_of(h))
        atomic_fetch_and(&relaxed_harts, ~bit_of(h));
}

// Is there anything READY that may run here?
static bool can_take_any(const struct hart *h)
{
    if (!h->queue->owner && is_any_free())
        return true;
    return !heap_empty(&h->queue->pinned) || poorest_pinned(h, true, 0);
}

bool sched_idle_enter(struct hart *h)
{
    atomic_fetch_or(&idle_harts, bit_of(h));
    atomic_thread_fence(memory_order_seq_cst);
    if (!sched_is_contended() || !can_take_any(h))
        return true;
    sched_idle_leave(h);
    return false;
}

void sched_idle_leave(struct hart *h)
{
    atomic_fetch_and(&idle_harts, ~bit_of(h));
}
