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

static struct vswitch *switch_of(const struct bundle_device *plan)
{
    for (unsigned i = 0; i < BUNDLE_SWITCHES_MAX; i++) {
        if (!switches[i])
            return switches[i] = switch_make(plan);
        if (!strcmp(switches[i]->name, plan->name))
            return switches[i];
    }
    return NULL;
}

enum status switches_plug(struct vnet *n, struct space *space, const struct bundle_device *plan)
{
    struct vswitch *s = switch_of(plan);

    if (!s)
        return STATUS_NO_MEMORY;
    n->port = (struct vswitch_port){.is_open = plan->is_open, .is_isolated = plan->is_isolated};
    memcpy(n->port.address, plan->address, ETHERNET_ADDRESS);
    vnet_init(n, space);
    return vswitch_attach(s, &n->port);
}

unsigned switches_room(const struct bundle_device *plan)
{
    struct vswitch *s = switch_of(plan);
    return s ? vswitch_room(s) : 0;
}

void switches_address_draw(struct bundle_device *plan)
{
    if (plan->kind != BUNDLE_DEVICE_NET)
        return;
    entropy_draw(plan->address, ETHERNET_ADDRESS);
    plan->address[0] = (uint8_t)((plan->address[0] & ~1u) | 2); // one station's, locally administered
}
