#include "person.h"

#include "uplink.h"

static struct entity person;
static uint64_t next; // when it wants its next turn

void person_start(struct hart *home)
{
    entity_init(&person, ENTITY_UPLINK, home);
    sched_start(&person);
}

bool uplink_interrupt(uint32_t irq)
{
    (void)irq;
    return false;
}

enum put uplink_step(void)
{
    return person_turn(&next);
}

// The uplink waits for interrupts alone; a person looks at the clock.
void __real_sched_put(struct hart *h, struct entity *e, enum put put, uint64_t deadline,
                      bool (*woken)(struct entity *));
void __wrap_sched_put(struct hart *h, struct entity *e, enum put put, uint64_t deadline, bool (*woken)(struct entity *))
{
    __real_sched_put(h, e, put, e == &person ? next : deadline, woken);
}

bool uplink_is_woken(struct entity *e)
{
    (void)e;
    return false;
}
