// The machine's virtual switches, by the names that the bundle gives them. Each is made with the first device that is
// put on it, and stays.
#pragma once

#include "bundle.h"
#include "vnet.h"

void switches_init(void);
// Hypervisor memory that the device's switch takes, if it is the first on it.
uint64_t switches_cost(const struct bundle_device *plan);
// With tree_lock held. A network device as planned, on its switch. STATUS_NO_MEMORY: there is none, or too many
// switches, or ports on this one.
must_check enum status switches_plug(struct vnet *n, struct space *space, const struct bundle_device *plan);
// Ports that are free on the device's switch, which need not be there yet; with tree_lock held.
unsigned switches_room(const struct bundle_device *plan);
// An address that nobody else has, for a device that is to be cloned.
void switches_address_draw(struct bundle_device *plan);
