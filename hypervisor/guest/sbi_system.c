// HSM, SUSP and SRST: starting, stopping, suspending vcores; suspending, ending and resetting the capsule.
#include "sbi.h"

static bool is_vcore(const struct vcore *v, unsigned long hart)
{
    return hart < v->capsule->vcore_count;
}

static enum exit hart_start(struct vcore *v, unsigned long hart, unsigned long pc, unsigned long opaque)
{
    uint32_t stopped = HSM_STOPPED;

    if (!is_vcore(v, hart))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    struct vcore *target = v->capsule->vcores[hart];
    if (!vcore_can_start_at(v, pc))
        return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
    if (!atomic_compare_exchange_strong(&target->hsm, &stopped, HSM_START_PENDING))
        return sbi_return(v, stopped == HSM_STOP_PENDING ? SBI_ERR_FAILED : SBI_ERR_ALREADY_AVAILABLE, 0);
    vcore_boot_state(target, pc, opaque);
    atomic_fetch_add(&v->capsule->active, 1);
    sched_start(&target->entity);
    return sbi_return(v, SBI_SUCCESS, 0);
}

#define SUSPEND_RETENTIVE 0x00000000u
#define SUSPEND_NON_RETENTIVE 0x80000000u

// Until an interrupt comes that the vcore has enabled. Non-retentive: it then goes on at `pc`, as started anew.
static enum exit suspend(struct vcore *v, bool non_retentive, unsigned long pc, unsigned long opaque)
{
    v->resume_fresh = non_retentive;
    v->start_pc = pc;
    v->start_opaque = opaque;
    atomic_store(&v->hsm, HSM_SUSPENDED);
    return EXIT_WAIT;
}

static enum exit hart_suspend(struct vcore *v, uint32_t type, unsigned long pc, unsigned long opaque)
{
    bool non_retentive = type == SUSPEND_NON_RETENTIVE;

    if (type != SUSPEND_RETENTIVE && !non_retentive)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0); // reserved, or the platform's own: there are none
    if (non_retentive && !vcore_can_start_at(v, pc))
        return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
    sbi_return(v, SBI_SUCCESS, 0);
    return suspend(v, non_retentive, pc, opaque);
}

enum exit sbi_hsm(struct vcore *v, unsigned long function)
{
    unsigned long hart = ARGUMENT(v, 0);

    switch (function) {
    case 0:
        return hart_start(v, hart, ARGUMENT(v, 1), ARGUMENT(v, 2));
    case 1:
        atomic_store(&v->hsm, HSM_STOP_PENDING);
        return EXIT_STOP;
    case 2:
        if (!is_vcore(v, hart))
            return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
        return sbi_return(v, SBI_SUCCESS, atomic_load(&v->capsule->vcores[hart]->hsm));
    case 3:
        return hart_suspend(v, (uint32_t)ARGUMENT(v, 0), ARGUMENT(v, 1), ARGUMENT(v, 2));
    default:
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    }
}

#define SUSPEND_TO_RAM 0u

static bool others_are_stopped(const struct vcore *v)
{
    for (unsigned i = 0; i < v->capsule->vcore_count; i++)
        if (i != v->index && atomic_load(&v->capsule->vcores[i]->hsm) != HSM_STOPPED)
            return false;
    return true; // and nobody is left who could start one
}

enum exit sbi_susp(struct vcore *v, unsigned long function)
{
    unsigned long pc = ARGUMENT(v, 1);

    if (function != 0)
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    if ((uint32_t)ARGUMENT(v, 0) != SUSPEND_TO_RAM)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (!vcore_can_start_at(v, pc))
        return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
    if (!others_are_stopped(v))
        return sbi_return(v, SBI_ERR_DENIED, 0);
    return suspend(v, true, pc, ARGUMENT(v, 2));
}

#define RESET_SHUTDOWN 0u
#define RESET_COLD 1u
#define RESET_WARM 2u
#define REASON_NONE 0u
#define REASON_FAILURE 1u

enum exit sbi_shutdown(struct vcore *v)
{
    vcore_end(v, ENDING_SHUTDOWN);
    return EXIT_END;
}

enum exit sbi_srst(struct vcore *v, unsigned long function)
{
    uint32_t type = (uint32_t)ARGUMENT(v, 0), reason = (uint32_t)ARGUMENT(v, 1);

    if (function != 0)
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    // Reserved, or the platform's own: there are none.
    if (type > RESET_WARM || reason > REASON_FAILURE)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (type == RESET_SHUTDOWN) {
        if (vcore_end(v, reason == REASON_FAILURE ? ENDING_FAILURE : ENDING_SHUTDOWN))
            v->capsule->ending_detail[0] = 0;
    } else {
        vcore_end(v, ENDING_REBOOT);
    }
    return EXIT_END;
}
