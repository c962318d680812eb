#include "vcore.h"

#include <string.h>

void vcore_boot_state(struct vcore *v, unsigned long pc, unsigned long opaque)
{
    memset(v->context.x, 0, sizeof(v->context.x));
    v->context.x[10] = v->index;
    v->context.x[11] = opaque;
    v->context.pc = pc;
    v->timer = TIME_NEVER;
    v->resume_fresh = false;
    atomic_store(&v->posted, 0);
    world_reset(&v->world);
}

bool vcore_can_start_at(const struct vcore *v, unsigned long pc)
{
    struct hpa ignored;
    return !(pc & 1) && space_translate(&v->capsule->space, gpa(pc), 2, &ignored);
}
