// A machine without a network device.
#include "uplink.h"

bool uplink_interrupt(uint32_t irq)
{
    (void)irq;
    return false;
}

enum put uplink_step(void)
{
    return PUT_WAITING;
}

bool uplink_is_woken(struct entity *e)
{
    (void)e;
    return false;
}
