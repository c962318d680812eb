#include "prompt.h"
#include "session.h"

long ask(enum diosix_call function, uint64_t first, uint64_t second, size_t size)
{
    return prompt_call(function, (const uint64_t[3]){first, second}, &session.answer, size, &session.answer_value);
}

long ask_set(uint32_t id, enum diosix_setting setting, uint64_t value)
{
    return prompt_call(DIOSIX_SET, (const uint64_t[3]){id, setting, value}, NULL, 0, &session.answer_value);
}

long ask_device_set(uint32_t id, uint64_t what, uint64_t value)
{
    return prompt_call(DIOSIX_DEVICE_SET, (const uint64_t[3]){id, what, value}, NULL, 0, &session.answer_value);
}

uint32_t ask_next(uint32_t after, size_t wanted)
{
    if (ask(DIOSIX_NEXT, after, 0, 0) != SBI_SUCCESS || !session.answer_value)
        return 0;
    uint32_t id = (uint32_t)session.answer_value;
    if (ask(DIOSIX_STATUS, id, 0, wanted) != SBI_SUCCESS) {
        session.answer.status.name[0] = 0;
        session.answer.status.parent = id; // nobody's child
    }
    return id;
}
