// Management calls on a capsule's devices.
#include <string.h>

#include "equip.h"
#include "manage_calls.h"
#include "switches.h"

long call_device(struct request *r)
{
    struct diosix_device out;

    if (r->call->n[1] >= VIRTIO_SLOTS || !equip_tell(r->target, (unsigned)r->call->n[1], &out))
        return SBI_ERR_INVALID_PARAM;
    return answer_struct(r, &out, sizeof(out));
}

static long error_of(struct request *r, enum status status)
{
    switch (status) {
    case STATUS_OK:
        return SBI_SUCCESS;
    case STATUS_BUSY:
        return SBI_ERR_INVALID_STATE;
    case STATUS_NO_MEMORY:
    case STATUS_DENIED:
        r->call->value = status == STATUS_DENIED ? DIOSIX_LACK_QUOTA : DIOSIX_LACK_MEMORY;
        return SBI_ERR_FAILED;
    case STATUS_UNSUPPORTED:
        return SBI_ERR_NOT_SUPPORTED;
    default:
        return SBI_ERR_INVALID_PARAM;
    }
}

long call_device_set(struct request *r)
{
    uint64_t what = r->call->n[1];

    if (what > UINT16_MAX)
        return SBI_ERR_INVALID_PARAM;
    return error_of(r, equip_set(r->target, what & 0xff, (enum diosix_device_setting)(what >> 8), r->call->n[2]));
}

// The machine's disks are no capsule's to give.
long call_attach(struct request *r)
{
    const char *name = r->call->size ? r->call->buffer : NULL;

    if (!is_root(r))
        return SBI_ERR_DENIED;
    if (r->call->n[1] >= VIRTIO_SLOTS || (name && strnlen(name, r->call->size) == r->call->size))
        return SBI_ERR_INVALID_PARAM;
    enum status status = equip_attach(r->target, (unsigned)r->call->n[1], name);
    if (status != STATUS_NOT_FOUND && status != STATUS_DENIED)
        return error_of(r, status);
    return lack(r, DIOSIX_LACK_DEVICES);
}

// --- devices of new capsules ------------------------------------------------------------------------------------

#define OVERLAY_MAX (1ull << 40)
#define PORTS_KEPT 16u // of a switch, that guests' children can't have

bool has_ports(const struct request *r, const struct bundle_device *devices, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned needs = 1 + (is_root(r) ? 0 : PORTS_KEPT);
        if (devices[i].kind != BUNDLE_DEVICE_NET)
            continue;
        for (unsigned n = 0; n < i; n++)
            needs += devices[n].kind == BUNDLE_DEVICE_NET && !strcmp(devices[n].name, devices[i].name);
        if (switches_room(&devices[i]) < needs)
            return false;
    }
    return true;
}

// Who is on a switch may put others there. They are isolated if all its own ports are.
static bool is_on_switch(const struct request *r, struct bundle_device *plan)
{
    const struct bundle_device *own = state_of_node((struct node *)r->caller)->plan.devices;
    bool found = false, isolated = true;

    for (unsigned i = 0; i < VIRTIO_SLOTS; i++) {
        if (own[i].kind != BUNDLE_DEVICE_NET || strcmp(own[i].name, plan->name) != 0)
            continue;
        found = true;
        isolated = isolated && own[i].is_isolated;
    }
    plan->is_isolated = plan->is_isolated || isolated;
    return found;
}

static bool net_plan(const struct request *r, const struct diosix_equip *from, struct bundle_device *plan)
{
    if (from->flags & ~DIOSIX_EQUIP_ISOLATED || from->overlay ||
        bundle_switch_find(manage_bundle, from->name, plan) != STATUS_OK)
        return false;
    plan->is_isolated = from->flags & DIOSIX_EQUIP_ISOLATED;
    switches_address_draw(plan);
    return is_root(r) || is_on_switch(r, plan);
}

static bool device_plan(const struct request *r, const struct diosix_equip *from, struct bundle_device *plan)
{
    if (strnlen(from->name, sizeof(from->name)) == sizeof(from->name))
        return false;
    *plan = (struct bundle_device){.kind = (enum bundle_device_kind)from->kind, .serial = ""};
    switch (from->kind) {
    case DIOSIX_DEVICE_RNG:
    case DIOSIX_DEVICE_BALLOON:
    case DIOSIX_DEVICE_CONSOLE:
    case DIOSIX_DEVICE_VSOCK:
        return !from->flags && !from->overlay && !*from->name;
    case DIOSIX_DEVICE_DISK:
        plan->overlay = from->overlay;
        return !from->flags && from->overlay <= OVERLAY_MAX && from->overlay % FRAME_SIZE == 0 &&
               bundle_disk_find(manage_bundle, from->name, plan) == STATUS_OK;
    case DIOSIX_DEVICE_HOST_DISK:
        plan->is_readonly = from->flags & DIOSIX_EQUIP_READONLY;
        return !(from->flags & ~DIOSIX_EQUIP_READONLY) && !from->overlay && !*from->name;
    case DIOSIX_DEVICE_NET:
        return net_plan(r, from, plan);
    default:
        return false;
    }
}

long call_equip(struct request *r)
{
    static const uint8_t lacks[] = {[STATUS_BUSY] = DIOSIX_LACK_DEVICES,
                                    [STATUS_DENIED] = DIOSIX_LACK_QUOTA,
                                    [STATUS_NO_MEMORY] = DIOSIX_LACK_MEMORY};
    const struct diosix_equip *from = r->call->buffer;
    struct bundle_device plan;
    unsigned slot;

    if (r->target->stage != LIFE_STOPPED || r->target->starts || r->target->doomed)
        return SBI_ERR_INVALID_STATE;
    if (from->kind == DIOSIX_DEVICE_HOST_DISK && !is_root(r))
        return SBI_ERR_DENIED;
    if (!device_plan(r, from, &plan))
        return SBI_ERR_INVALID_PARAM;
    if (!has_ports(r, &plan, 1))
        return lack(r, DIOSIX_LACK_DEVICES);
    enum status status = equip_add(r->target, &plan, &slot);
    r->call->value = status == STATUS_OK ? slot : lacks[status];
    return status == STATUS_OK ? SBI_SUCCESS : SBI_ERR_FAILED;
}
