#include "virtio_disk.h"

#include <string.h>

#include "frames.h"
#include "virtio_mmio.h"
#include "volume.h"

// Each user's request has three descriptors of its own: header, data and the answer. So none is ever looked for.
#define DESCRIPTORS_EACH 3u
#define QUEUE_SIZE 64u
_Static_assert(DESCRIPTORS_EACH *BLOCK_USERS_MAX <= QUEUE_SIZE, "all have some");

// What the device reads and writes, in two frames.
struct shared {
    struct virtio_descriptor descriptors[QUEUE_SIZE];
    uint16_t available_flags;
    _Atomic uint16_t available_index;
    uint16_t available[QUEUE_SIZE], used_event;
    uint16_t used_flags __attribute__((aligned(4)));
    _Atomic uint16_t used_index;
    struct virtio_used used[QUEUE_SIZE];
    uint16_t available_event;
    struct virtio_blk_header headers[BLOCK_USERS_MAX] __attribute__((aligned(16)));
    uint8_t answers[BLOCK_USERS_MAX];
};
#define SHARED_ORDER 0
_Static_assert(sizeof(struct shared) <= FRAME_SIZE << SHARED_ORDER, "it must fit");

struct virtio_disk {
    struct block_disk disk;
    uintptr_t base;
    struct shared *shared;
    uint16_t seen; // entries of `used`
};

static struct virtio_disk disks[BLOCK_DISKS_MAX];

// --- requests ------------------------------------------------------------------------------------------------

static void descriptor_set(struct virtio_disk *v, unsigned n, const void *at, uint32_t bytes, unsigned flags)
{
    v->shared->descriptors[n] = (struct virtio_descriptor){hpa_of(at).value, bytes, (uint16_t)flags,
                                                           (uint16_t)(flags & VIRTIO_DESCRIPTOR_NEXT ? n + 1 : 0)};
}

static void submit(struct block_disk *d, struct block_user *u, enum block_operation what, uint64_t sector,
                   uint32_t bytes)
{
    static const uint8_t types[] = {[BLOCK_READ] = VIRTIO_BLK_IN,
                                    [BLOCK_WRITE] = VIRTIO_BLK_OUT,
                                    [BLOCK_FLUSH] = VIRTIO_BLK_FLUSH,
                                    [BLOCK_IDENTIFY] = VIRTIO_BLK_GET_ID};
    struct virtio_disk *v = container_of(d, struct virtio_disk, disk);
    struct shared *s = v->shared;
    unsigned n = DESCRIPTORS_EACH * u->index, to_us = what == BLOCK_WRITE ? 0 : VIRTIO_DESCRIPTOR_WRITE;
    uint16_t index = atomic_load_explicit(&s->available_index, memory_order_relaxed);

    s->headers[u->index] = (struct virtio_blk_header){.type = types[what], .sector = what < BLOCK_FLUSH ? sector : 0};
    s->answers[u->index] = VIRTIO_BLK_IOERR;
    descriptor_set(v, n, &s->headers[u->index], sizeof(s->headers[0]), VIRTIO_DESCRIPTOR_NEXT);
    if (bytes)
        descriptor_set(v, n + 1, u->buffer, bytes, VIRTIO_DESCRIPTOR_NEXT | to_us);
    else
        s->descriptors[n].next = (uint16_t)(n + 2);
    descriptor_set(v, n + 2, &s->answers[u->index], 1, VIRTIO_DESCRIPTOR_WRITE);
    s->available[index % QUEUE_SIZE] = (uint16_t)n;
    atomic_store_explicit(&s->available_index, (uint16_t)(index + 1), memory_order_release);
    virtio_slot_set(v->base, VIRTIO_QUEUE_NOTIFY, 0); // no earlier than what was written before (io.h)
}

// Both halves of one value, should it change meanwhile (section 4.2.2.2).
static uint64_t capacity(const struct virtio_disk *v)
{
    uint64_t sectors = 0;

    for (unsigned tries = 0; tries < 8; tries++) {
        uint32_t generation = virtio_slot_get(v->base, VIRTIO_CONFIG_GENERATION);
        sectors = (uint64_t)virtio_slot_get(v->base, VIRTIO_CONFIG + 4) << 32 | virtio_slot_get(v->base, VIRTIO_CONFIG);
        if (virtio_slot_get(v->base, VIRTIO_CONFIG_GENERATION) == generation)
            break;
    }
    return sectors;
}

// The device is believed no more than it must be: an answer to nobody is passed over.
static void poll(struct block_disk *d)
{
    struct virtio_disk *v = container_of(d, struct virtio_disk, disk);
    struct shared *s = v->shared;

    if (virtio_slot_acknowledge(v->base))
        block_resize(d, capacity(v));
    while (atomic_load_explicit(&s->used_index, memory_order_acquire) != v->seen) {
        unsigned user = s->used[v->seen++ % QUEUE_SIZE].head / DESCRIPTORS_EACH;
        if (user < BLOCK_USERS_MAX && block_is_busy(&d->users[user]))
            block_over(&d->users[user], s->answers[user] != VIRTIO_BLK_OK);
    }
}

static const struct block_driver driver = {.submit = submit, .poll = poll};

// --- starting --------------------------------------------------------------------------------------------------

static const char *negotiate(struct virtio_disk *v)
{
    uint64_t features = VIRTIO_F_VERSION_1 | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_FLUSH;
    const char *problem = virtio_slot_negotiate(v->base, &features);

    v->disk.is_readonly = features & VIRTIO_BLK_F_RO;
    v->disk.has_flush = features & VIRTIO_BLK_F_FLUSH;
    return problem;
}

static const char *queue_start(struct virtio_disk *v)
{
    struct hpa shared;

    if (frames_allocate(SHARED_ORDER, FRAMES_OWNER_HYPERVISOR, &shared) != STATUS_OK)
        return "the hypervisor's own memory is exhausted";
    v->shared = memset(hpa_pointer(shared), 0, FRAME_SIZE << SHARED_ORDER);
    const void *const places[] = {v->shared->descriptors, &v->shared->available_flags, &v->shared->used_flags};
    if (!virtio_slot_queue(v->base, 0, QUEUE_SIZE, places))
        return "its queue is too short";
    virtio_slot_go(v->base);
    return NULL;
}

// Into the first place, whose buffer is there for who opens the disk.
static void serial_read(struct virtio_disk *v)
{
    struct block_user *u = &v->disk.users[0];
    struct hpa buffer;

    if (frames_allocate(BLOCK_BUFFER_ORDER, FRAMES_OWNER_HYPERVISOR, &buffer) != STATUS_OK)
        return;
    u->buffer = hpa_pointer(buffer);
    u->disk = &v->disk;
    block_submit(u, BLOCK_IDENTIFY, 0, VIRTIO_BLK_ID_SIZE);
    if (block_wait(u, BLOCK_PATIENCE))
        memcpy(v->disk.serial, u->buffer, VIRTIO_BLK_ID_SIZE);
}

static const char *start(struct virtio_disk *v)
{
    const char *problem = negotiate(v);

    if (!problem)
        problem = queue_start(v);
    if (problem) {
        virtio_slot_fail(v->base);
        return problem;
    }
    v->disk.sectors = capacity(v);
    v->disk.driver = &driver;
    serial_read(v);
    block_add(&v->disk);
    return NULL;
}

void virtio_disk_probe(const struct virtio_slot *slot, const char **problem)
{
    struct virtio_disk *v = &disks[block_count];

    *problem = NULL;
    if (block_count == BLOCK_DISKS_MAX)
        return;
    if (!virtio_slot_holds(slot, VIRTIO_ID_BLOCK, problem))
        return;
    *v = (struct virtio_disk){.base = slot->base, .disk.irq = slot->irq};
    *problem = start(v);
}
