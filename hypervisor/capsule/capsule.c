// Making capsules.
#include "capsule.h"

#include <string.h>

#include "bits.h"
#include "capsule_state.h"
#include "console.h"
#include "frames.h"
#include "guest_tree.h"
#include "log.h"
#include "devices.h"
#include "slab.h"

#define RING_ORDER 2 // 16 KiB of output kept for each capsule

static struct slab capsule_slab, vcore_slab, plic_slab, vector_slab;
static uint16_t last_id;

static size_t vector_state_size(void)
{
    return isolation_features.vector ? sizeof(struct vector_state) + 32 * isolation_features.vlenb : 0;
}

void capsules_init(size_t capsules_max, size_t vcores_max)
{
    slab_init(&capsule_slab, "capsules", sizeof(struct capsule_state), 16, capsules_max);
    slab_init(&vcore_slab, "vcores", sizeof(struct vcore), 64, vcores_max);
    slab_init(&plic_slab, "plics", vplic_size(BUNDLE_VCORES_MAX), 16, capsules_max);
    if (vector_state_size())
        slab_init(&vector_slab, "vectors", vector_state_size(), 16, vcores_max);
}

uint64_t capsule_cost(unsigned vcores)
{
    return sizeof(struct capsule_state) + ((uint64_t)FRAME_SIZE << RING_ORDER) + vplic_size(BUNDLE_VCORES_MAX) +
           vcores * (align_up(sizeof(struct vcore), 64) + vector_state_size());
}

// --- the console's view of the UART ----------------------------------------------------------------

static size_t port_write(void *owner, const uint8_t *bytes, size_t count) { return stream_write(owner, bytes, count); }
static int port_read(void *owner) { return stream_read(owner); }
static bool port_room(void *owner) { return stream_room(owner); }
static bool port_has_input(void *owner) { return stream_has_input(owner); }

static const struct vuart_port uart_port = {port_write, port_read, port_room, port_has_input};

void capsule_devices_reset(struct capsule *c)
{
    lock_acquire(&c->devices);
    vuart_init(&c->uart, &uart_port, &c->stream);
    vplic_init(c->plic, c->vcore_count);
    for (unsigned i = 0; i < c->vcore_count; i++)
        atomic_store(&c->vcores[i]->external, false);
    lock_release(&c->devices);
}

// --- making and unmaking -----------------------------------------------------------------------------

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
    return v;
}

static void capsule_unmake(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;

    for (unsigned i = 0; i < c->vcore_count; i++)
        if (c->vcores[i]) {
            if (c->vcores[i]->world.vector)
                slab_free(&vector_slab, c->vcores[i]->world.vector);
            slab_free(&vcore_slab, c->vcores[i]);
        }
    if (c->plic)
        slab_free(&plic_slab, c->plic);
    if (c->stream.ring)
        frames_free(hpa_of(c->stream.ring), FRAME_SIZE << RING_ORDER, FRAMES_OWNER_HYPERVISOR);
    slab_free(&capsule_slab, s);
}

static bool capsule_make_parts(struct capsule *c)
{
    struct hpa ring;

    if (!(c->plic = slab_allocate(&plic_slab)) ||
        frames_allocate(RING_ORDER, FRAMES_OWNER_HYPERVISOR, &ring) != STATUS_OK)
        return false;
    stream_init(&c->stream, c->name, hpa_pointer(ring), FRAME_SIZE << RING_ORDER);
    for (unsigned i = 0; i < c->vcore_count; i++)
        if (!(c->vcores[i] = vcore_create(c, i)))
            return false;
    return true;
}

static struct capsule_state *capsule_make(const struct bundle_capsule *from)
{
    struct capsule_state *s = slab_allocate(&capsule_slab);

    if (!s)
        return NULL;
    s->from = from;
    s->capsule.vcore_count = from->vcores;
    s->capsule.id = ++last_id;
    strcpy(s->capsule.name, from->name);
    entity_init(&s->capsule.life, ENTITY_LIFE, this_hart());
    if (capsule_make_parts(&s->capsule)) {
        capsule_devices_reset(&s->capsule); // keys may come before the guest is loaded
        return s;
    }
    capsule_unmake(s);
    return NULL;
}

static const char *isolation_name(enum isolation_kind kind) { return kind == ISOLATION_GSTAGE ? "gstage" : "pmp"; }

static enum isolation_kind isolation_choose(enum isolation_kind kind)
{
    if (kind != ISOLATION_AUTO)
        return kind;
    return isolation_features.hypervisor ? ISOLATION_GSTAGE : ISOLATION_PMP;
}

static enum status capsule_prepare(struct capsule_state *s, enum isolation_kind kind, struct image_error *why)
{
    enum status status = image_open(s->from->kernel.data, s->from->kernel.size, XLEN, &s->image, why);

    if (status == STATUS_OK)
        status = space_create(&s->capsule.space, kind, s->from->memory, s->capsule.id, &why->text);
    if (status != STATUS_OK)
        return status;
    struct image_request request = {
        .xlen = XLEN,
        .ram_base = space_base(&s->capsule.space),
        .ram_size = s->from->memory,
        .tree_size = GUEST_TREE_SIZE(s->from->vcores),
        .initrd_size = s->from->ramdisk.size,
    };
    status = image_place(&s->image, &request, &s->layout, why);
    if (status != STATUS_OK)
        space_destroy(&s->capsule.space);
    return status;
}

void capsule_launch(const struct bundle_capsule *from, enum isolation_kind isolation)
{
    struct image_error why = {0};

    if (from->status != STATUS_OK) {
        log_error("%s: not started: %s: %s", from->name, from->error.field, from->error.text);
        capsule_count_failure();
        return;
    }
    if (from->memory > frames_total_bytes()) {
        log_error("%s: not started: %u MiB of memory are more than the machine has", from->name,
                  (unsigned)(from->memory >> 20));
        capsule_count_failure();
        return;
    }
    struct capsule_state *s = capsule_make(from);
    if (!s) {
        log_error("%s: not started: the hypervisor's own memory is exhausted", from->name);
        capsule_count_failure();
        return;
    }
    enum isolation_kind kind = isolation_choose(isolation);
    if (capsule_prepare(s, kind, &why) != STATUS_OK) {
        unsigned mib = (unsigned)(from->memory >> 20);
        if (why.number)
            log_error("%s: not started (%u MiB, %s): %s: 0x%llx", from->name, mib, isolation_name(kind), why.text,
                      (unsigned long long)why.number);
        else
            log_error("%s: not started (%u MiB, %s): %s", from->name, mib, isolation_name(kind), why.text);
        capsule_unmake(s);
        capsule_count_failure();
        return;
    }
    log_info("%s: %u vcore%s, %u MiB, isolation %s", from->name, (unsigned)from->vcores, from->vcores == 1 ? "" : "s",
             (unsigned)(from->memory >> 20), isolation_name(kind));
    console_add(&s->capsule.stream);
    capsule_count_start();
    sched_start(&s->capsule.life);
}

void capsule_release(struct capsule_state *s)
{
    console_remove(&s->capsule.stream);
    console_events_settle();
    space_destroy(&s->capsule.space);
    capsule_unmake(s);
}
