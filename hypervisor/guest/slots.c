// The slots of a capsule's virtio devices: accesses to their registers, and what their queues ask for.
//
// A driver's notification is served in its own exit, one step of it, as is what a disk's interrupt brings to one of the
// capsule's vcores. Longer work, and what comes from elsewhere, is left to the capsule's worker, which is scheduled
// like one more vcore: it takes the capsule's time, not others', and between its steps its hart takes interrupts.
#include "devices.h"
#include "vcore.h"

// The line of a slot as its device drives it now. Whoever has changed something calls it after, so the last one to
// come here sees all.
static void line_update(struct capsule *c, unsigned slot)
{
    lock_acquire(&c->devices);
    vplic_set_level(c->plic, VIRTIO_IRQ + slot, virtio_irq(c->virtio[slot]));
    if (likely(c->plic->output == c->plic->reported))
        lock_release(&c->devices);
    else
        capsule_lines_update(c);
}

void capsule_work(struct capsule *c, unsigned slot)
{
    uint32_t bit = 1u << slot;

    if (!(atomic_fetch_or(&c->work, bit) & bit))
        sched_wake(&c->worker);
}

void capsule_work_here(struct capsule *c, unsigned slot)
{
    const struct context *interrupted = this_hart()->interrupted;

    if (interrupted && container_of(interrupted, struct vcore, context)->capsule == c)
        atomic_fetch_or(&c->work_here, 1u << slot);
    else
        capsule_work(c, slot);
}

bool worker_is_called(struct entity *e)
{
    const struct capsule *c = container_of(e, struct capsule, worker);
    return atomic_load(&c->work) || atomic_load(&c->halt);
}

void capsule_worker_start(struct capsule *c)
{
    bool any = false;

    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        any = any || c->virtio[i];
    if (!any)
        return;
    atomic_store(&c->worker_is_on, true);
    sched_start(&c->worker);
}

static void slot_after(struct capsule *c, unsigned slot, enum virtio_progress progress)
{
    if (progress == VIRTIO_MORE)
        capsule_work(c, slot);
    line_update(c, slot);
}

// In an exit of one of the capsule's vcores. False: it ends.
static bool slot_step(struct vcore *v, unsigned slot)
{
    struct capsule *c = v->capsule;
    enum virtio_progress progress = virtio_run(c->virtio[slot], VIRTIO_STEP_BYTES);

    if (progress == VIRTIO_LATER) // the worker is to wait for its time
        capsule_work(c, slot);
    slot_after(c, slot, progress);
    if (progress != VIRTIO_NO_MEMORY)
        return true;
    vcore_end(v, ENDING_MEMORY);
    return false;
}

uint64_t slots_load(struct vcore *v, uint32_t offset, unsigned bytes)
{
    return virtio_read(v->capsule->virtio[offset / VIRTIO_WINDOW], offset % VIRTIO_WINDOW, bytes);
}

enum outcome slots_store(struct vcore *v, uint32_t offset, unsigned bytes, uint64_t value)
{
    struct capsule *c = v->capsule;
    unsigned slot = offset / VIRTIO_WINDOW;
    struct virtio_device *d = c->virtio[slot];

    virtio_write(d, offset % VIRTIO_WINDOW, bytes, value);
    if (atomic_load_explicit(&d->called, memory_order_relaxed))
        return slot_step(v, slot) ? OUTCOME_DONE : OUTCOME_ENDING;
    line_update(c, slot);
    return OUTCOME_DONE;
}

// One of them, as an exit does one step; the worker has the others.
enum exit slots_work_here(struct vcore *v)
{
    struct capsule *c = v->capsule;
    uint32_t work = atomic_exchange(&c->work_here, 0);

    if (!work)
        return EXIT_RESUME; // a sibling was faster
    for (uint32_t others = work & (work - 1); others; others &= others - 1)
        capsule_work(c, (unsigned)__builtin_ctz(others));
    return slot_step(v, (unsigned)__builtin_ctz(work)) ? EXIT_RESUME : EXIT_END;
}

// In turn, so that none of them takes all.
static unsigned slot_next(const struct capsule *c, uint32_t work)
{
    uint32_t after = work & ~((2u << c->work_last) - 1);
    return (unsigned)__builtin_ctz(after ? after : work);
}

// Slots whose time has come, and when that of the first of the others will.
static uint32_t work_due(const struct capsule *c, uint64_t *first)
{
    uint32_t due = 0;

    *first = TIME_NEVER;
    for (uint32_t later = c->work_later; later; later &= later - 1) {
        unsigned slot = (unsigned)__builtin_ctz(later);
        if (c->work_at[slot] <= hart_time())
            due |= 1u << slot;
        else if (c->work_at[slot] < *first)
            *first = c->work_at[slot];
    }
    return due;
}

static void slot_work(struct capsule *c, unsigned slot)
{
    struct virtio_device *d = c->virtio[slot];

    atomic_fetch_and(&c->work, ~(1u << slot));
    c->work_later &= ~(1u << slot);
    virtio_resume(d);
    space_visit(&c->space, this_hart());
    enum virtio_progress progress = virtio_run(d, VIRTIO_STEP_BYTES);
    slot_after(c, slot, progress);
    space_visit_end(&c->space, this_hart());
    if (progress == VIRTIO_NO_MEMORY)
        capsule_end(c, ENDING_MEMORY);
    c->work_at[slot] = virtio_later(d);
    if (c->work_at[slot] != TIME_NEVER)
        c->work_later |= 1u << slot;
}

uint64_t capsule_work_step(struct capsule *c)
{
    uint64_t first;
    uint32_t work = atomic_load(&c->work) | work_due(c, &first);

    if (!work)
        return first;
    c->work_last = slot_next(c, work);
    slot_work(c, c->work_last);
    return work_due(c, &first) ? 0 : first;
}

// --- devices of other capsules -----------------------------------------------------------------------------

static struct capsule *capsule_of(const struct virtio_device *d)
{
    return container_of(d->space, struct capsule, space);
}

void virtio_wake(struct virtio_device *d)
{
    capsule_work(capsule_of(d), d->slot);
}

// The other's life sees either that we are there, or to it that we see that it does not run: it stops the worker, and
// then looks for visitors. Our own step sees to our own capsule.
bool virtio_visit(struct virtio_device *other, const struct space *own)
{
    struct capsule *c = capsule_of(other);

    if (other->space == own)
        return true;
    space_visit(other->space, this_hart());
    if (atomic_load(&c->worker_is_on) && !atomic_load(&c->halt))
        return true;
    space_visit_end(other->space, this_hart());
    return false;
}

void virtio_visit_end(struct virtio_device *other, const struct space *own, bool exhausted)
{
    struct capsule *c = capsule_of(other);

    line_update(c, other->slot);
    if (exhausted)
        capsule_end(c, ENDING_MEMORY); // while its life waits for us
    if (other->space != own)
        space_visit_end(other->space, this_hart());
}
