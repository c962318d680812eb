#include "equip.h"

#include <string.h>

#include "block.h"
#include "buddy.h"
#include "log.h"
#include "machine_facts.h"
#include "slab.h"
#include "switches.h"
#include "tree.h"
#include "vballoon.h"
#include "vblk.h"
#include "vconsole.h"
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
        struct vballoon balloon;
        struct vsock vsock;
        struct vconsole console;
    };
    struct capsule *capsule;
};
_Static_assert(offsetof(struct vrng, device) == 0 && offsetof(struct vblk, device) == 0 &&
                   offsetof(struct vblk_memory, disk) == 0 && offsetof(struct vblk_host, disk) == 0 &&
                   offsetof(struct vnet, device) == 0 && offsetof(struct vballoon, device) == 0 &&
                   offsetof(struct vsock, device) == 0 && offsetof(struct vconsole, device) == 0,
               "all begin with what they have in common");

_Static_assert((int)BUNDLE_DEVICE_RNG == DIOSIX_DEVICE_RNG && (int)BUNDLE_DEVICE_CONSOLE == DIOSIX_DEVICE_CONSOLE,
               "they have the same numbers");

static struct slab device_slab;

void equip_init(void)
{
    rates_init(machine_facts.timebase_hz);
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

static uint64_t disk_size(const struct bundle_device *plan)
{
    return plan->size > plan->image.size ? plan->size : plan->image.size;
}

static uint64_t device_cost(const struct bundle_device *d)
{
    return sizeof(struct device) + store_cost(disk_size(d), d->overlay) + switches_cost(d);
}

uint64_t equip_cost(const struct bundle_capsule *plan)
{
    uint64_t bytes = 0;

    for (const struct bundle_device *d = plan->devices; d < plan->devices + VIRTIO_SLOTS && is_there(d); d++)
        bytes += device_cost(d);
    return bytes;
}

// What may be changed of a disk of that size, and the table that says where that is.
static uint64_t disk_memory(const struct bundle_device *d, uint64_t size)
{
    return d->overlay + store_cost(size, d->overlay);
}

uint64_t equip_memory(const struct bundle_capsule *plan)
{
    uint64_t bytes = 0;

    for (const struct bundle_device *d = plan->devices; d < plan->devices + VIRTIO_SLOTS; d++)
        bytes += disk_memory(d, disk_size(d));
    return bytes;
}

// --- making and unmaking -----------------------------------------------------------------------------------

static bool disk_make(struct vblk_memory *m, struct capsule *c, const struct bundle_device *plan)
{
    if (store_init(&m->store, plan->image.data, plan->image.size, disk_size(plan), plan->overlay, c->id) != STATUS_OK)
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
    capsule_work_here(d->capsule, d->common.slot);
}

// Likewise.
static void host_disk_resized(void *owner)
{
    struct device *d = owner;

    atomic_store(&d->common.is_unsettled, true);
    capsule_work(d->capsule, d->common.slot);
}

static void host_disk_own(struct device *d, struct block_user *u)
{
    u->owner = d;
    u->done = host_disk_done;
    u->resized = host_disk_resized;
}

static enum status host_disk_open(const char *who, const char *name, bool is_readonly, struct block_user **out)
{
    struct block_place found[2];
    enum status status = block_find(name, found);

    if (status == STATUS_INVALID)
        log_error("%s: disk '%s': that is partition %u of disk '%s', and partition %u of disk '%s' (0: all of it)", who,
                  name, found[0].volume->number, found[0].disk->serial, found[1].volume->number, found[1].disk->serial);
    return status == STATUS_OK ? block_open(&found[0], is_readonly, out) : status;
}

static bool host_disk_make(struct device *d, struct capsule *c, const struct bundle_device *plan)
{
    static const char *const words[] = {
        [STATUS_NOT_FOUND] = "the machine has no such disk or partition",
        [STATUS_BUSY] = "it is in use",
        [STATUS_DENIED] = "it can only be read",
        [STATUS_NO_MEMORY] = "the hypervisor's own memory is exhausted",
    };
    // One that was taken out is no clone's either.
    enum status status = plan->name ? host_disk_open(c->name, plan->name, plan->is_readonly, &d->host.user) : STATUS_OK;

    if (status != STATUS_OK && status != STATUS_INVALID)
        log_error("%s: disk '%s': %s", c->name, plan->name, words[status]);
    if (status != STATUS_OK)
        return false;
    vblk_host_init(&d->host, &c->space, plan->is_readonly);
    if (d->host.user)
        host_disk_own(d, d->host.user);
    return true;
}

// What a capsule is made with is there before it has its id.
static bool vsock_make(struct vsock *v, struct capsule *c, const struct bundle_device *plan)
{
    uint32_t own = state_of(c)->node.id, id = own ? own : tree_next_id(),
             cid = plan->cid ? plan->cid : VSOCK_CID_OWN + id;

    if ((plan->cid || id < UINT32_MAX - VSOCK_CID_OWN) && vsock_init(v, &c->space, cid, plan->groups) == STATUS_OK)
        return true;
    log_error("%s: vsock: its CID is another's", c->name);
    return false;
}

static size_t terminal_write(void *owner, const uint8_t *bytes, size_t count)
{
    struct capsule *c = owner;
    size_t taken = stream_write(&c->stream, bytes, count);

    capsule_output_made();
    return taken;
}

static int terminal_read(void *owner)
{
    return stream_read(&((struct capsule *)owner)->stream);
}

static void terminal_take(void *owner, bool taken)
{
    capsule_input_turn(owner, taken);
}

static void console_make(struct vconsole *v, struct capsule *c)
{
    static const struct vconsole_port terminal = {terminal_write, terminal_read, terminal_take};

    vconsole_init(v, &c->space, &terminal, c);
    c->console = v;
}

static bool kind_make(struct device *d, struct capsule *c, const struct bundle_device *plan)
{
    switch (plan->kind) {
    case BUNDLE_DEVICE_RNG:
        vrng_init(&d->rng, &c->space, entropy_draw);
        return true;
    case BUNDLE_DEVICE_DISK:
        return disk_make(&d->disk, c, plan);
    case BUNDLE_DEVICE_BALLOON:
        vballoon_init(&d->balloon, &c->space);
        return true;
    case BUNDLE_DEVICE_CONSOLE:
        console_make(&d->console, c);
        return true;
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
    *virtio_settings_open(&d->common) = (struct virtio_settings){
        .requests = plan->rate.requests,
        .bytes = plan->rate.bytes,
        .is_out = plan->kind == BUNDLE_DEVICE_HOST_DISK && !d->host.user,
        .medium = plan->kind == BUNDLE_DEVICE_HOST_DISK ? d->host.user : NULL,
    };
    virtio_settings_close(&d->common, true);
    virtio_settle(&d->common);
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

static unsigned slot_free(const struct capsule_state *s, enum bundle_device_kind kind)
{
    bool is_single = kind == BUNDLE_DEVICE_CONSOLE || kind == BUNDLE_DEVICE_BALLOON || kind == BUNDLE_DEVICE_VSOCK;
    unsigned slot = 0;

    for (; slot < VIRTIO_SLOTS && is_there(&s->plan.devices[slot]); slot++)
        if (is_single && s->plan.devices[slot].kind == kind)
            return VIRTIO_SLOTS;
    return slot;
}

// It counts as what the capsule was made with, and goes with it.
enum status equip_add(struct capsule_state *s, const struct bundle_device *plan, unsigned *slot)
{
    *slot = slot_free(s, plan->kind);
    if (*slot == VIRTIO_SLOTS)
        return STATUS_BUSY;
    if (!tree_take_memory(&s->node, disk_memory(plan, disk_size(plan))))
        return STATUS_DENIED;
    s->plan.devices[*slot] = *plan;
    if (isolation_reserve(device_cost(plan)) == STATUS_OK && device_make(&s->capsule, *slot, plan))
        return STATUS_OK;
    tree_give_memory(&s->node, disk_memory(plan, disk_size(plan)));
    s->plan.devices[*slot] = (struct bundle_device){0};
    return STATUS_NO_MEMORY;
}

void equip_settle(struct capsule *c)
{
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        if (c->virtio[i] && atomic_load(&c->virtio[i]->is_unsettled))
            virtio_settle(c->virtio[i]);
}

void equip_unmake(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;

    equip_settle(c); // they take over what they were given
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++) {
        if (store_at(c, i))
            store_unmake(store_at(c, i));
        else if (device_at(c, i) && device_at(c, i)->kind == BUNDLE_DEVICE_HOST_DISK && device_at(c, i)->host.user)
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
    c->work_later = 0;
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        if (c->virtio[i])
            virtio_reset(c->virtio[i]);
    equip_settle(c);
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

    capsule_work(c, to->common.slot); // its link has changed, its rate allows something later
    if (to->kind == BUNDLE_DEVICE_NET) {
        vnet_adopt(&to->net, &from->net, &c->space);
        return;
    }
    if (to->kind == BUNDLE_DEVICE_VSOCK) {
        vsock_adopt(&to->vsock, &from->vsock, &c->space);
        return;
    }
    *to = *from;
    to->capsule = c;
    switch (to->kind) {
    case BUNDLE_DEVICE_DISK:
        to->disk.store = own.disk.store;
        to->common.settings.medium = NULL;            // the original's, and not taken over yet
        atomic_store(&to->common.is_unsettled, true); // its size is that of its own store
        virtio_adopt(&to->common, &c->space, &to->disk.disk.queue);
        return;
    case BUNDLE_DEVICE_HOST_DISK:
        to->host.user = to->common.settings.medium = own.host.user;
        to->common.settings.is_out = !own.host.user;
        atomic_store(&to->common.is_unsettled, true);
        to->host.part = 0;
        virtio_adopt(&to->common, &c->space, &to->host.disk.queue);
        virtio_call(&to->common, 0);
        return;
    case BUNDLE_DEVICE_BALLOON:
        to->balloon.work = (struct lock){0};
        virtio_adopt(&to->common, &c->space, to->balloon.queues);
        return;
    case BUNDLE_DEVICE_CONSOLE:
        to->console.owner = c;
        to->console.asked = 0; // to shut down: not the clone was
        virtio_adopt(&to->common, &c->space, to->console.queues);
        vconsole_call(&to->console); // its terminal has room for what waits
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
    if (to && f->block < store_clone_blocks(to, from)) {
        *status = store_clone_step(to, from, &f->block);
        return *status == STATUS_OK;
    }
    if (device_at(&clone->capsule, f->slot))
        device_copy(device_at(&clone->capsule, f->slot), device_at(&original->capsule, f->slot));
    f->block = 0;
    f->slot++;
    return true;
}

// --- what can be changed --------------------------------------------------------------------------------------

#define GROWN_MAX (256ull << 20) // bytes of a disk in memory, so that its table is soon copied

// It is done by the worker, or when the capsule starts or has ended; where there is none and it does not, here.
static void device_settle(struct capsule_state *s, struct device *d)
{
    if (s->stage == LIFE_STOPPED)
        virtio_settle(&d->common);
    else
        capsule_work(&s->capsule, d->common.slot);
}

static bool is_disk(const struct device *d)
{
    return d->kind == BUNDLE_DEVICE_DISK || d->kind == BUNDLE_DEVICE_HOST_DISK;
}

static bool is_sized(const struct capsule_state *s, const struct device *d, uint64_t size)
{
    if (d->kind == BUNDLE_DEVICE_BALLOON)
        return size % FRAME_SIZE == 0 && size <= s->plan.memory;
    return is_disk(d) && size % VIRTIO_BLK_SECTOR == 0;
}

// Room in a disk's table. What is smaller than it was before needs none.
static enum status disk_grow(struct capsule_state *s, struct device *d, uint64_t size, void **table)
{
    struct bundle_device *plan = &s->plan.devices[d->common.slot];
    struct hpa frames;

    if (d->kind != BUNDLE_DEVICE_DISK || size <= disk_size(plan))
        return STATUS_OK;
    if (!plan->overlay || size > GROWN_MAX)
        return STATUS_INVALID;
    uint64_t bytes = store_cost(size, plan->overlay),
             more = disk_memory(plan, size) - disk_memory(plan, disk_size(plan));
    if (!tree_take_memory(&s->node, more))
        return STATUS_DENIED;
    enum status status = isolation_reserve(bytes);
    if (status == STATUS_OK)
        status = frames_allocate(buddy_order(bytes / FRAME_SIZE), FRAMES_OWNER_HYPERVISOR, &frames);
    if (status != STATUS_OK) {
        tree_give_memory(&s->node, more);
        return status;
    }
    *table = hpa_pointer(frames);
    plan->size = size;
    return STATUS_OK;
}

// One at a time: the table is the device's when it has settled.
static enum status size_set(struct capsule_state *s, struct device *d, uint64_t size)
{
    void *table = NULL;

    if (!is_sized(s, d, size))
        return STATUS_INVALID;
    if (d->kind == BUNDLE_DEVICE_BALLOON && capsule_isolation(&s->plan) != ISOLATION_GSTAGE)
        return STATUS_UNSUPPORTED;
    if (d->kind == BUNDLE_DEVICE_DISK && atomic_load(&d->common.is_unsettled))
        return STATUS_BUSY;
    enum status status = disk_grow(s, d, size, &table);
    if (status != STATUS_OK)
        return status;
    struct virtio_settings *to = virtio_settings_open(&d->common);
    to->size = size;
    if (table)
        to->medium = table;
    virtio_settings_close(&d->common, true);
    return STATUS_OK;
}

static enum status out_set(struct device *d, uint64_t value)
{
    if ((d->kind != BUNDLE_DEVICE_NET && d->kind != BUNDLE_DEVICE_DISK) || value > 1)
        return STATUS_INVALID;
    virtio_settings_open(&d->common)->is_out = value;
    virtio_settings_close(&d->common, true);
    return STATUS_OK;
}

static enum status rate_set(struct device *d, enum diosix_device_setting setting, uint64_t value)
{
    if (!is_disk(d) && d->kind != BUNDLE_DEVICE_NET)
        return STATUS_INVALID;
    struct virtio_settings *to = virtio_settings_open(&d->common);
    *(setting == DIOSIX_DEVICE_SET_REQUESTS ? &to->requests : &to->bytes) = value;
    virtio_settings_close(&d->common, true);
    return STATUS_OK;
}

enum status equip_set(struct capsule_state *s, unsigned slot, enum diosix_device_setting setting, uint64_t value)
{
    struct device *d = slot < VIRTIO_SLOTS ? device_at(&s->capsule, slot) : NULL;
    enum status status = STATUS_INVALID;

    if (!d)
        return STATUS_NOT_FOUND;
    if (s->stage == LIFE_FORKING || s->forks) // it becomes what another is, or another what it is
        return STATUS_BUSY;
    if (setting == DIOSIX_DEVICE_SET_REQUESTS || setting == DIOSIX_DEVICE_SET_BYTES)
        status = rate_set(d, setting, value);
    else if (setting == DIOSIX_DEVICE_SET_SIZE)
        status = size_set(s, d, value);
    else if (setting == DIOSIX_DEVICE_SET_OUT)
        status = out_set(d, value);
    if (status == STATUS_OK)
        device_settle(s, d);
    return status;
}

// The disk that is in it now goes when the device settles; until then it is in use.
enum status equip_attach(struct capsule_state *s, unsigned slot, const char *name)
{
    struct device *d = slot < VIRTIO_SLOTS ? device_at(&s->capsule, slot) : NULL;
    struct block_user *user = NULL;

    if (!d || d->kind != BUNDLE_DEVICE_HOST_DISK)
        return d ? STATUS_INVALID : STATUS_NOT_FOUND;
    if (s->stage == LIFE_FORKING || s->forks || atomic_load(&d->common.is_unsettled))
        return STATUS_BUSY;
    bool is_readonly = s->plan.devices[slot].is_readonly;
    if (name) // for its buffer, if its place has none yet
        (void)!isolation_reserve(BLOCK_BUFFER_SIZE);
    enum status status = name ? host_disk_open(s->capsule.name, name, is_readonly, &user) : STATUS_OK;
    if (status != STATUS_OK)
        return status == STATUS_BUSY ? STATUS_DENIED : status == STATUS_INVALID ? STATUS_NOT_FOUND : status;
    if (user)
        host_disk_own(d, user);
    s->plan.devices[slot].name = user ? user->name : NULL;
    struct virtio_settings *to = virtio_settings_open(&d->common);
    to->medium = user;
    to->is_out = !user;
    virtio_settings_close(&d->common, true);
    device_settle(s, d);
    return STATUS_OK;
}

static void flow_tell(const struct virtio_count *from, struct diosix_flow *to)
{
    to->requests = virtio_counted(&from->requests);
    to->bytes = virtio_counted(&from->bytes);
    to->errors = virtio_counted(&from->errors);
    to->drops = virtio_counted(&from->drops);
}

static void kind_tell(const struct device *d, const struct bundle_device *plan, struct diosix_device *out)
{
    const char *name = plan->kind == BUNDLE_DEVICE_DISK ? plan->serial : plan->name;

    if (name)
        strncpy(out->name, name, sizeof(out->name) - 1);
    if (is_disk(d)) {
        const struct vblk *b = container_of(&d->common, struct vblk, device);
        out->size = virtio_counted(&b->size);
        out->flags |= (b->is_readonly ? DIOSIX_DEVICE_READONLY : 0) | (b->is_out ? DIOSIX_DEVICE_OUT : 0);
    } else if (d->kind == BUNDLE_DEVICE_NET) {
        memcpy(out->address, d->net.port.address, sizeof(d->net.port.address));
        out->flags |= d->net.is_down || d->net.is_renamed ? DIOSIX_DEVICE_OUT : 0;
    } else if (d->kind == BUNDLE_DEVICE_BALLOON) {
        out->size = virtio_counted(&d->balloon.inflated) * FRAME_SIZE;
    }
}

bool equip_tell(struct capsule_state *s, unsigned slot, struct diosix_device *out)
{
    struct device *d = slot < VIRTIO_SLOTS ? device_at(&s->capsule, slot) : NULL;

    if (!d)
        return false;
    *out = (struct diosix_device){.kind = d->kind};
    const struct virtio_settings *settings = virtio_settings_open(&d->common);
    out->limit_requests = settings->requests;
    out->limit_bytes = settings->bytes;
    out->wanted = settings->size;
    virtio_settings_close(&d->common, false);
    if (atomic_load(&d->common.status) & VIRTIO_DRIVER_OK)
        out->flags |= DIOSIX_DEVICE_USED;
    flow_tell(&d->common.counts[VIRTIO_TO_GUEST], &out->to_guest);
    flow_tell(&d->common.counts[VIRTIO_FROM_GUEST], &out->from_guest);
    kind_tell(d, &s->plan.devices[slot], out);
    return true;
}
