// Clones: a capsule's memory, vcores and devices as they are at one moment, while none of its vcores runs. It is
// done by the original's life, in steps; its vcores go on when the last of the clones that wait is made.
#include <string.h>

#include "capsule_state.h"
#include "console.h"
#include "devices.h"
#include "equip.h"
#include "log.h"
#include "sbi.h"

static void world_clone(struct world *to, const struct world *from, struct space *space)
{
    struct vector_state *vector = to->vector;
    size_t bytes = sizeof(*vector) + 32 * isolation_features.vlenb;

    *to = *from;
    to->vector = vector;
    if (vector)
        memcpy(vector, from->vector, bytes);
    to->space = space;
    to->last = to->fp_home = to->vector_home = NULL;
    atomic_store(&to->stale, 1);
}

static void vcore_clone(struct vcore *to, const struct vcore *from)
{
    memcpy(to->context.x, from->context.x, sizeof(to->context.x));
    to->context.pc = from->context.pc;
    world_clone(&to->world, &from->world, &to->capsule->space);
    atomic_store(&to->hsm, atomic_load(&from->hsm));
    atomic_store(&to->posted, atomic_load(&from->posted));
    atomic_store(&to->external, atomic_load(&from->external));
    to->timer = from->timer;
    to->start_pc = from->start_pc;
    to->start_opaque = from->start_opaque;
    to->resume_fresh = from->resume_fresh;
    to->asleep = from->asleep;
    to->held = true;
    to->wake_at = from->wake_at;
    to->pmu = from->pmu;
    sbi_pmu_rebase(to, from);
    to->fwft_locked = from->fwft_locked;
    to->reports_steal = from->reports_steal;
    to->steal = from->steal;
    to->steal.start = to->entity.stolen;
}

// The clone's console is its own, and empty; so its UART has nothing under way.
static void devices_clone(struct capsule *to, struct capsule *from)
{
    lock_acquire(&from->devices);
    memcpy(to->plic, from->plic, vplic_size(from->vcore_count));
    to->uart = from->uart;
    lock_release(&from->devices);
    atomic_fetch_or(&to->work, atomic_load(&from->work)); // requests that have begun
    lock_acquire(&to->devices);
    to->uart.owner = &to->stream;
    to->uart.asked = 0; // to shut down: not the clone was
    to->is_input_virtio = from->is_input_virtio;
    entropy_draw(to->generation.id, sizeof(to->generation.id));
    vplic_set_level(to->plic, GENERATION_IRQ, true); // an edge: the gateway keeps it
    vplic_set_level(to->plic, GENERATION_IRQ, false);
    capsule_lines_update(to);
    capsule_stream_event(to);
}

static struct capsule_state *fork_pop(struct capsule_state *original)
{
    struct capsule_state *clone = original->forks;

    original->forks = clone->fork.next;
    clone->fork.original = NULL;
    clone->fork.next = NULL;
    return clone;
}

static void answer(struct vcore *v, long error, unsigned long value)
{
    if (v)
        sbi_return(v, error, value);
}

void fork_fail(struct capsule_state *original, enum diosix_lack lack)
{
    struct capsule_state *clone = fork_pop(original);

    answer(clone->fork.caller, SBI_ERR_FAILED, lack);
    clone->last = ENDING_MEMORY;
    if (clone->fork.begun) { // too much to be given back under the lock: its own life does it
        clone->stage = LIFE_SCRUBBING;
        life_count_start(clone);
    } else {
        life_stopped(clone);
    }
    if (clone->fork.caller) // which would not know its id
        clone->doomed = true;
    capsule_notify(&clone->capsule);
}

static void fork_finish(struct capsule_state *original)
{
    struct vcore *caller = original->forks->fork.caller;
    struct capsule_state *clone = fork_pop(original);
    struct capsule *c = &clone->capsule;

    for (unsigned i = 0; i < c->vcore_count; i++)
        vcore_clone(c->vcores[i], original->capsule.vcores[i]);
    devices_clone(c, &original->capsule);
    if (caller)
        answer(c->vcores[caller->index], SBI_SUCCESS, 0);
    answer(caller, SBI_SUCCESS, clone->node.id);
    clone->image = original->image;
    clone->layout = original->layout;
    clone->started_at = hart_time();
    clone->starts = 1;
    clone->stage = LIFE_PAUSED; // and its own life lets it go on
    clone->on_console = true;
    atomic_store(&c->halt, HALT_HELD);
    console_add(&c->stream);
    life_count_start(clone);
    capsule_notify(c);
}

void fork_step(struct capsule_state *original)
{
    struct capsule_state *clone = original->forks;
    struct space *to = &clone->capsule.space, *from = &original->capsule.space;
    const char *why;

    if (clone->doomed) {
        fork_fail(original, DIOSIX_LACK_NONE);
        return;
    }
    if (!clone->fork.begun && space_fork_begin(to, from, clone->capsule.id, &why) != STATUS_OK) {
        fork_fail(original, DIOSIX_LACK_MEMORY);
        return;
    }
    clone->fork.begun = true;
    enum status status = STATUS_OK;
    bool more = true;
    if (clone->fork.progress < from->size)
        status = space_fork_step(to, from, &clone->fork.progress);
    else
        more = equip_clone_step(clone, original, &status);
    if (status != STATUS_OK)
        fork_fail(original, DIOSIX_LACK_MEMORY);
    else if (!more)
        fork_finish(original);
}
