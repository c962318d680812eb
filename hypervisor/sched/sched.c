#include "sched.h"

#include "limits.h"
#include "log.h"

static uint64_t slice_length;
_Atomic uint32_t sched_ready_total;
static _Atomic uint32_t pinned_total;       // of sched_ready_total, those that not all harts may take
static _Atomic unsigned long idle_harts;    // asleep in the idle loop
static _Atomic unsigned long relaxed_harts; // running a guest that may sleep unseen

static unsigned long bit_of(const struct hart *h)
{
    return 1UL << h->index;
}

// Virtual times are compared across harts without a lock, so as hints of one word: a slice is 16 units. On
// RV32 they wrap, and half the circle is hours at the least weight: enough for what is READY.
#define HINT_SHIFT 12
#define HINT_HALF_SLICE 8
#define HINT_IS_SHORT (sizeof(unsigned long) < sizeof(uint64_t))
static unsigned long hint_of(uint64_t virtual_time)
{
    return (unsigned long)(virtual_time >> HINT_SHIFT);
}
static bool hint_before(unsigned long a, unsigned long b)
{
    return (long)(a - b) < 0;
}

// The machine's virtual time. Where hints are short, what they lack is in the second word; whoever reads
// the two apart finds them near each other.
static _Atomic unsigned long floor_hint, floor_ages;
#define FLOOR_AGE_SHIFT 24

static struct share share_common;

static uint64_t floor_read(void)
{
    unsigned long hint = atomic_load_explicit(&floor_hint, memory_order_relaxed);
    if (!HINT_IS_SHORT)
        return hint;
    uint64_t near = (uint64_t)atomic_load_explicit(&floor_ages, memory_order_relaxed) << FLOOR_AGE_SHIFT;
    return near + (uint64_t)(int64_t)(long)(hint - (unsigned long)near);
}

// Raises it by so much, in hints, but not beyond what the entity has had.
static void floor_raise(const struct entity *e, uint64_t by)
{
    uint64_t floor = floor_read(), hint = e->virtual_time >> HINT_SHIFT;
    if (hint <= floor)
        return;
    if (hint - floor > by)
        hint = floor + by;
    atomic_store_explicit(&floor_hint, (unsigned long)hint, memory_order_relaxed);
    if (HINT_IS_SHORT)
        atomic_store_explicit(&floor_ages, (unsigned long)(hint >> FLOOR_AGE_SHIFT), memory_order_relaxed);
}

void sched_init(uint64_t slice)
{
    slice_length = slice;
    atomic_store_explicit(&floor_hint, 0, memory_order_relaxed);
    atomic_store_explicit(&floor_ages, 0, memory_order_relaxed);
    atomic_store(&pinned_total, 0);
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

// --- the queue, under its lock --------------------------------------------------------------------

static void hint_update(struct queue *q)
{
    const struct heap_node *first = heap_first(&q->ready);
    if (first)
        atomic_store_explicit(&q->first_hint, hint_of(first->key), memory_order_relaxed);
}

static void pinned_update(struct queue *q)
{
    const struct heap_node *first = heap_first(&q->pinned);
    if (first)
        atomic_store_explicit(&q->pinned_hint, hint_of(first->key), memory_order_relaxed);
    const struct entity *e = container_of(first, struct entity, ready);
    atomic_store(&q->pinned_harts, first ? share_harts(e->share) : 0);
}

static void pinned_insert(struct queue *q, struct entity *e)
{
    heap_insert(&q->pinned, &e->ready);
    pinned_update(q);
    atomic_fetch_add(&e->share->waiting, 1);
    atomic_fetch_add(&pinned_total, 1);
}

// Takes out what is in one of the two heaps.
static void ready_remove(struct queue *q, struct entity *e)
{
    if (e->is_pinned) {
        heap_remove(&q->pinned, &e->ready);
        pinned_update(q);
        atomic_fetch_sub(&e->share->waiting, 1);
        atomic_fetch_sub(&pinned_total, 1);
    } else {
        heap_remove(&q->ready, &e->ready);
        hint_update(q);
        atomic_fetch_sub_explicit(&q->length, 1, memory_order_relaxed);
    }
    atomic_fetch_sub(&sched_ready_total, 1);
    e->state = ENTITY_RUNNING;
}

// The first of both heaps.
static struct heap_node *ready_first(const struct queue *q)
{
    struct heap_node *first = heap_first(&q->ready), *pinned = heap_first(&q->pinned);
    return unlikely(pinned) && (!first || pinned->key < first->key) ? pinned : first;
}

static void ready_insert(struct queue *q, struct entity *e)
{
    e->state = ENTITY_READY;
    e->ready.key = e->virtual_time;
    e->is_pinned = e->share->is_pinned;
    if (unlikely(e->is_pinned)) {
        pinned_insert(q, e);
    } else {
        heap_insert(&q->ready, &e->ready);
        hint_update(q);
        atomic_fetch_add_explicit(&q->length, 1, memory_order_relaxed);
    }
    atomic_fetch_add(&sched_ready_total, 1);
}

static struct entity *ready_pop(struct queue *q)
{
    struct heap_node *node = heap_first(&q->pinned);
    if (unlikely(node) && node == ready_first(q)) {
        ready_remove(q, container_of(node, struct entity, ready));
        return container_of(node, struct entity, ready);
    }
    node = heap_pop(&q->ready);
    if (!node)
        return NULL;
    hint_update(q);
    atomic_fetch_sub_explicit(&q->length, 1, memory_order_relaxed);
    atomic_fetch_sub(&sched_ready_total, 1);
    struct entity *e = container_of(node, struct entity, ready);
    e->state = ENTITY_RUNNING;
    return e;
}

// Who runs although nobody else wants to takes the machine's virtual time along: by as much, not to where it
// is itself, which would take from those who slept a moment what they are owed.
static void charge(struct queue *q, struct entity *e, uint64_t now)
{
    uint64_t used = now - e->started;

    e->started = now;
    e->consumed += used;
    uint64_t part = used * e->share->factor >> FACTOR_SHIFT;
    e->virtual_time += part;
    if (q->slice_end == TIME_NEVER && !q->owner)
        floor_raise(e, (part >> HINT_SHIFT) + 1);
}

// A sleeper comes back with at most half a slice of credit: enough to be served soon, too little to
// starve those who stayed. Who runs alone is charged late, so the floor may turn out to have been low
// then: whoever starts to run has no more than a few slices of credit.
#define CREDIT_AWAKE HINT_HALF_SLICE
#define CREDIT_RUNNING (8 * HINT_HALF_SLICE)
// Those pinned to few harts may get on slower there than all others do: they compare with each other.
static void virtual_time_catch_up(const struct queue *q, struct entity *e, unsigned credit)
{
    uint64_t floor = unlikely(e->share->is_pinned) ? q->floor >> HINT_SHIFT : floor_read();
    int64_t behind = (int64_t)(floor - credit - (e->virtual_time >> HINT_SHIFT));
    if (behind > 0)
        e->virtual_time += (uint64_t)behind << HINT_SHIFT;
}

// Should what becomes ready on this hart run elsewhere? It must if it may not run here; who is pinned also
// because nobody can take it from here who does not look for it.
static bool is_misplaced(const struct hart *h, const struct entity *e)
{
    if (likely(!h->queue->owner && !e->share->is_pinned))
        return false;
    unsigned long can = share_harts(e->share);
    return !(can & bit_of(h)) || (h->queue->running && can & atomic_load(&idle_harts));
}

// False if the caller has to place() it, after it has released the lock.
static bool awake(struct hart *h, struct entity *e)
{
    struct queue *q = h->queue;

    if (e->state != ENTITY_HELD) {
        e->started = hart_time();
        virtual_time_catch_up(q, e, CREDIT_AWAKE);
    }
    if (unlikely(is_misplaced(h, e))) {
        e->state = ENTITY_RUNNING; // being taken by its new hart
        return false;
    }
    ready_insert(q, e);
    return true;
}

static void fall_asleep(struct queue *q, struct entity *e, uint64_t deadline)
{
    e->state = ENTITY_WAITING;
    e->timer.key = deadline;
    if (deadline != TIME_NEVER)
        heap_insert(&q->sleepers, &e->timer);
}

static void sleeper_remove(struct queue *q, struct entity *e)
{
    if (e->timer.key != TIME_NEVER)
        heap_remove(&q->sleepers, &e->timer);
}

// --- telling others ---------------------------------------------------------------------------------

// An idle hart takes what is ready: that at home there, if it is idle. Else all harts have to share from
// now on, and those are told that don't know: their guests may be asleep unseen, and their slices don't
// end. False if no hart is idle.
static bool others_tell(const struct hart *home, unsigned long can)
{
    unsigned long idle = atomic_load(&idle_harts) & can;
    unsigned long relaxed = atomic_load(&relaxed_harts) & can & ~bit_of(home);

    if (idle) {
        hart_request(harts[idle & bit_of(home) ? home->index : (unsigned)__builtin_ctzl(idle)], REQUEST_RESCHEDULE);
        return true;
    }
    for (; relaxed; relaxed &= relaxed - 1)
        hart_request(harts[__builtin_ctzl(relaxed)], REQUEST_RESCHEDULE);
    return false;
}

static unsigned long shared_read(void)
{
    return atomic_load_explicit(&shared_harts, memory_order_relaxed);
}

// Something has become ready at `home`, which may have to preempt or to start a slice.
static void announce(struct hart *home, unsigned long can)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!others_tell(home, can))
        hart_request(home, REQUEST_RESCHEDULE);
}

// --- those that may not run anywhere --------------------------------------------------------------------

static unsigned load_of(const struct hart *h)
{
    const struct queue *q = h->queue;
    return atomic_load_explicit(&q->length, memory_order_relaxed) + !heap_empty(&q->pinned) + (q->running != NULL);
}

// An idle hart that may take it, its home if that is idle; else the one with the least to do.
static struct hart *place_choose(const struct entity *e)
{
    struct hart *best = atomic_load_explicit(&e->home, memory_order_relaxed);
    unsigned long can = share_harts(e->share) & harts_all(), idle = can & atomic_load(&idle_harts);

    if (idle)
        can = idle;
    if (!(can & bit_of(best)))
        best = harts[__builtin_ctzl(can)];
    for (; can; can &= can - 1) {
        struct hart *h = harts[__builtin_ctzl(can)];
        if (load_of(h) < load_of(best))
            best = h;
    }
    return best;
}

// Puts what is in no queue, and being taken, into one where it may run.
#define LEAD_MOST (256 * VIRTUAL_SLICE)
static __attribute__((noinline)) void place(struct entity *e)
{
    struct hart *to;
    unsigned long can;
    bool done = false;

    // Harts of its own may have brought it far ahead of all others, which is no debt.
    uint64_t floor = floor_read() << HINT_SHIFT;
    if (e->virtual_time > floor + LEAD_MOST)
        e->virtual_time = floor;
    while (!done) {
        to = place_choose(e);
        lock_acquire(&to->queue->lock);
        if ((done = share_may_run(e->share, to))) {
            atomic_store_explicit(&e->home, to, memory_order_release);
            ready_insert(to->queue, e);
        }
        can = share_harts(e->share); // once it is there, it may run, and its capsule end, before we go on
        lock_release(&to->queue->lock);
    }
    announce(to, can);
}

// Those taken out of a queue on a list, linked by their ready nodes.
static void place_all(struct heap_node *list)
{
    for (struct heap_node *next; list; list = next) {
        next = list->next;
        place(container_of(list, struct entity, ready));
    }
}

// Takes the lock of the queue at the entity's home, and answers it.
static struct queue *home_acquire(struct entity *e)
{
    for (;;) {
        struct hart *home = atomic_load_explicit(&e->home, memory_order_acquire);
        if (unlikely(!home))
            continue; // just being moved (sched_evacuate)
        lock_acquire(&home->queue->lock);
        if (atomic_load_explicit(&e->home, memory_order_relaxed) == home)
            return home->queue;
        lock_release(&home->queue->lock); // it moved on meanwhile
    }
}

static unsigned long shared_or_own(const struct entity *e)
{
    return likely(!e->share->is_pinned) ? shared_read() : share_harts(e->share);
}

static void make_ready(struct entity *e, enum entity_state from)
{
    struct queue *q = home_acquire(e);
    struct hart *home = atomic_load_explicit(&e->home, memory_order_relaxed);
    bool is_due = e->state == from, is_here = false;

    if (is_due) {
        if (from == ENTITY_WAITING)
            sleeper_remove(q, e);
        is_here = awake(home, e);
    }
    lock_release(&q->lock);
    if (is_here)
        announce(home, shared_or_own(e));
    else if (is_due)
        place(e);
}

void sched_wake(struct entity *e)
{
    make_ready(e, ENTITY_WAITING);
}
void sched_start(struct entity *e)
{
    make_ready(e, ENTITY_PARKED);
}

void sched_sleep(struct entity *e, uint64_t deadline, bool (*has_cause)(struct entity *))
{
    struct queue *q = home_acquire(e);
    struct hart *home = atomic_load_explicit(&e->home, memory_order_relaxed);
    bool is_due = e->state == ENTITY_PARKED && has_cause && has_cause(e);

    bool is_here = is_due && awake(home, e);
    if (!is_due && e->state == ENTITY_PARKED)
        fall_asleep(q, e, deadline);
    lock_release(&q->lock);
    if (is_here)
        announce(home, shared_or_own(e));
    else if (is_due)
        place(e);
    else if (deadline != TIME_NEVER)
        hart_request(home, REQUEST_RESCHEDULE); // its timer may have to come earlier
}

uint64_t entity_consumed(struct entity *e)
{
    struct queue *q = home_acquire(e);
    uint64_t consumed = e->consumed;

    if (q->running == e)
        consumed += hart_time() - e->started;
    lock_release(&q->lock);
    return consumed;
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

// The same for the first of the pinned.
static struct hart *poorest_pinned(const struct hart *h, bool any, unsigned long than)
{
    struct hart *found = NULL;

    for (unsigned i = 0; i < harts_count; i++) {
        struct queue *q = harts[i]->queue;
        if (harts[i] == h || !q || !(atomic_load(&q->pinned_harts) & bit_of(h)))
            continue;
        unsigned long hint = atomic_load_explicit(&q->pinned_hint, memory_order_relaxed);
        if (any || hint_before(hint, than)) {
            found = harts[i];
            than = hint;
            any = false;
        }
    }
    return found;
}

static struct entity *take_pinned(struct hart *victim, struct hart *h)
{
    struct queue *q = victim->queue;

    lock_acquire(&q->lock);
    struct heap_node *node = heap_first(&q->pinned);
    struct entity *e = node ? container_of(node, struct entity, ready) : NULL;
    if (e && share_may_run(e->share, h)) {
        ready_remove(q, e);
        atomic_store_explicit(&e->home, h, memory_order_release);
    } else {
        e = NULL;
        pinned_update(q);
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

static struct entity *steal(struct hart *h, bool any, uint64_t own_virtual_time)
{
    if (atomic_load(&sched_ready_total) <= atomic_load_explicit(&h->queue->length, memory_order_relaxed))
        return NULL;
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

static struct entity *start(struct hart *h, struct entity *e)
{
    struct queue *q = h->queue;

    uint64_t now = hart_time();
    e->stolen += now - e->started;
    e->started = now;
    q->running = e;
    virtual_time_catch_up(q, e, CREDIT_RUNNING);
    q->floor = e->virtual_time;
    q->slice_end = TIME_NEVER;
    if (is_wanted(q)) {
        q->slice_end = now + slice_length;
        if (is_any_free() ? !e->share->is_pinned : !q->owner)
            floor_raise(e, UINT64_MAX);
        // More than one may have become ready while this hart alone was told.
        others_tell(h,
                    (is_any_free() ? shared_read() : 0) | atomic_load_explicit(&q->pinned_harts, memory_order_relaxed));
    }
    if (unlikely(e->share->is_capped))
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
    struct entity *e = q->next;

    if (unlikely(e)) {
        q->next = NULL;
        return e;
    }
    e = steal(h, !first, first ? first->key : 0);
    if (e)
        return e;
    lock_acquire(&q->lock);
    e = ready_pop(q);
    lock_release(&q->lock);
    return e;
}

struct entity *sched_pick(struct hart *h)
{
    for (;;) {
        struct entity *e = pick_one(h);
        if (!e)
            return NULL;
        atomic_store(&e->running, h); // and then its limits are looked at: see sched_set_affinity()
        if (likely(!h->queue->owner && !e->share->is_pinned && !e->share->is_capped) || admit(h, e))
            return start(h, e);
    }
}

bool sched_yield_to(struct hart *h, struct entity *to)
{
    struct entity *from = h->queue->running;

    if (h->queue->next || to == from)
        return false;
    struct queue *q = home_acquire(to);
    bool can = to->state == ENTITY_READY && share_may_run(to->share, h);
    if (can) {
        ready_remove(q, to);
        atomic_store_explicit(&to->home, h, memory_order_release);
    }
    lock_release(&q->lock);
    if (!can)
        return false;
    // It runs on the other's time, which takes its turn: nobody gets more by it.
    uint64_t turn = to->virtual_time;
    if (turn > from->virtual_time) {
        to->virtual_time = from->virtual_time;
        from->virtual_time = turn;
    }
    h->queue->next = to;
    return true;
}

// Takes out all of one heap.
static struct heap_node *ready_take_all(struct queue *q, struct heap *heap, struct heap_node *list)
{
    for (struct heap_node *node; (node = heap_first(heap)) != NULL; list = node) {
        ready_remove(q, container_of(node, struct entity, ready));
        node->next = list;
    }
    return list;
}

// Sleepers are woken by their timer, wherever that is: each is in its new queue before it could be woken, as
// its home's lock is what a waker waits for.
static void sleeper_move(struct entity *e, struct hart *to)
{
    uint64_t deadline = e->timer.key;

    lock_acquire(&to->queue->lock);
    heap_insert(&to->queue->sleepers, &e->timer);
    atomic_store_explicit(&e->home, to, memory_order_release);
    lock_release(&to->queue->lock);
    if (deadline != TIME_NEVER)
        hart_request(to, REQUEST_RESCHEDULE);
}

void sched_evacuate(struct hart *h)
{
    struct queue *q = h->queue;
    struct heap_node *list, *sleepers = NULL;

    lock_acquire(&q->lock);
    list = ready_take_all(q, &q->ready, NULL);
    list = ready_take_all(q, &q->pinned, list);
    for (struct heap_node *node; (node = heap_pop(&q->sleepers)) != NULL; sleepers = node) {
        atomic_store_explicit(&container_of(node, struct entity, timer)->home, NULL, memory_order_relaxed);
        node->next = sleepers;
    }
    lock_release(&q->lock);
    place_all(list);
    for (struct heap_node *next; sleepers; sleepers = next) {
        struct entity *e = container_of(sleepers, struct entity, timer);
        next = sleepers->next;
        sleeper_move(e, share_may_run(e->share, h) ? h : harts[__builtin_ctzl(share_harts(e->share))]);
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

static bool is_anyone_poorer(struct hart *h, const struct entity *e)
{
    unsigned long than = hint_of(e->virtual_time) - HINT_HALF_SLICE;
    if (unlikely(atomic_load_explicit(&pinned_total, memory_order_relaxed)) && poorest_pinned(h, false, than))
        return true;
    return !h->queue->owner && poorest(h, false, than);
}

bool sched_should_switch(struct hart *h, uint64_t now)
{
    struct queue *q = h->queue;
    struct entity *e = q->running;
    bool ended = now >= q->slice_end;

    if (!e)
        return true;
    lock_acquire(&q->lock);
    charge(q, e, now);
    bool make_way = newcomer_preempts(q, e, ended);
    lock_release(&q->lock);
    if (unlikely(q->owner || e->share->is_pinned) && !share_may_run(e->share, h))
        return true;
    if (ended && !make_way)
        make_way = is_anyone_poorer(h, e);
    if (make_way || !(ended || q->slice_end == TIME_NEVER))
        return make_way;
    if (unlikely(e->share->is_capped))
        return !budget_renew(q, e, now);
    q->slice_end = is_wanted(q) ? now + slice_length : TIME_NEVER;
    return false;
}

// --- time -----------------------------------------------------------------------------------------------

void sched_expire(struct hart *h, uint64_t now)
{
    struct queue *q = h->queue;
    struct heap_node *elsewhere = NULL;
    bool any = false;

    lock_acquire(&q->lock);
    for (;;) {
        struct heap_node *first = heap_first(&q->sleepers);
        if (!first || first->key > now)
            break;
        heap_pop(&q->sleepers);
        struct entity *e = container_of(first, struct entity, timer);
        if (awake(h, e)) {
            any = true;
        } else {
            e->ready.next = elsewhere;
            elsewhere = &e->ready;
        }
    }
    lock_release(&q->lock);
    place_all(elsewhere);
    // This hart looks by itself, at once if it runs nothing.
    atomic_thread_fence(memory_order_seq_cst);
    if (any && q->running && !q->owner)
        others_tell(h, shared_read());
}

uint64_t sched_deadline(const struct hart *h)
{
    const struct queue *q = h->queue;
    const struct heap_node *first = heap_first(&q->sleepers); // only this hart inserts and expires
    uint64_t sleeper = first ? first->key : TIME_NEVER;

    return sleeper < q->slice_end ? sleeper : q->slice_end;
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

void sched_share(struct hart *h)
{
    sched_tighten(h);
    if (h->queue->slice_end == TIME_NEVER) // contention began after the slice was chosen
        h->queue->slice_end = hart_time() + slice_length;
}

void sched_tighten(struct hart *h)
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
