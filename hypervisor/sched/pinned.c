// Those that may not run on all harts: their own heap in each queue, and where they are put.
#include "queue.h"

_Atomic uint32_t pinned_total;

void pinned_update(struct queue *q)
{
    const struct heap_node *first = heap_first(&q->pinned);
    if (first)
        atomic_store_explicit(&q->pinned_hint, hint_of(first->key), memory_order_relaxed);
    const struct entity *e = container_of(first, struct entity, ready);
    atomic_store(&q->pinned_harts, first ? share_harts(e->share) : 0);
}

void pinned_insert(struct queue *q, struct entity *e)
{
    heap_insert(&q->pinned, &e->ready);
    pinned_update(q);
    atomic_fetch_add(&e->share->waiting, 1);
    atomic_fetch_add(&pinned_total, 1);
}

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

#define LEAD_MOST (256 * VIRTUAL_SLICE)
void place(struct entity *e)
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

void place_all(struct heap_node *list)
{
    for (struct heap_node *next; list; list = next) {
        next = list->next;
        place(container_of(list, struct entity, ready));
    }
}

struct hart *poorest_pinned(const struct hart *h, bool any, unsigned long than)
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

struct entity *take_pinned(struct hart *victim, struct hart *h)
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
