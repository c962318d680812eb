// A hart's queue, and virtual time.
#include "queue.h"

_Atomic uint32_t sched_ready_total;

// The machine's virtual time. Where hints are short, what they lack is in the second word; whoever reads
// the two apart finds them near each other.
static _Atomic unsigned long floor_hint, floor_ages;
#define FLOOR_AGE_SHIFT 24

void queues_init(void)
{
    atomic_store_explicit(&floor_hint, 0, memory_order_relaxed);
    atomic_store_explicit(&floor_ages, 0, memory_order_relaxed);
    atomic_store(&pinned_total, 0);
}

uint64_t floor_read(void)
{
    unsigned long hint = atomic_load_explicit(&floor_hint, memory_order_relaxed);
    if (!HINT_IS_SHORT)
        return hint;
    uint64_t near = (uint64_t)atomic_load_explicit(&floor_ages, memory_order_relaxed) << FLOOR_AGE_SHIFT;
    return near + (uint64_t)(int64_t)(long)(hint - (unsigned long)near);
}

void floor_raise(const struct entity *e, uint64_t by)
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

void ready_remove(struct queue *q, struct entity *e)
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

void ready_insert(struct queue *q, struct entity *e)
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

struct entity *ready_pop(struct queue *q)
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
void charge(struct queue *q, struct entity *e, uint64_t now)
{
    uint64_t part = virtual_time_since(e, now);

    e->consumed += now - e->started;
    e->started = now;
    e->virtual_time += part;
    if (q->slice_end == TIME_NEVER && !q->owner)
        floor_raise(e, (part >> HINT_SHIFT) + 1);
}

// Those pinned to few harts may get on slower there than all others do: they compare with each other.
void virtual_time_catch_up(const struct queue *q, struct entity *e, unsigned credit)
{
    uint64_t floor = unlikely(e->share->is_pinned) ? q->floor >> HINT_SHIFT : floor_read();
    int64_t behind = (int64_t)(floor - credit - (e->virtual_time >> HINT_SHIFT));
    if (behind > 0)
        e->virtual_time += (uint64_t)behind << HINT_SHIFT;
}

void floor_pass(struct queue *q, struct entity *e, bool raises)
{
    virtual_time_catch_up(q, e, CREDIT_RUNNING);
    q->floor = e->virtual_time;
    if (raises)
        floor_raise(e, UINT64_MAX);
}
