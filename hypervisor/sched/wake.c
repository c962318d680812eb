// Who sleeps, and who is woken.
#include "queue.h"

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

void fall_asleep(struct queue *q, struct entity *e, uint64_t deadline)
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

bool others_tell(const struct hart *home, unsigned long can)
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

void announce(struct hart *home, unsigned long can)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!others_tell(home, can))
        hart_request(home, REQUEST_RESCHEDULE);
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

void sched_expire_due(struct hart *h, uint64_t now)
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
