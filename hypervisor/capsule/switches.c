#include "switches.h"

#include <string.h>

#include "machine_facts.h"
#include "slab.h"

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

static struct vswitch *switch_named(const char *name)
{
    for (unsigned i = 0; i < BUNDLE_SWITCHES_MAX; i++) {
        if (!switches[i] && (switches[i] = slab_allocate(&switch_slab)))
            vswitch_init(switches[i], name, machine_facts.timebase_hz);
        if (!switches[i] || !strcmp(switches[i]->name, name))
            return switches[i];
    }
    return NULL;
}

enum status switches_plug(struct vnet *n, struct space *space, const struct bundle_device *plan)
{
    struct vswitch *s = switch_named(plan->name);

    if (!s)
        return STATUS_NO_MEMORY;
    n->port = (struct vswitch_port){.is_open = plan->is_open, .is_isolated = plan->is_isolated};
    memcpy(n->port.address, plan->address, ETHERNET_ADDRESS);
    vnet_init(n, space);
    return vswitch_attach(s, &n->port);
}

void switches_address_draw(struct bundle_device *plan)
{
    if (plan->kind != BUNDLE_DEVICE_NET)
        return;
    entropy_draw(plan->address, ETHERNET_ADDRESS);
    plan->address[0] = (uint8_t)((plan->address[0] & ~1u) | 2); // one station's, locally administered
}
