// An image without the management prompt (make HV_PROMPT=no): its doors, closed.
#include "prompt.h"

#include "prompt_entity.h"

void prompt_init(struct hart *home)
{
    (void)home;
}

enum put prompt_step(uint64_t *deadline)
{
    *deadline = TIME_NEVER;
    return PUT_PARKED;
}

void prompt_wake(void) {}

bool prompt_is_woken(struct entity *e)
{
    (void)e;
    return false;
}
