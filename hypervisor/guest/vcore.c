#include "vcore.h"

#include <string.h>

static void registers_reset(struct vcore *v, unsigned long pc, unsigned long opaque)
{
    memset(v->context.x, 0, sizeof(v->context.x));
    v->context.x[10] = v->index;
    v->context.x[11] = opaque;
    v->context.pc = pc;
    v->resume_fresh = v->asleep = v->held = false;
    world_reset(&v->world);
}

void vcore_boot_state(struct vcore *v, unsigned long pc, unsigned long opaque)
{
    registers_reset(v, pc, opaque);
    v->timer = TIME_NEVER;
    atomic_store(&v->posted, 0);
    v->pmu = (struct pmu){0};
    v->steal = (struct steal){0};
    v->reports_steal = false;
    v->fwft_locked = 0;
    world_extras_reset(&v->world);
}

void vcore_resume_state(struct vcore *v)
{
    unsigned long pending = v->world.pending;
    uint64_t timecmp = v->world.timecmp;

    registers_reset(v, v->start_pc, v->start_opaque);
    v->world.pending = pending;
    v->world.timecmp = timecmp;
}

void vcore_yield(struct vcore *v)
{
    const struct capsule *c = v->capsule;

    for (unsigned left = c->vcore_count, i = v->index; left; left--) {
        i = i + 1 < c->vcore_count ? i + 1 : 0; // from the next one on: each gets its turn
        struct entity *e = &c->vcores[i]->entity;
        if (e->state == ENTITY_READY && sched_yield_to(v->context.hart, e)) // a hint, before its lock is asked for
            return;
    }
}

bool vcore_can_start_at(const struct vcore *v, unsigned long pc)
{
    struct hpa ignored;
    return !(pc & 1) && space_translate(&v->capsule->space, gpa(pc), 2, &ignored);
}
