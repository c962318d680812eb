// An image without the management prompt (make HV_PROMPT=no): its doors, closed.
#include "prompt.h"

#include "prompt_entity.h"
#include "service.h"

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

bool service_open(struct talk *t, struct space *who)
{
    (void)t, (void)who;
    return false;
}

// Nobody comes here, as nothing is ever opened.
uint8_t *service_room(struct talk *t, uint32_t *count)
{
    *count = 0;
    return (uint8_t *)t;
}

void service_heard(struct talk *t, uint32_t count)
{
    (void)t, (void)count;
}

uint32_t service_waiting(const struct talk *t)
{
    (void)t;
    return 0;
}

enum service_step service_step(struct talk *t)
{
    (void)t;
    return SERVICE_IDLE;
}

uint32_t service_words(struct talk *t, const char **at)
{
    *at = (const char *)t;
    return 0;
}

void service_said(struct talk *t, uint32_t count)
{
    (void)t, (void)count;
}
