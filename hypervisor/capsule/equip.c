#include "equip.h"

#include <string.h>

#include "block.h"
#include "log.h"
#include "slab.h"
#include "switches.h"
#include "tree.h"
#include "vblk.h"
#include "vrng.h"
#include "vsock.h"

// What a slot holds. One slab for all kinds: they are of about the same size.
struct device {
    enum bundle_device_kind kind;
    union {
        struct virtio_device common;
        struct vrng rng;
        struct vblk_memory disk;
        struct vblk_host host;
        struct vnet net;
        struct vsock vsock;
    };
    struct capsule *capsule;
};
_Static_assert(offsetof(struct vrng, device) == 0 && offsetof(struct vblk, device) == 0 &&
                   offsetof(struct vblk_memory, disk) == 0 && offsetof(struct vblk_host, disk) == 0 &&
                   offsetof(struct vnet, device) == 0 && offsetof(struct vsock, device) == 0,
               "all begin with what they have in common");

static struct slab device_slab;

void equip_init(void)
{
    switches_init();
    vsocks_init(machine_facts.timebase_hz);
    slab_init(&device_slab, "devices", sizeof(struct device), 16, (size_t)CAPSULES_MAX * VIRTIO_SLOTS);
}

static struct device *device_at(const struct capsule *c, unsigned slot)
{
    return c->virtio[slot] ? container_of(c->virtio[slot], struct device, common) : NULL;
}

static struct store *store_at(const struct capsule *c, unsigned slot)
{
    struct device *d = device_at(c, slot);
    return d && d->kind == BUNDLE_DEVICE_DISK ? &d->disk.store : NULL;
}

static struct vsock *vsock_at(const struct capsule *c, unsigned slot)
{
    struct device *d = device_at(c, slot);
    return d && d->kind == BUNDLE_DEVICE_VSOCK ? &d->vsock : NULL;
}

static bool is_there(const struct bundle_device *plan)
{
    return plan->kind != BUNDLE_DEVICE_NONE;
}

uint64_t equip_cost(const struct bundle_capsule *plan)
{
    uint64_t bytes = 0;

    for (const struct bundle_device *d = plan->devices; d < plan->devices + VIRTIO_SLOTS && is_there(d); d++)
        bytes += sizeof(struct device) + store_cost(d->image.size, d->overlay) + switches_cost(d);
    return bytes;
}

uint64_t equip_memory(const struct bundle_capsule *plan)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        bytes += plan->devices[i].overlay;
    return bytes;
}

// --- making and unmaking -----------------------------------------------------------------------------------

static bool disk_make(struct vblk_memory *m, struct capsule *c, const struct bundle_device *plan)
{
    if (store_init(&m->store, plan->image.data, plan->image.size, plan->overlay, c->id) != STATUS_OK)
        return false;
    strncpy(m->disk.serial, plan->serial, sizeof(m->disk.serial));
    vblk_memory_init(m, &c->space);
    return true;
}

// On any hart, with the machine's disk's lock held: so the device is there.
static void host_disk_done(void *owner)
{
    struct device *d = owner;

    virtio_call(&d->common, 0);
    capsule_work(d->capsule, d->common.slot);
}

static bool host_disk_make(struct device *d, struct capsule *c, const struct bundle_device *plan)
{
    static const char *const words[] = {
        [STATUS_NOT_FOUND] = "the machine has no such disk or partition",
        [STATUS_BUSY] = "it is in use",
        [STATUS_DENIED] = "it can only be read",
        [STATUS_NO_MEMORY] = "the hypervisor's own memory is exhausted",
    };
    enum status status = block_open(plan->name, plan->is_readonly, &d->host.user);

    if (status != STATUS_OK) {
        log_error("%s: disk '%s': %s", c->name, plan->name, words[status]);
        return false;
    }
    vblk_host_init(&d->host, &c->space);
    d->host.user->owner = d;
    d->host.user->done = host_disk_done;
    return true;
}

// The capsule gets its id when all is made.
static bool vsock_make(struct vsock *v, struct capsule *c, const struct bundle_device *plan)
{
    uint32_t id = tree_next_id(), cid = plan->cid ? plan->cid : VSOCK_CID_OWN + id;

    if ((plan->cid || id < UINT32_MAX - VSOCK_CID_OWN) && vsock_init(v, &c->space, cid, plan->groups) == STATUS_OK)
        return true;
    log_error("%s: vsock: its CID is another's", c->name);
    return false;
}

static bool kind_make(struct device *d, struct capsule *c, const struct bundle_device *plan)
{
    switch (plan->kind) {
    case BUNDLE_DEVICE_RNG:
        vrng_init(&d->rng, &c->space, entropy_draw);
        return true;
    case BUNDLE_DEVICE_DISK:
        return disk_make(&d->disk, c, plan);
    case BUNDLE_DEVICE_NET:
        return switches_plug(&d->net, &c->space, plan) == STATUS_OK;
    case BUNDLE_DEVICE_VSOCK:
        return vsock_make(&d->vsock, c, plan);
    default:
        return host_disk_make(d, c, plan);
    }
}

static bool device_make(struct capsule *c, unsigned slot, const struct bundle_device *plan)
{
    struct device *d = slab_allocate(&device_slab);

    if (!d)
        return false;
    d->kind = plan->kind;
    d->capsule = c;
    if (!kind_make(d, c, plan)) {
        slab_free(&device_slab, d);
        return false;
    }
    d->common.slot = (uint8_t)slot;
    c->virtio[slot] = &d->common;
    return true;
}

bool equip_make(struct capsule_state *s)
{
    for (unsigned i = 0; i < VIRTIO_SLOTS && is_there(&s->plan.devices[i]); i++)
        if (!device_make(&s->capsule, i, &s->plan.devices[i])) {
            equip_unmake(s);
            return false;
        }
    return true;
}

void equip_unmake(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;

    for (unsigned i = 0; i < VIRTIO_SLOTS; i++) {
        if (store_at(c, i))
            store_unmake(store_at(c, i));
        else if (device_at(c, i) && device_at(c, i)->kind == BUNDLE_DEVICE_HOST_DISK)
            block_close(device_at(c, i)->host.user);
        else if (device_at(c, i) && device_at(c, i)->kind == BUNDLE_DEVICE_NET)
            vswitch_detach(&device_at(c, i)->net.port);
        else if (vsock_at(c, i))
            vsock_remove(vsock_at(c, i));
        slab_free(&device_slab, device_at(c, i));
        c->virtio[i] = NULL;
    }
}

void equip_reset(struct capsule *c)
{
    atomic_store(&c->work, 0);
    c->later = 0;
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        if (c->virtio[i])
            virtio_reset(c->virtio[i]);
}

void equip_silence(struct capsule *c)
{
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        if (vsock_at(c, i))
            vsock_silence(vsock_at(c, i));
}

bool equip_release_step(struct capsule_state *s)
{
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++) {
        struct store *store = store_at(&s->capsule, i);
        if (store && store_release_step(store))
            return true;
    }
    return false;
}

// --- cloning ------------------------------------------------------------------------------------------------

void equip_plan_clone(struct bundle_capsule *plan)
{
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++) {
        switches_address_draw(&plan->devices[i]);
        plan->devices[i].cid = 0;
    }
}

// Registers, queues and the requests that have begun. What was asked of a disk of the machine is asked again.
static void device_copy(struct device *to, const struct device *from)
{
    struct device own = *to;
    struct capsule *c = own.capsule;

    if (to->kind == BUNDLE_DEVICE_NET) {
        vnet_adopt(&to->net, &from->net, &c->space);
        capsule_work(c, to->common.slot); // whose link has changed
        return;
    }
    if (to->kind == BUNDLE_DEVICE_VSOCK) {
        vsock_adopt(&to->vsock, &from->vsock, &c->space);
        capsule_work(c, to->common.slot);
        return;
    }
    *to = *from;
    to->capsule = c;
    switch (to->kind) {
    case BUNDLE_DEVICE_DISK:
        to->disk.store = own.disk.store;
        virtio_adopt(&to->common, &c->space, &to->disk.disk.queue);
        return;
    case BUNDLE_DEVICE_HOST_DISK:
        to->host.user = own.host.user;
        to->host.part = 0;
        virtio_adopt(&to->common, &c->space, &to->host.disk.queue);
        virtio_call(&to->common, 0);
        capsule_work(c, to->common.slot);
        return;
    default:
        virtio_adopt(&to->common, &c->space, &to->rng.queue);
    }
}

bool equip_clone_step(struct capsule_state *clone, struct capsule_state *original, enum status *status)
{
    struct fork *f = &clone->fork;
    struct store *to, *from;

    *status = STATUS_OK;
    if (f->slot == VIRTIO_SLOTS)
        return false;
    to = store_at(&clone->capsule, f->slot);
    from = store_at(&original->capsule, f->slot);
    if (to && f->block < store_block_count(from) && from->blocks) {
        *status = store_clone_step(to, from, &f->block);
        return *status == STATUS_OK;
    }
    if (device_at(&clone->capsule, f->slot))
        device_copy(device_at(&clone->capsule, f->slot), device_at(&original->capsule, f->slot));
    f->block = 0;
    f->slot++;
    return true;
}
