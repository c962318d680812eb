// The hypervisor's management calls, as numbers in registers (include/diosix.h).
#include <stdio.h>

#include "service.h"

static struct sv_handle hypervisor;

long manage_as(struct space *who, enum diosix_call function, struct manage_call *call)
{
    struct sv_hypervisor_call c = {
        .argument = {call->n[0], call->n[1], call->n[2]},
        .buffer = (uintptr_t)call->buffer,
        .size = (uint32_t)call->size,
    };
    sv_word value, error;

    (void)who; // the person at the terminal
    enum sv_status status = sv_hypervisor(hypervisor, function, &c, &value, &error);
    call->value = value;
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
    struct manage_call call = {.n = {first, second}, .buffer = buffer, .size = size};
    long error = manage_as(NULL, function, &call);
    *value = call.value;
    return error;
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
