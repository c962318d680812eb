// What a capsule may have of the harts: weight, cap, affinity, harts of its own.
//
// A capped capsule has a budget for each period. A vcore that is to run takes part of it in advance, and gives
// back what it did not use; so its vcores on several harts never use more together than there is, but for
// what an exit takes. A vcore that finds nothing to take is HELD until the next period. Part by part, because
// who takes all at once keeps its siblings on other harts waiting for what it may not use.
#include "limits.h"

static uint64_t slice_length, period_length, least_part;
static struct lock owners; // guards `owned` of all shares, and shared_harts
_Atomic unsigned long shared_harts;

// Periods of 5 slices, 20 ms: a fifth of what a person notices, and long against what a switch costs. With a cap
// of 1 %, a capsule gets 200 microseconds at a time.
#define PERIOD_SLICES 5

void limits_init(uint64_t slice)
{
    slice_length = slice;
    period_length = PERIOD_SLICES * slice;
    least_part = slice / 16;
    atomic_store(&shared_harts, ~0UL);
}

void share_init(struct share *s)
{
    *s = (struct share){.harts = ~0UL};
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

struct hart *sched_shared_hart(void)
{
    return harts[__builtin_ctzl(atomic_load(&shared_harts))];
}

// --- the cap -------------------------------------------------------------------------------------

// What stays as it is begins no new period: who may set something else could have all budgets full again.
enum status sched_set_cap(struct share *s, unsigned percent)
{
    uint64_t budget = period_length * percent / 100;

    if (percent > CAP_MAX)
        return STATUS_INVALID;
    lock_acquire(&s->lock);
    if (s->is_capped != (percent != 0) || s->budget != budget) {
        s->budget = budget;
        s->period_end = 0;
        s->left = 0;
        s->is_capped = percent != 0;
    }
    lock_release(&s->lock);
    return STATUS_OK;
}

static void period_begin(struct share *s, uint64_t now)
{
    s->period_end = now - s->period_end < period_length ? s->period_end + period_length : now + period_length;
    s->left = (int64_t)s->budget + (s->left < 0 ? s->left : 0); // debts are paid
}

uint64_t budget_take(struct share *s, uint64_t now, uint64_t *until)
{
    int64_t part = 0;

    lock_acquire(&s->lock);
    if (now >= s->period_end)
        period_begin(s, now);
    if (s->left > (int64_t)least_part / 8) {
        part = s->left / 4;
        if (part > (int64_t)slice_length)
            part = (int64_t)slice_length;
        if (part < (int64_t)least_part)
            part = s->left < (int64_t)least_part ? s->left : (int64_t)least_part;
        s->left -= part;
    }
    *until = s->period_end;
    lock_release(&s->lock);
    return (uint64_t)part;
}

void budget_give_back(struct share *s, int64_t unused)
{
    lock_acquire(&s->lock);
    s->left += unused;
    if (s->left > (int64_t)s->budget)
        s->left = (int64_t)s->budget; // taken in an earlier period
    lock_release(&s->lock);
}

// --- which harts ---------------------------------------------------------------------------------

enum status sched_set_affinity(struct share *s, unsigned long harts_mask)
{
    unsigned long wanted = harts_mask & harts_all();
    enum status status = STATUS_OK;

    lock_acquire(&owners);
    if (!wanted)
        status = STATUS_INVALID;
    else if (s->harts != (wanted == harts_all() ? ~0UL : wanted)) {
        if (s->owned || !(wanted & atomic_load(&shared_harts)))
            status = STATUS_BUSY;
        else {
            s->is_pinned = wanted != harts_all();
            s->harts = s->is_pinned ? wanted : ~0UL;
        }
    }
    lock_release(&owners);
    return status;
}

static void owner_set(unsigned long which, struct share *owner)
{
    for (; which; which &= which - 1) {
        struct hart *h = harts[__builtin_ctzl(which)];
        lock_acquire(&h->queue->lock);
        h->queue->owner = owner;
        lock_release(&h->queue->lock);
        sched_evacuate(h);
    }
    // All look again at what they run: something may have to go.
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < harts_count; i++)
        hart_request(harts[i], REQUEST_RESCHEDULE);
}

enum status sched_set_exclusive(struct share *s, bool exclusive)
{
    lock_acquire(&owners);
    unsigned long shared = atomic_load(&shared_harts), own = s->harts & harts_all();
    enum status status = STATUS_OK;

    if (exclusive == (s->owned != 0))
        own = 0; // nothing changes
    else if (exclusive && (own & ~shared))
        status = STATUS_BUSY;
    else if (exclusive && !(harts_all() & shared & ~own))
        status = STATUS_INVALID;
    if (own && status == STATUS_OK) {
        s->owned = exclusive ? own : 0;
        atomic_store(&shared_harts, exclusive ? shared & ~own : shared | own);
        owner_set(own, exclusive ? s : NULL);
    }
    lock_release(&owners);
    return status;
}
