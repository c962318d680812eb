// The hypervisor's management calls, as numbers in registers (include/diosix.h).
#include <stdio.h>

#include "service.h"

static struct sv_handle hypervisor;

// How a call is told: how many numbers, whether the last of them takes two registers on RV32 and how, and whether
// a buffer follows.
struct kind {
    uint8_t numbers;
    bool wide, buffer;
};

static const struct kind kinds[DIOSIX_CALLS] = {
    [DIOSIX_STATUS] = {1, .buffer = true},
    [DIOSIX_NEXT] = {1},
    [DIOSIX_CREATE] = {0, .buffer = true},
    [DIOSIX_START] = {1},
    [DIOSIX_STOP] = {2},
    [DIOSIX_KILL] = {1},
    [DIOSIX_RESTART] = {1},
    [DIOSIX_PAUSE] = {1},
    [DIOSIX_RESUME] = {1},
    [DIOSIX_FORK] = {1, .buffer = true},
    [DIOSIX_DESTROY] = {1},
    [DIOSIX_SET] = {3, .wide = true},
    [DIOSIX_GIVE_UP] = {2, .wide = true},
    [DIOSIX_IMAGE] = {1, .buffer = true},
    [DIOSIX_OUTPUT] = {2, .buffer = true},
    [DIOSIX_INPUT] = {1, .buffer = true},
    [DIOSIX_TRACE] = {2, .buffer = true},
    [DIOSIX_MACHINE] = {0, .buffer = true},
    [DIOSIX_HART] = {1, .buffer = true},
    [DIOSIX_POWER] = {1},
    [DIOSIX_MEMORY] = {1, .buffer = true},
    [DIOSIX_KEEP] = {1},
    [DIOSIX_TYPED] = {0, .buffer = true},
    [DIOSIX_SHOW] = {0, .buffer = true},
    [DIOSIX_NEWS] = {1},
    [DIOSIX_SHOWN] = {2},
    [DIOSIX_WATCH] = {2},
};

long manage_root(enum diosix_call function, struct manage_call *call)
{
    const struct kind *kind = &kinds[function];
    struct sv_hypervisor_call c = {0};
    unsigned next = 0;
    sv_word value, error;

    for (unsigned i = 0; i < kind->numbers; i++)
        c.argument[next++] = call->n[i];
    if (kind->wide)
        c.argument[next++] = sizeof(sv_word) == 4 ? call->n[kind->numbers - 1] >> 32 : 0;
    if (kind->buffer) {
        c.argument[next++] = call->size;
        c.address_at = call->size ? next : 0;
        c.buffer = (uintptr_t)call->buffer;
        c.size = (uint32_t)call->size;
    }
    enum sv_status status = sv_hypervisor(hypervisor, function, &c, &value, &error);
    call->value = value;
    if (status == SV_OK)
        return 0;
    return status == SV_FAILED ? (long)error : -1;
}

long hv_call(enum diosix_call function, uint64_t first, uint64_t second, uint64_t *value)
{
    struct manage_call call = {.n = {first, second}};
    long error = manage_root(function, &call);
    *value = call.value;
    return error;
}

long hv_transfer(enum diosix_call function, uint64_t first, uint64_t second, void *buffer, size_t size, uint64_t *value)
{
    struct manage_call call = {.n = {first, second}, .buffer = buffer, .size = size};
    long error = manage_root(function, &call);
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
