// STA: a guest reads in its own memory how long each of its vcores has waited for a hart.
//
// The page is written while the vcore does not run, so its own reads are whole; the sequence number is for
// its siblings' reads. It is the guest's memory: its address is looked at again for each write, and what
// the guest has written there does us no harm.
#include "sbi.h"

#include <string.h>

#define NANOSECONDS 1000000000u

// "STA Shared Memory Structure"
struct steal_page {
    _Atomic uint32_t sequence;
    uint32_t flags;
    uint64_t steal; // ns
    _Atomic uint8_t preempted;
    uint8_t pad[47];
};
_Static_assert(sizeof(struct steal_page) == 64, "as the specification has it");

static uint32_t ticks_per_second;

void sbi_sta_init(uint32_t timebase_hz)
{
    ticks_per_second = timebase_hz;
}

static struct steal_page *page_at(const struct vcore *v, struct gpa where)
{
    struct hpa host;

    // Where there is no memory for a page of its own, a capsule that was forked isn't told.
    if (space_translate_writable(&v->capsule->space, where, sizeof(struct steal_page), &host) != STATUS_OK)
        return NULL;
    return hpa_pointer(host);
}

static uint64_t nanoseconds(uint64_t ticks)
{
    uint64_t seconds = ticks / ticks_per_second;
    return seconds * NANOSECONDS + (ticks - seconds * ticks_per_second) * NANOSECONDS / ticks_per_second;
}

void sbi_sta_running(struct vcore *v)
{
    struct steal_page *p = page_at(v, v->steal.where);
    uint64_t steal = nanoseconds(v->entity.stolen - v->steal.start);

    if (!p)
        return;
    atomic_store_explicit(&p->preempted, 0, memory_order_relaxed);
    if (p->steal == steal)
        return;
    uint32_t sequence = atomic_load_explicit(&p->sequence, memory_order_relaxed) | 1;
    atomic_store_explicit(&p->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    p->steal = steal;
    atomic_store_explicit(&p->sequence, sequence + 1, memory_order_release);
}

void sbi_sta_preempted(struct vcore *v)
{
    struct steal_page *p = page_at(v, v->steal.where);

    if (p)
        atomic_store_explicit(&p->preempted, 1, memory_order_relaxed);
}

static enum exit set_shared_memory(struct vcore *v)
{
    bool off = ARGUMENT(v, 0) == -1UL && ARGUMENT(v, 1) == -1UL;
    struct gpa where = sbi_address(v, 0);

    if (ARGUMENT(v, 2) || (!off && ARGUMENT(v, 0) % sizeof(struct steal_page)))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    struct steal_page *p = off ? NULL : page_at(v, where);
    if (!off && !p)
        return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
    if (p)
        memset(p, 0, sizeof(*p));
    v->reports_steal = !off;
    v->steal = (struct steal){.where = where, .start = v->entity.stolen};
    return sbi_return(v, SBI_SUCCESS, 0);
}

enum exit sbi_sta(struct vcore *v, unsigned long function)
{
    return function == 0 ? set_shared_memory(v) : sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
}
