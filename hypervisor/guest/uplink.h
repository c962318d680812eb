// The machine's network device as a port of a virtual switch. What comes from outside is brought to the guests by an
// entity of its own, scheduled like a vcore, in bounded steps; what goes outside is put into the device's buffers by
// who sends it.
#pragma once

#include "nic.h"
#include "sched.h"
#include "vswitch.h"

// The network device has been found. Before guests run.
void uplink_init(struct nic *nic);
// STATUS_NOT_FOUND: there is no device; STATUS_BUSY: it is on another switch; STATUS_NO_MEMORY: this one is full.
must_check enum status uplink_attach(struct vswitch *s);

// The interrupt of some device: true if it was this one's.
bool uplink_interrupt(uint32_t irq);
// One bounded step of the entity: PUT_READY if there is more to do. And whether it was woken since.
enum put uplink_step(void);
bool uplink_is_woken(struct entity *e);
