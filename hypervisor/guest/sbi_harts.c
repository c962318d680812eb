// TIME, IPI and RFENCE: what harts do to themselves and each other all the time.
#include "csr.h"
#include "sbi.h"

void sbi_set_timer(struct vcore *v, uint64_t guest_time)
{
    if (isolation_features.sstc) {
        world_set_timer(guest_time);
        return;
    }
    uint64_t when = guest_time - world_time_delta();
    v->timer = when < guest_time ? TIME_NEVER : when; // beyond the end of time is never
    world_lower(1UL << INTERRUPT_S_TIMER);
    hart_arm(this_hart());
}

enum exit sbi_time(struct vcore *v, unsigned long function)
{
    if (function != 0)
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    sbi_set_timer(v, sbi_wide(v, 0));
    return sbi_return(v, SBI_SUCCESS, 0);
}

bool sbi_harts(const struct vcore *v, unsigned long mask, unsigned long base, uint64_t *vcores)
{
    uint64_t all = ~0ULL >> (64 - v->capsule->vcore_count);

    if (base == -1UL) {
        *vcores = all;
        return true;
    }
    if (base >= 64)
        return false;
    *vcores = (uint64_t)mask << base;
    return *vcores >> base == mask && !(*vcores & ~all);
}

void sbi_send_ipi(struct vcore *v, uint64_t vcores)
{
    for (; vcores; vcores &= vcores - 1)
        vcore_post(v->capsule->vcores[__builtin_ctzll(vcores)], 1UL << INTERRUPT_S_SOFT);
}

enum exit sbi_ipi(struct vcore *v, unsigned long function)
{
    uint64_t vcores;

    if (function != 0)
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    if (!sbi_harts(v, ARGUMENT(v, 0), ARGUMENT(v, 1), &vcores))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    sbi_send_ipi(v, vcores);
    return sbi_return(v, SBI_SUCCESS, 0);
}

enum exit sbi_rfence(struct vcore *v, unsigned long function)
{
    struct fence_request request = {.start = ARGUMENT(v, 2), .size = ARGUMENT(v, 3)};
    uint64_t vcores;

    switch (function) {
    case 0:
        v->exits[KIND_FENCE_I]++;
        request = (struct fence_request){.instruction = 1};
        break;
    case 1:
        v->exits[KIND_SFENCE]++;
        request.translation = 1;
        break;
    case 2:
        v->exits[KIND_SFENCE_ASID]++;
        request.translation = request.by_asid = 1;
        request.asid = ARGUMENT(v, 4);
        break;
    default: // the hypervisor extension is not given to guests: no HFENCE
        v->exits[KIND_CALL]++;
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    }
    if (!sbi_harts(v, ARGUMENT(v, 0), ARGUMENT(v, 1), &vcores))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    capsule_fence(v, vcores, &request);
    return sbi_return(v, SBI_SUCCESS, 0);
}
