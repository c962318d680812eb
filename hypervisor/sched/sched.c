#include "sched.h"

#include "log.h"

static uint64_t slice_length;
_Atomic uint32_t sched_ready_total;
static _Atomic unsigned long idle_harts;    // asleep in the idle loop
static _Atomic unsigned long relaxed_harts; // running a guest that may sleep unseen

static unsigned long bit_of(const struct hart *h)
{
    return 1UL << h->index;
}

// Virtual time: 64 bits of it last for ages at any weight. A tick's part is rounded off below 1/2^20 of it; that
// the product wraps after hours without a charge does no harm, as who is far behind is let catch up.
#define VIRTUAL_SLICE 65536u
#define FACTOR_SHIFT 20

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
    share_init(&share_common);
}

void share_init(struct share *s)
{
    *s = (struct share){0};
    (void)!sched_set_weight(s, WEIGHT_DEFAULT);
}

enum status sched_set_weight(struct share *s, unsigned weight)
{
    if (weight < 1 || weight > WEIGHT_MAX)
        return STATUS_INVALID;
    uint64_t factor = ((uint64_t)VIRTUAL_SLICE * WEIGHT_DEFAULT << FACTOR_SHIFT) / (slice_length * weight);
    s->factor = factor > UINT32_MAX ? UINT32_MAX : (uint32_t)factor;
    return STATUS_OK;
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

static void ready_insert(struct queue *q, struct entity *e)
{
    e->state = ENTITY_READY;
    e->ready.key = e->virtual_time;
    heap_insert(&q->ready, &e->ready);
    hint_update(q);
    atomic_fetch_add_explicit(&q->length, 1, memory_order_relaxed);
    atomic_fetch_add(&sched_ready_total, 1);
}

static struct entity *ready_pop(struct queue *q)
{
    struct heap_node *node = heap_pop(&q->ready);
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
    if (q->slice_end == TIME_NEVER)
        floor_raise(e, (part >> HINT_SHIFT) + 1);
}

// A sleeper comes back with at most half a slice of credit: enough to be served soon, too little to
// starve those who stayed. Who runs alone is charged late, so the floor may turn out to have been low
// then: whoever starts to run has no more than a few slices of credit.
#define CREDIT_AWAKE HINT_HALF_SLICE
#define CREDIT_RUNNING (8 * HINT_HALF_SLICE)
static void virtual_time_catch_up(struct entity *e, unsigned credit)
{
    int64_t behind = (int64_t)(floor_read() - credit - (e->virtual_time >> HINT_SHIFT));
    if (behind > 0)
        e->virtual_time += (uint64_t)behind << HINT_SHIFT;
}

static void awake(struct queue *q, struct entity *e)
{
    e->started = hart_time();
    virtual_time_catch_up(e, CREDIT_AWAKE);
    ready_insert(q, e);
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
static bool others_tell(const struct hart *home)
{
    unsigned long idle = atomic_load(&idle_harts);
    unsigned long relaxed = atomic_load(&relaxed_harts) & ~bit_of(home);

    if (idle) {
        hart_request(harts[idle & bit_of(home) ? home->index : (unsigned)__builtin_ctzl(idle)], REQUEST_RESCHEDULE);
        return true;
    }
    for (; relaxed; relaxed &= relaxed - 1)
        hart_request(harts[__builtin_ctzl(relaxed)], REQUEST_RESCHEDULE);
    return false;
}

// Something has become ready at `home`, which may have to preempt or to start a slice.
static void announce(struct hart *home)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!others_tell(home))
        hart_request(home, REQUEST_RESCHEDULE);
}

// Takes the lock of the queue at the entity's home, and answers it.
static struct queue *home_acquire(struct entity *e)
{
    for (;;) {
        struct hart *home = atomic_load_explicit(&e->home, memory_order_acquire);
        lock_acquire(&home->queue->lock);
        if (atomic_load_explicit(&e->home, memory_order_relaxed) == home)
            return home->queue;
        lock_release(&home->queue->lock); // it moved on meanwhile
    }
}

static void make_ready(struct entity *e, enum entity_state from)
{
    struct queue *q = home_acquire(e);
    struct hart *home = atomic_load_explicit(&e->home, memory_order_relaxed);
    bool is_due = e->state == from;

    if (is_due) {
        if (from == ENTITY_WAITING)
            sleeper_remove(q, e);
        awake(q, e);
    }
    lock_release(&q->lock);
    if (is_due)
        announce(home);
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

    if (is_due)
        awake(q, e);
    else if (e->state == ENTITY_PARKED)
        fall_asleep(q, e, deadline);
    lock_release(&q->lock);
    if (is_due)
        announce(home);
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
    q->running = NULL;
    q->slice_end = TIME_NEVER; // an idle hart has none
    if (how != PUT_READY && has_cause && has_cause(e))
        how = PUT_READY;
    switch (how) {
    case PUT_READY:
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
}

static struct entity *take_from(struct hart *victim, struct hart *h)
{
    struct queue *q = victim->queue;

    lock_acquire(&q->lock);
    struct entity *e = ready_pop(q);
    if (e)
        atomic_store_explicit(&e->home, h, memory_order_release);
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
    struct hart *victim = poorest(h, any, hint_of(own_virtual_time) - HINT_HALF_SLICE);
    return victim ? take_from(victim, h) : NULL;
}

static struct entity *start(struct hart *h, struct entity *e)
{
    struct queue *q = h->queue;

    uint64_t now = hart_time();
    e->stolen += now - e->started;
    e->started = now;
    q->running = e;
    virtual_time_catch_up(e, CREDIT_RUNNING);
    q->slice_end = TIME_NEVER;
    atomic_store(&e->running, h);
    if (sched_is_contended()) {
        q->slice_end = now + slice_length;
        floor_raise(e, UINT64_MAX);
        others_tell(h); // more than one may have become ready while this hart alone was told
    }
    return e;
}

struct entity *sched_pick(struct hart *h)
{
    struct queue *q = h->queue;
    const struct heap_node *first = heap_first(&q->ready); // a hint: looked at again under the lock
    struct entity *e = q->next;

    if (unlikely(e)) {
        q->next = NULL;
        return start(h, e);
    }
    e = steal(h, !first, first ? first->key : 0);

    if (!e) {
        lock_acquire(&q->lock);
        e = ready_pop(q);
        lock_release(&q->lock);
    }
    return e ? start(h, e) : NULL;
}

// Should the first in the queue run instead of `e`? A newcomer preempts if it has had less by a quarter of a
// slice; at a slice's end, if by anything. Who is behind all others, its weight being more than a hart is worth,
// does not keep newcomers waiting either: the first goes next, although it would not be chosen.
static bool newcomer_preempts(struct queue *q, const struct entity *e, bool ended)
{
    const struct heap_node *first = heap_first(&q->ready);

    if (!first)
        return false;
    if (first->key + (ended ? 0 : VIRTUAL_SLICE / 4) < e->virtual_time)
        return true;
    if (first->key + VIRTUAL_SLICE / 4 >= floor_read() << HINT_SHIFT)
        return false;
    q->next = ready_pop(q);
    return true;
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
    if (ended && !make_way)
        make_way = poorest(h, false, hint_of(e->virtual_time) - HINT_HALF_SLICE) != NULL;
    if (!make_way && (ended || q->slice_end == TIME_NEVER))
        q->slice_end = sched_is_contended() ? now + slice_length : TIME_NEVER;
    return make_way;
}

// --- time -----------------------------------------------------------------------------------------------

void sched_expire(struct hart *h, uint64_t now)
{
    struct queue *q = h->queue;
    bool any = false;

    lock_acquire(&q->lock);
    for (;;) {
        struct heap_node *first = heap_first(&q->sleepers);
        if (!first || first->key > now)
            break;
        heap_pop(&q->sleepers);
        struct entity *e = container_of(first, struct entity, timer);
        awake(q, e);
        any = true;
    }
    lock_release(&q->lock);
    // This hart looks by itself, at once if it runs nothing.
    atomic_thread_fence(memory_order_seq_cst);
    if (any && q->running)
        others_tell(h);
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
    atomic_fetch_or(&relaxed_harts, bit_of(h));
    atomic_thread_fence(memory_order_seq_cst);
    return !sched_is_contended();
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

bool sched_idle_enter(struct hart *h)
{
    atomic_fetch_or(&idle_harts, bit_of(h));
    atomic_thread_fence(memory_order_seq_cst);
    if (!sched_is_contended())
        return true;
    sched_idle_leave(h);
    return false;
}

void sched_idle_leave(struct hart *h)
{
    atomic_fetch_and(&idle_harts, ~bit_of(h));
}
