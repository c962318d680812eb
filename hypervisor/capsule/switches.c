#include "switches.h"

#include <string.h>

#include "log.h"
#include "machine_facts.h"
#include "slab.h"
#include "uplink.h"

static struct vswitch *switches[BUNDLE_SWITCHES_MAX];
static struct slab switch_slab;

void switches_init(void)
{
    slab_init(&switch_slab, "switches", sizeof(struct vswitch), 16, BUNDLE_SWITCHES_MAX);
}

uint64_t switches_cost(const struct bundle_device *plan)
{
    return plan->kind == BUNDLE_DEVICE_NET ? sizeof(struct vswitch) : 0;
}

// Without its uplink, those on it have each other.
static struct vswitch *switch_make(const struct bundle_device *plan)
{
    static const char *const words[] = {
        [STATUS_NOT_FOUND] = "the machine has no network device for it",
        [STATUS_BUSY] = "the machine's network device is on another",
        [STATUS_NO_MEMORY] = "it is full",
    };
    struct vswitch *s = slab_allocate(&switch_slab);

    if (!s)
        return NULL;
    vswitch_init(s, plan->name, machine_facts.timebase_hz);
    enum status status = plan->has_uplink ? uplink_attach(s) : STATUS_OK;
    if (status != STATUS_OK)
        log_error("switch '%s' has no uplink: %s", plan->name, words[status]);
    return s;
}

// Where the device's switch is, or is to be; NULL: there are too many.
static struct vswitch **switch_at(const struct bundle_device *plan)
{
    for (unsigned i = 0; i < BUNDLE_SWITCHES_MAX; i++)
        if (!switches[i] || !strcmp(switches[i]->name, plan->name))
            return &switches[i];
    return NULL;
}

enum status switches_plug(struct vnet *n, struct space *space, const struct bundle_device *plan)
{
    struct vswitch **at = switch_at(plan);

    if (at && !*at)
        *at = switch_make(plan);
    if (!at || !*at)
        return STATUS_NO_MEMORY;
    n->port = (struct vswitch_port){.is_open = plan->is_open, .is_isolated = plan->is_isolated};
    memcpy(n->port.address, plan->address, ETHERNET_ADDRESS);
    vnet_init(n, space);
    return vswitch_attach(*at, &n->port);
}

unsigned switches_room(const struct bundle_device *plan)
{
    struct vswitch **at = switch_at(plan);
    return !at ? 0 : *at ? vswitch_room(*at) : VSWITCH_PORTS_MAX - plan->has_uplink;
}

void switches_address_draw(struct bundle_device *plan)
{
    if (plan->kind != BUNDLE_DEVICE_NET)
        return;
    entropy_draw(plan->address, ETHERNET_ADDRESS);
    plan->address[0] = (uint8_t)((plan->address[0] & ~1u) | 2); // one station's, locally administered
}
