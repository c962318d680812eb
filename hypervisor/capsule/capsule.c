// Making capsules.
#include "capsule.h"

#include <string.h>

#include "bits.h"
#include "capsule_state.h"
#include "console.h"
#include "devices.h"
#include "equip.h"
#include "frames.h"
#include "guest_tree.h"
#include "log.h"
#include "slab.h"
#include "trace.h"

#define RING_ORDER 2 // 16 KiB of output kept for each capsule

static struct slab capsule_slab, vcore_slab, plic_slab, vector_slab, bootargs_slab;

// Owners of frames: bit n is 1 + n's.
static uint32_t owners[CAPSULES_MAX / 32];

static size_t vector_state_size(void)
{
    return isolation_features.vector ? sizeof(struct vector_state) + 32 * isolation_features.vlenb : 0;
}

void capsules_init(void)
{
    slab_init(&capsule_slab, "capsules", sizeof(struct capsule_state), 16, CAPSULES_MAX);
    slab_init(&vcore_slab, "vcores", sizeof(struct vcore), 64, VCORES_MAX);
    slab_init(&plic_slab, "plics", vplic_size(BUNDLE_VCORES_MAX), 16, CAPSULES_MAX);
    slab_init(&bootargs_slab, "bootargs", BUNDLE_BOOTARGS_MAX, 1, CAPSULES_MAX);
    equip_init();
    if (vector_state_size())
        slab_init(&vector_slab, "vectors", vector_state_size(), 16, VCORES_MAX);
}

uint64_t capsule_cost(const struct bundle_capsule *plan)
{
    return sizeof(struct capsule_state) + ((uint64_t)FRAME_SIZE << RING_ORDER) + vplic_size(BUNDLE_VCORES_MAX) +
           equip_cost(plan) + plan->vcores * (align_up(sizeof(struct vcore), 64) + vector_state_size());
}

// --- the console's view of the UART ----------------------------------------------------------------

static size_t port_write(void *owner, const uint8_t *bytes, size_t count)
{
    return stream_write(owner, bytes, count);
}
static int port_read(void *owner)
{
    return container_of(owner, struct capsule, stream)->is_input_virtio ? -1 : stream_read(owner);
}
static bool port_room(void *owner)
{
    return stream_room(owner);
}
static bool port_has_input(void *owner)
{
    return !container_of(owner, struct capsule, stream)->is_input_virtio && stream_has_input(owner);
}

static const struct vuart_port uart_port = {port_write, port_read, port_room, port_has_input};

void capsule_devices_reset(struct capsule *c)
{
    lock_acquire(&c->devices);
    vuart_init(&c->uart, &uart_port, &c->stream);
    vplic_init(c->plic, c->vcore_count);
    entropy_draw(c->generation.id, sizeof(c->generation.id));
    for (unsigned i = 0; i < c->vcore_count; i++)
        atomic_store(&c->vcores[i]->external, false);
    lock_release(&c->devices);
    equip_reset(c);
}

// --- making and unmaking -----------------------------------------------------------------------------

static uint16_t owner_take(void)
{
    for (unsigned i = 0; i < array_length(owners); i++)
        if (~owners[i]) {
            unsigned bit = (unsigned)__builtin_ctz(~owners[i]);
            owners[i] |= 1u << bit;
            return (uint16_t)(32 * i + bit + 1);
        }
    return 0;
}

static void owner_give_back(uint16_t owner)
{
    if (owner)
        owners[(owner - 1u) / 32] &= ~(1u << (owner - 1u) % 32);
}

static struct vcore *vcore_create(struct capsule *c, unsigned index)
{
    struct vcore *v = slab_allocate(&vcore_slab);

    if (v && isolation_features.vector && !(v->world.vector = slab_allocate(&vector_slab))) {
        slab_free(&vcore_slab, v);
        return NULL;
    }
    if (!v)
        return NULL;
    v->capsule = c;
    v->index = index;
    v->world.space = &c->space;
    v->world.index = (uint8_t)index;
    atomic_store(&v->hsm, HSM_STOPPED);
    entity_init(&v->entity, ENTITY_VCORE, this_hart());
    v->entity.share = &c->share;
    return v;
}

static void capsule_unmake(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;

    for (unsigned i = 0; i < c->vcore_count; i++)
        if (c->vcores[i]) {
            slab_free(&vector_slab, c->vcores[i]->world.vector);
            slab_free(&vcore_slab, c->vcores[i]);
        }
    trace_stop(c);
    equip_unmake(s);
    slab_free(&plic_slab, c->plic);
    slab_free(&bootargs_slab, s->own_bootargs);
    if (c->stream.ring) {
        memset(c->stream.ring, 0, FRAME_SIZE << RING_ORDER);
        frames_free(hpa_of(c->stream.ring), FRAME_SIZE << RING_ORDER, FRAMES_OWNER_HYPERVISOR);
    }
    owner_give_back(c->id);
    slab_free(&capsule_slab, s);
}

static bool bootargs_copy(struct capsule_state *s)
{
    s->own_bootargs = slab_allocate(&bootargs_slab);
    if (!s->own_bootargs)
        return false;
    strncpy(s->own_bootargs, s->plan.bootargs, BUNDLE_BOOTARGS_MAX - 1);
    s->plan.bootargs = s->own_bootargs;
    return true;
}

static bool capsule_make_parts(struct capsule *c)
{
    struct hpa ring;

    if (!(c->id = owner_take()) || !(c->plic = slab_allocate(&plic_slab)) ||
        frames_allocate(RING_ORDER, FRAMES_OWNER_HYPERVISOR, &ring) != STATUS_OK)
        return false;
    stream_init(&c->stream, c->name, hpa_pointer(ring), FRAME_SIZE << RING_ORDER);
    for (unsigned i = 0; i < c->vcore_count; i++)
        if (!(c->vcores[i] = vcore_create(c, i)))
            return false;
    return true;
}

static struct capsule_state *capsule_make(const struct bundle_capsule *plan, bool own_bootargs)
{
    struct capsule_state *s = slab_allocate(&capsule_slab);

    if (!s)
        return NULL;
    s->plan = *plan;
    s->capsule.vcore_count = plan->vcores;
    strcpy(s->capsule.name, plan->name);
    entity_init(&s->capsule.life, ENTITY_LIFE, this_hart());
    share_init(&s->capsule.share);
    entity_init(&s->capsule.worker, ENTITY_WORKER, this_hart());
    s->capsule.worker.share = &s->capsule.share;
    if (capsule_make_parts(&s->capsule) && (!own_bootargs || bootargs_copy(s))) {
        capsule_devices_reset(&s->capsule); // keys may come before the guest is loaded
        return s;
    }
    capsule_unmake(s);
    return NULL;
}

struct diosix_quota capsule_need(const struct bundle_capsule *plan)
{
    return (struct diosix_quota){.memory = plan->memory + equip_memory(plan), .vcores = plan->vcores, .capsules = 1};
}

enum diosix_lack capsule_create(const struct bundle_capsule *plan, struct node *parent, bool own_bootargs,
                                struct capsule_state **out)
{
    struct diosix_quota need = capsule_need(plan),
                        limit = {plan->quota.memory, plan->quota.vcores, plan->quota.capsules};

    if (isolation_reserve(capsule_cost(plan)) != STATUS_OK)
        return DIOSIX_LACK_MEMORY;
    struct capsule_state *s = capsule_make(plan, own_bootargs);
    if (!s)
        return DIOSIX_LACK_CAPSULES;
    if (!equip_make(s)) {
        capsule_unmake(s);
        return DIOSIX_LACK_DEVICES;
    }
    s->node.rights = plan->rights & parent->rights;
    if (!tree_add(&s->node, parent, &need, &limit)) {
        capsule_unmake(s);
        return DIOSIX_LACK_QUOTA;
    }
    *out = s;
    return DIOSIX_LACK_NONE;
}

enum status capsule_share_set(struct capsule_state *s)
{
    struct share *share = &s->capsule.share;
    bool exclusive = s->plan.exclusive && s->stage != LIFE_STOPPED;
    unsigned long harts_before = share->harts;
    uint64_t budget_before = share->budget;
    enum status status = sched_set_weight(share, s->plan.weight);

    if (status == STATUS_OK)
        status = sched_set_cap(share, s->plan.cap);
    if (status == STATUS_OK) // narrower on RV32, where a mask that names harts beyond the word names none
        status = sched_set_affinity(share, s->plan.affinity ? (unsigned long)s->plan.affinity : -1UL);
    // Only its own vcores have to look, so that who changes this again and again keeps nobody else from work.
    if (share->harts != harts_before || share->budget != budget_before)
        capsule_vcores_look(&s->capsule);
    if (status == STATUS_OK && exclusive != (share->owned != 0))
        status = sched_set_exclusive(share, exclusive);
    return status;
}

void capsule_life_gone(struct capsule *c)
{
    lock_acquire(&tree_lock); // guards the owners
    capsule_unmake(state_of(c));
    lock_release(&tree_lock);
}

// --- starting ------------------------------------------------------------------------------------------

static const char *isolation_name(enum isolation_kind kind)
{
    return kind == ISOLATION_GSTAGE ? "gstage" : "pmp";
}

enum isolation_kind capsule_isolation(const struct bundle_capsule *plan)
{
    switch (plan->isolation) {
    case BUNDLE_ISOLATION_GSTAGE:
        return ISOLATION_GSTAGE;
    case BUNDLE_ISOLATION_PMP:
        return ISOLATION_PMP;
    default:
        return machine_facts.isolation;
    }
}

enum status capsule_memory_get(struct capsule_state *s, struct image_error *why)
{
    struct capsule *c = &s->capsule;
    enum status status = image_open(s->plan.kernel.data, s->plan.kernel.size, XLEN, &s->image, why);

    if (status == STATUS_OK)
        status = space_create(&c->space, capsule_isolation(&s->plan), s->plan.memory, c->id, &why->text);
    if (status != STATUS_OK)
        return status;
    struct image_request request = {
        .xlen = XLEN,
        .ram_base = space_base(&c->space),
        .ram_size = s->plan.memory,
        .tree_size = GUEST_TREE_SIZE(s->plan.vcores),
        .initrd_size = s->plan.ramdisk.size,
    };
    status = image_place(&s->image, &request, &s->layout, why);
    if (status != STATUS_OK)
        space_destroy(&c->space);
    return status;
}

enum status capsule_start(struct capsule_state *s, struct image_error *why)
{
    enum status status = capsule_memory_get(s, why);

    if (status != STATUS_OK)
        return status;
    s->stage = LIFE_LOADING;
    if (capsule_share_set(s) != STATUS_OK) { // harts of its own may be another's by now
        s->stage = LIFE_STOPPED;
        space_destroy(&s->capsule.space);
        why->text = "the harts it wants for itself are another's, do not exist, or none would be left for others";
        return STATUS_BUSY;
    }
    s->until = 0;
    s->failures = 0;
    s->progress = (struct progress){0};
    s->on_console = true;
    console_add(&s->capsule.stream);
    life_count_start(s);
    life_expect(s, true);
    capsule_notify(&s->capsule);
    return STATUS_OK;
}

// --- the bundle's ----------------------------------------------------------------------------------------

static void launch_fail(const struct bundle_capsule *from, const struct image_error *why)
{
    unsigned mib = (unsigned)(from->memory >> 20);
    const char *isolation = isolation_name(capsule_isolation(from));

    life_count_failure();
    if (why->number)
        log_error("%s: not started (%u MiB, %s): %s: 0x%llx", from->name, mib, isolation, why->text,
                  (unsigned long long)why->number);
    else
        log_error("%s: not started (%u MiB, %s): %s", from->name, mib, isolation, why->text);
}

static void launch_checked(const struct bundle_capsule *from)
{
    static const char *const lacks[] = {
        [DIOSIX_LACK_MEMORY] = "the hypervisor's own memory is exhausted",
        [DIOSIX_LACK_CAPSULES] = "the hypervisor's own memory is exhausted",
        [DIOSIX_LACK_DEVICES] = "it can't have its devices",
        [DIOSIX_LACK_QUOTA] = "its quota is more than there can be",
    };
    struct image_error why = {0};
    struct capsule_state *s;

    if (from->memory > frames_total_bytes()) {
        why.text = "its memory is more than the machine has";
        launch_fail(from, &why);
        return;
    }
    enum diosix_lack lack = capsule_create(from, &tree_root, false, &s);
    if (lack != DIOSIX_LACK_NONE) {
        why.text = lacks[lack];
        launch_fail(from, &why);
        return;
    }
    if (capsule_start(s, &why) != STATUS_OK) {
        launch_fail(from, &why);
        life_destroy(s);
        return;
    }
    log_info("%s: %u vcore%s, %u MiB, isolation %s", from->name, (unsigned)from->vcores, from->vcores == 1 ? "" : "s",
             (unsigned)(from->memory >> 20), isolation_name(s->capsule.space.kind));
}

void capsule_launch(const struct bundle_capsule *from)
{
    if (from->status != STATUS_OK) {
        log_error("%s: not started: %s: %s", from->name, from->error.field, from->error.text);
        life_count_failure();
        return;
    }
    lock_acquire(&tree_lock);
    launch_checked(from);
    lock_release(&tree_lock);
}
