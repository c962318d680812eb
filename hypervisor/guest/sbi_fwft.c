// FWFT: what the firmware does for the guest, for the guest to choose. One feature is the guest's to switch:
// whether misaligned accesses are emulated here or are exceptions of its own. All others need state that is
// not switched (lib/isa.h) or, as hardware A/D updates do, follow from the extensions in the device tree.
#include "sbi.h"

#define FEATURE_MISALIGNED_DELEGATION 0u
#define FEATURES 6u // known by name: up to POINTER_MASKING_PMLEN

#define SET_LOCK (1UL << 0)

// SBI_SUCCESS if the feature can be asked for and set.
static long feature_status(uint32_t feature)
{
    if (feature >= FEATURES)
        return SBI_ERR_DENIED;
    return feature == FEATURE_MISALIGNED_DELEGATION && isolation_features.misaligned ? SBI_SUCCESS
                                                                                     : SBI_ERR_NOT_SUPPORTED;
}

static long feature_set(struct vcore *v, uint32_t feature, unsigned long value, unsigned long flags)
{
    long status = feature_status(feature);

    if (status != SBI_SUCCESS)
        return status;
    if (value > 1 || flags & ~SET_LOCK)
        return SBI_ERR_INVALID_PARAM;
    if (v->fwft_locked >> feature & 1)
        return SBI_ERR_DENIED_LOCKED;
    if (flags & SET_LOCK)
        v->fwft_locked |= 1u << feature;
    world_delegate_misaligned(this_hart(), &v->world, value);
    return SBI_SUCCESS;
}

enum exit sbi_fwft(struct vcore *v, unsigned long function)
{
    uint32_t feature = (uint32_t)ARGUMENT(v, 0);
    long status;

    switch (function) {
    case 0:
        return sbi_return(v, feature_set(v, feature, ARGUMENT(v, 1), ARGUMENT(v, 2)), 0);
    case 1:
        status = feature_status(feature);
        return sbi_return(v, status, status == SBI_SUCCESS && v->world.delegated);
    default:
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    }
}
