#include "session.h"

static long call(enum diosix_call function, struct manage_call *c)
{
    long error = manage_as(session->who, function, c);
    session->answer_value = c->value;
    return error;
}

long ask(enum diosix_call function, uint64_t first, uint64_t second, size_t size)
{
    struct manage_call c = {.n = {first, second}, .buffer = &session->answer, .size = size};
    return call(function, &c);
}

long ask_set(uint32_t id, enum diosix_setting setting, uint64_t value)
{
    struct manage_call c = {.n = {id, setting, value}};
    return call(DIOSIX_SET, &c);
}

long ask_device_set(uint32_t id, uint64_t what, uint64_t value)
{
    struct manage_call c = {.n = {id, what, value}};
    return call(DIOSIX_DEVICE_SET, &c);
}

uint32_t ask_next(uint32_t after, size_t wanted)
{
    if (ask(DIOSIX_NEXT, after, 0, 0) != SBI_SUCCESS || !session->answer_value)
        return 0;
    uint32_t id = (uint32_t)session->answer_value;
    if (ask(DIOSIX_STATUS, id, 0, wanted) != SBI_SUCCESS) {
        session->answer.status.name[0] = 0;
        session->answer.status.parent = id; // nobody's child
    }
    return id;
}

uint32_t ask_timebase_hz(void)
{
    bool known = ask(DIOSIX_MACHINE, 0, 0, offsetof(struct diosix_machine, capsules)) == SBI_SUCCESS;
    return known && session->answer.machine.timebase_hz >= 1000 ? session->answer.machine.timebase_hz : 10000000;
}
