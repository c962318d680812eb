// The hypervisor's management calls, as numbers in registers (include/diosix.h).
#include <stdio.h>

#include "prompt.h"
#include "service.h"

static struct sv_handle hypervisor;

long prompt_call(enum diosix_call function, const uint64_t n[3], void *buffer, size_t size, uint64_t *value)
{
    struct sv_hypervisor_call c = {
        .argument = {n[0], n[1], n[2]},
        .buffer = (uintptr_t)buffer,
        .size = (uint32_t)size,
    };
    sv_word answered, error;

    enum sv_status status = sv_hypervisor(hypervisor, function, &c, &answered, &error);
    *value = answered;
    if (status == SV_OK)
        return 0;
    return status == SV_FAILED ? (long)error : -1;
}

long hv_call(enum diosix_call function, uint64_t first, uint64_t second, uint64_t *value)
{
    return hv_transfer(function, first, second, NULL, 0, value);
}

long hv_transfer(enum diosix_call function, uint64_t first, uint64_t second, void *buffer, size_t size, uint64_t *value)
{
    return prompt_call(function, (const uint64_t[3]){first, second}, buffer, size, value);
}

bool calls_init(struct sv_handle *bell)
{
    char name[SV_NAME_SIZE];
    uint64_t interrupt;

    hypervisor = sv_granted("hypervisor");
    if (sv_is_none(hypervisor) || hv_call(DIOSIX_KEEP, 1, 0, &interrupt))
        return false;
    snprintf(name, sizeof(name), "interrupt-%u", (unsigned)interrupt);
    *bell = sv_granted(name);
    return !sv_is_none(*bell);
}
