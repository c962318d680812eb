#include "pmp_plan.h"

#include "bits.h"
#include "isolation.h"

static enum status plan_push(struct pmp_plan *plan, uint64_t address, uint8_t config)
{
    if (plan->count == 0)
        plan->count = 1; // entry 0 guards the hypervisor's stack
    if (plan->count >= PMP_ENTRIES)
        return STATUS_NO_MEMORY;
    if (address > (uint64_t)(unsigned long)-1)
        return STATUS_UNSUPPORTED;
    plan->address[plan->count] = (unsigned long)address;
    plan->config[plan->count++] = config;
    return STATUS_OK;
}

// Where the entry before ends where this one begins, its address is this one's start.
static enum status plan_push_between(struct pmp_plan *plan, uint64_t start, uint64_t end, uint8_t rights)
{
    unsigned last = plan->count - 1;
    bool follows = plan->count > 1 && (plan->config[last] & PMP_NAPOT) == PMP_TOR && plan->address[last] == start >> 2;
    enum status status = follows ? STATUS_OK : plan_push(plan, start >> 2, 0);

    return status == STATUS_OK ? plan_push(plan, end >> 2, PMP_TOR | rights) : status;
}

enum status pmp_plan_add(struct pmp_plan *plan, struct range range, uint8_t rights, unsigned grain_shift)
{
    uint64_t grain = 1ULL << grain_shift;

    if (range.size == 0 || !is_aligned(range.start, grain) || !is_aligned(range.size, grain))
        return STATUS_UNSUPPORTED;
    if (is_power_of_two(range.size) && range.size >= 8 && is_aligned(range.start, range.size))
        return plan_push(plan, (range.start | (range.size / 2 - 1)) >> 2, PMP_NAPOT | rights);
    return plan_push_between(plan, range.start, range_end(range), rights);
}

enum status pmp_plan_add_growing(struct pmp_plan *plan, uint64_t start, uint8_t rights)
{
    return plan_push_between(plan, start, start, rights);
}

enum status pmp_plan_add_all(struct pmp_plan *plan, uint8_t rights)
{
    return plan_push(plan, (unsigned long)-1, PMP_NAPOT | rights);
}
