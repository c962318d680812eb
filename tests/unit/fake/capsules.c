#include "capsules.h"

#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "console.h"
#include "devices.h"
#include "emulate.h"
#include "equip.h"
#include "explore.h"
#include "fences.h"
#include "frames.h"
#include "guest_tree.h"
#include "harts.h"
#include "log.h"
#include "manage_calls.h"
#include "plic.h"
#include "power.h"
#include "sbi.h"
#include "slab.h"
#include "trace.h"

uint64_t fake_memory, fake_memory_used;
unsigned fake_objects, fake_streams, fake_scarce;
bool fake_machine_off, fake_machine_well;
void (*fake_announced)(const char *format);
struct machine_facts machine_facts;
unsigned char *hpa_arena = (unsigned char *)FRAME_SIZE;

static bool is_lacking(void)
{
    explore_point();
    return fake_scarce && explore_random(fake_scarce) == 0;
}

// --- the hypervisor's own memory: real memory of the test, so that AddressSanitizer sees who uses it late ---

void slab_init(struct slab *slab, const char *name, size_t object_size, size_t align, size_t max_objects)
{
    *slab = (struct slab){.name = name, .stride = (uint32_t)object_size, .max = (uint32_t)max_objects};
    (void)align;
}

void *slab_allocate(struct slab *slab)
{
    if (is_lacking())
        return NULL;
    slab->used++;
    fake_objects++;
    return calloc(1, slab->stride);
}

void slab_free(struct slab *slab, void *object)
{
    explore_point();
    if (!object)
        return;
    slab->used--;
    fake_objects--;
    free(object);
}

enum status frames_allocate(unsigned order, uint16_t owner, struct hpa *out)
{
    if (owner != FRAMES_OWNER_HYPERVISOR || is_lacking())
        return STATUS_NO_MEMORY;
    fake_objects++;
    *out = hpa_of(malloc((size_t)FRAME_SIZE << order));
    return STATUS_OK;
}

void frames_free(struct hpa start, uint64_t bytes, uint16_t owner)
{
    (void)bytes, (void)owner;
    fake_objects--;
    free(hpa_pointer(start));
}

uint64_t frames_total_bytes(void)
{
    return fake_memory;
}

uint64_t frames_free_bytes(void)
{
    return fake_memory - fake_memory_used;
}

uint64_t frames_largest_free(void)
{
    return frames_free_bytes();
}

uint64_t frames_hypervisor_free_bytes(void)
{
    return 0;
}

struct range frames_hypervisor_range(void)
{
    return (struct range){0};
}

bool frames_ram(unsigned i, struct range *out)
{
    (void)i, (void)out;
    return false;
}

enum status isolation_reserve(uint64_t bytes)
{
    (void)bytes;
    return is_lacking() ? STATUS_NO_MEMORY : STATUS_OK;
}

void isolation_protect(struct hart *h)
{
    (void)h;
}

// --- nobody is traced, and no guest counts events ------------------------------------------------------------

void trace_enter(struct vcore *v)
{
    (void)v;
}

enum status trace_start(struct capsule *c)
{
    (void)c;
    return STATUS_NO_MEMORY;
}

void trace_stop(struct capsule *c)
{
    (void)c;
}

size_t trace_peek(struct capsule *c, uint32_t *position, struct diosix_exit *records, size_t count, uint32_t *end)
{
    (void)c, (void)position, (void)records, (void)count;
    *end = 0;
    return 0;
}

void sbi_pmu_rebase(struct vcore *v, const struct vcore *from)
{
    (void)v, (void)from;
}

// --- capsules' RAM: `own_bytes` of it are counted, `extent_count` says that there is some --------------------

static void all_parked_check(const struct space *s, const char *what)
{
    const struct capsule *c = container_of(s, struct capsule, space);

    for (unsigned i = 0; i < c->vcore_count; i++)
        if (c->vcores[i]->entity.state != ENTITY_PARKED || fake_is_loaded(&c->vcores[i]->world))
            explore_fail("%s: %s while vcore %u runs", c->name, what, i);
}

static bool memory_take(struct space *s, uint64_t bytes)
{
    if (is_lacking() || bytes > fake_memory - fake_memory_used)
        return false;
    fake_memory_used += bytes;
    s->own_bytes += bytes;
    return true;
}

static void memory_drop(struct space *s, uint64_t bytes)
{
    fake_memory_used -= bytes;
    s->own_bytes -= bytes;
}

enum status space_create(struct space *s, enum isolation_kind kind, uint64_t memory, uint16_t owner, const char **why)
{
    if (s->extent_count)
        explore_fail("made over what is there");
    *s = (struct space){.kind = kind, .size = memory, .owner = owner};
    *why = "no memory";
    if (!memory_take(s, memory))
        return STATUS_NO_MEMORY;
    s->extents[0] = (struct extent){.guest = gpa(0x80000000), .size = memory};
    s->extent_count = 1;
    return STATUS_OK;
}

void space_destroy(struct space *s)
{
    all_parked_check(s, "destroyed");
    if (s->forked && s->own_bytes)
        explore_fail("what has no bound is done at one go"); // the lock of the tree is held
    memory_drop(s, s->own_bytes);
    s->extent_count = 0;
}

bool space_release_step(struct space *s)
{
    explore_point();
    all_parked_check(s, "released");
    if (s->own_bytes) {
        memory_drop(s, s->own_bytes < (1u << 20) ? s->own_bytes : 1u << 20);
        return true;
    }
    space_destroy(s);
    return false;
}

void space_forget(struct space *s)
{
    all_parked_check(s, "forgotten");
}

bool space_translate(const struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    (void)s, (void)size;
    *out = hpa(a.value);
    return true;
}

unsigned long space_visitors(struct space *s)
{
    explore_point();
    return atomic_load(&s->visitors);
}

uint64_t space_private_bytes(const struct space *s)
{
    return s->own_bytes;
}

enum status space_fork_begin(struct space *child, struct space *parent, uint16_t owner, const char **why)
{
    if (child->extent_count)
        explore_fail("forked over what is there");
    *why = "no memory";
    if (is_lacking())
        return STATUS_NO_MEMORY;
    *child = (struct space){.kind = parent->kind, .size = parent->size, .owner = owner, .forked = true};
    child->extents[0] = parent->extents[0];
    child->extent_count = 1;
    parent->forked = true;
    return STATUS_OK;
}

enum status space_fork_step(struct space *child, struct space *parent, uint64_t *progress)
{
    explore_point();
    all_parked_check(parent, "forked");
    if (!parent->extent_count)
        explore_fail("a fork of nothing");
    if (!memory_take(child, 4096))
        return STATUS_NO_MEMORY;
    *progress += 1u << 20;
    if (*progress > parent->size)
        *progress = parent->size;
    return STATUS_OK;
}

bool world_translate(const struct world *w, uint64_t address, uint64_t *out)
{
    (void)w, (void)address, (void)out;
    return false;
}

// --- loading ----------------------------------------------------------------------------------------------

enum status image_open(const void *data, size_t size, unsigned xlen, struct image *image, struct image_error *why)
{
    (void)data, (void)size, (void)xlen;
    image->kind = IMAGE_RAW;
    why->text = "bad image";
    return is_lacking() ? STATUS_INVALID : STATUS_OK;
}

enum status image_place(struct image *image, const struct image_request *request, struct image_layout *layout,
                        struct image_error *why)
{
    (void)image, (void)request;
    layout->entry = gpa(0x1000);
    why->text = "no place";
    return is_lacking() ? STATUS_NO_MEMORY : STATUS_OK;
}

static bool step_memory(struct capsule_state *s, enum life_stage stage, const char *what)
{
    explore_point();
    all_parked_check(&s->capsule.space, what);
    if (!s->capsule.space.extent_count || s->stage != stage)
        explore_fail("%s, and is not", what);
    return s->progress.piece++ < 3;
}

bool load_step(struct capsule_state *s)
{
    return step_memory(s, LIFE_LOADING, "loaded");
}

bool clear_step(struct capsule_state *s)
{
    return step_memory(s, LIFE_SCRUBBING, "cleared");
}

void tree_write(struct capsule_state *s)
{
    step_memory(s, LIFE_LOADING, "told of its devices");
}

void entropy_draw(uint8_t *out, size_t size)
{
    memset(out, 7, size);
}

// --- devices: one in every capsule, that has as much to do as it is given -----------------------------------

static struct virtio_device *device_new(struct capsule *c)
{
    struct virtio_device *d = calloc(1, sizeof(*d));
    d->space = &c->space;
    return d;
}

void equip_init(void) {}

uint64_t equip_cost(const struct bundle_capsule *plan)
{
    (void)plan;
    return 0;
}

uint64_t equip_memory(const struct bundle_capsule *plan)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        bytes += plan->devices[i].overlay;
    return bytes;
}

void equip_plan_clone(struct bundle_capsule *plan)
{
    (void)plan;
}

bool equip_make(struct capsule_state *s)
{
    if (is_lacking())
        return false;
    fake_objects++;
    s->capsule.virtio[3] = device_new(&s->capsule);
    return true;
}

enum status equip_add(struct capsule_state *s, const struct bundle_device *plan, unsigned *slot)
{
    if (s->stage != LIFE_STOPPED || s->starts)
        explore_fail("%s: is given a device in stage %u", s->capsule.name, s->stage);
    *slot = 0;
    while (*slot < VIRTIO_SLOTS && s->plan.devices[*slot].kind)
        ++*slot;
    if (*slot == VIRTIO_SLOTS)
        return STATUS_BUSY;
    if (is_lacking())
        return STATUS_NO_MEMORY;
    if (!tree_take_memory(&s->node, plan->overlay))
        return STATUS_DENIED;
    s->plan.devices[*slot] = *plan;
    return STATUS_OK;
}

unsigned fake_switch_room = 64;

void switches_address_draw(struct bundle_device *plan)
{
    (void)plan;
}

unsigned switches_room(const struct bundle_device *plan)
{
    (void)plan;
    return fake_switch_room;
}

void equip_unmake(struct capsule_state *s)
{
    if (!s->capsule.virtio[3])
        return;
    fake_objects--;
    free(s->capsule.virtio[3]);
}

static void device_idle_check(struct capsule *c, const char *what)
{
    explore_point();
    if (atomic_load(&c->worker_is_on) || c->worker.state != ENTITY_PARKED)
        explore_fail("%s: its device is %s while it works", c->name, what);
}

void equip_settle(struct capsule *c)
{
    device_idle_check(c, "changed");
    if (c->virtio[3])
        atomic_store(&c->virtio[3]->is_unsettled, false);
}

void equip_reset(struct capsule *c)
{
    device_idle_check(c, "reset");
    atomic_store(&c->work, 0);
    equip_settle(c);
}

void equip_silence(struct capsule *c)
{
    device_idle_check(c, "silenced");
}

bool equip_release_step(struct capsule_state *s)
{
    device_idle_check(&s->capsule, "cleared");
    return s->progress.piece++ < 3;
}

enum status equip_set(struct capsule_state *s, unsigned slot, enum diosix_device_setting setting, uint64_t value)
{
    (void)setting, (void)value;
    if (slot)
        return STATUS_NOT_FOUND;
    if (s->stage == LIFE_FORKING || s->forks || !s->capsule.virtio[3])
        return STATUS_BUSY;
    if (s->stage == LIFE_STOPPED)
        return STATUS_OK;
    atomic_store(&s->capsule.virtio[3]->is_unsettled, true);
    capsule_work(&s->capsule, 3);
    return STATUS_OK;
}

enum status equip_attach(struct capsule_state *s, unsigned slot, const char *name)
{
    (void)s, (void)name;
    return slot ? STATUS_NOT_FOUND : STATUS_OK;
}

bool equip_tell(struct capsule_state *s, unsigned slot, struct diosix_device *out)
{
    *out = (struct diosix_device){.kind = DIOSIX_DEVICE_RNG, .size = s->node.id};
    return !slot;
}

bool equip_clone_step(struct capsule_state *clone, struct capsule_state *original, enum status *status)
{
    device_idle_check(&original->capsule, "copied");
    device_idle_check(&clone->capsule, "written");
    *status = is_lacking() ? STATUS_NO_MEMORY : STATUS_OK;
    return clone->fork.slot++ < 2;
}

uint64_t virtio_later(struct virtio_device *d)
{
    return atomic_load(&d->delayed) ? hart_time() + explore_random(100) : TIME_NEVER;
}

enum virtio_progress virtio_run(struct virtio_device *d, uint32_t budget)
{
    struct capsule *c = container_of(d->space, struct capsule, space);

    (void)budget;
    if (state_of(c)->stage != LIFE_RUNNING)
        explore_fail("%s: its device works in stage %u", c->name, state_of(c)->stage);
    atomic_store(&d->is_unsettled, false);
    explore_point();
    if (state_of(c)->stage != LIFE_RUNNING)
        explore_fail("%s: its device works on into stage %u", c->name, state_of(c)->stage);
    if (is_lacking())
        return VIRTIO_NO_MEMORY;
    enum virtio_progress progress[] = {VIRTIO_IDLE, VIRTIO_IDLE, VIRTIO_LATER, VIRTIO_MORE},
                         one = progress[explore_random(4)];
    if (one == VIRTIO_LATER)
        atomic_fetch_or(&d->delayed, 1u);
    return one;
}

uint64_t virtio_read(struct virtio_device *d, uint32_t offset, unsigned bytes)
{
    (void)d, (void)offset, (void)bytes;
    return 0;
}

void virtio_write(struct virtio_device *d, uint32_t offset, unsigned bytes, uint64_t value)
{
    (void)d, (void)offset, (void)bytes, (void)value;
}

// None has a console.
void vconsole_ask(struct vconsole *c)
{
    (void)c;
}

// --- the bundle -------------------------------------------------------------------------------------------

enum status bundle_image_find(const struct bundle *bundle, const char *name, struct bundle_image *image)
{
    (void)bundle;
    *image = (struct bundle_image){.data = "image", .size = 5};
    return strcmp(name, "kernel") ? STATUS_NOT_FOUND : STATUS_OK;
}

enum status bundle_disk_find(const struct bundle *bundle, const char *name, struct bundle_device *device)
{
    (void)bundle, (void)device;
    return strcmp(name, "disk") ? STATUS_NOT_FOUND : STATUS_OK;
}

enum status bundle_switch_find(const struct bundle *bundle, const char *name, struct bundle_device *device)
{
    (void)bundle;
    device->name = !strcmp(name, "lan") ? "lan" : "other";
    return strcmp(name, "lan") && strcmp(name, "other") ? STATUS_NOT_FOUND : STATUS_OK;
}

enum status bundle_image_at(const struct bundle *bundle, unsigned n, const char **name, struct bundle_image *image,
                            bool *is_kernel)
{
    *name = "kernel";
    *is_kernel = true;
    return n ? STATUS_NOT_FOUND : bundle_image_find(bundle, *name, image);
}

// --- the console --------------------------------------------------------------------------------------------

#define STREAMS 64u
static struct stream *streams[STREAMS];
struct stream *_Atomic console_events;
_Atomic bool console_timed;

void stream_init(struct stream *s, const char *name, uint8_t *ring, size_t ring_size)
{
    *s = (struct stream){.name = name, .ring = ring, .size = (uint32_t)ring_size};
}

size_t stream_write(struct stream *s, const uint8_t *bytes, size_t count)
{
    s->ring[0] = bytes[0];
    return count;
}

int stream_read(struct stream *s)
{
    return s->input_head ? (int)s->input_head-- : -1;
}

bool stream_room_slow(struct stream *s)
{
    (void)s;
    return true;
}

size_t stream_peek(struct stream *s, uint32_t *position, uint8_t *bytes, size_t size, uint32_t *end)
{
    *end = *position;
    if (size)
        bytes[0] = s->ring[0];
    return size != 0;
}

static struct stream **stream_at(const struct stream *s)
{
    unsigned i = 0;
    while (i < STREAMS && streams[i] != s)
        i++;
    return i < STREAMS ? &streams[i] : NULL;
}

void console_add(struct stream *s)
{
    struct stream **place = stream_at(NULL);

    explore_point();
    if (stream_at(s) || !place)
        explore_fail("%s is on the console already", s->name);
    *place = s;
    fake_streams++;
}

void console_remove(struct stream *s)
{
    struct stream **place = stream_at(s);

    explore_point();
    if (!place)
        explore_fail("%s is not on the console", s->name);
    *place = NULL;
    fake_streams--;
    if (console_events == s)
        console_events = NULL;
}

size_t console_type(struct stream *s, const uint8_t *bytes, size_t count)
{
    (void)bytes;
    s->input_head++;
    return count;
}

void fake_type(void)
{
    struct stream *s = streams[explore_random(STREAMS)];

    if (s)
        console_events = s;
    hart_interrupts(this_hart(), 1UL << INTERRUPT_M_EXTERNAL);
}

struct stream *console_event_take(void)
{
    struct stream *s = console_events;
    console_events = NULL;
    explore_point();
    if (s)
        s->input_head++;
    return s;
}

void console_announce(const char *format, ...)
{
    if (fake_announced)
        fake_announced(format);
}

uint64_t console_deadline_read(void)
{
    return UINT64_MAX;
}

void console_change(void) {}

bool console_has_changed(void)
{
    return false;
}

struct stream console_terminal, console_dio, console_urgent;
static bool kept;

void console_keep(bool on)
{
    kept = on;
}
bool console_is_kept(void)
{
    return kept;
}
void console_watch(struct stream *s, bool watched)
{
    s->limit = watched;
}
bool console_shown(struct stream *s, uint32_t position)
{
    if (position - s->shown > s->head - s->shown)
        return false;
    s->shown = position;
    return true;
}
bool console_owes(const struct stream *s)
{
    return s->head != s->shown;
}
void console_news_begin(void) {}

void console_expect(bool expected)
{
    (void)expected;
}

void console_poll(uint64_t at)
{
    (void)at;
}

unsigned block_count;
bool block_interrupt(uint32_t irq)
{
    (void)irq;
    return false;
}

void console_interrupt(void) {}
void console_flush(void) {}

void log_print(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}

// --- the rest of the machine ------------------------------------------------------------------------------

void harts_stop_others(void) {}

_Noreturn void power_off(bool success)
{
    fake_machine_off = true;
    fake_machine_well = success;
    explore_end();
}

_Noreturn void power_reboot(void)
{
    power_off(true);
}

uint32_t plic_claim(uint32_t context)
{
    (void)context;
    return 1;
}

void plic_complete(uint32_t context, uint32_t irq)
{
    (void)context, (void)irq;
}

enum exit mmio_fault(struct vcore *v, unsigned long cause, uint32_t saved)
{
    (void)v, (void)cause, (void)saved;
    return EXIT_RESUME;
}

enum exit emulate_instruction(struct vcore *v)
{
    (void)v;
    return EXIT_RESUME;
}

enum exit emulate_misaligned(struct vcore *v, unsigned long cause)
{
    (void)v, (void)cause;
    return EXIT_RESUME;
}

enum exit sbi_call(struct vcore *v)
{
    (void)v;
    return EXIT_RESUME;
}

void sbi_sta_running(struct vcore *v)
{
    (void)v;
}

void sbi_sta_preempted(struct vcore *v)
{
    (void)v;
}

void world_fence(const struct fence_request *r)
{
    (void)r;
}

void fake_fence(struct fence fence)
{
    (void)fence;
}

void fake_capsules_create(void)
{
    memset(streams, 0, sizeof(streams));
    console_events = NULL;
    fake_memory = 48u << 20;
    fake_memory_used = 0;
    fake_objects = fake_streams = 0;
    fake_machine_off = false;
    machine_facts = (struct machine_facts){.timebase_hz = 40, .isolation = ISOLATION_GSTAGE, .model = "fake"};
    capsules_init();
}
