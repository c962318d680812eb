#include "virtio_rng.h"

#include <stdatomic.h>

#include "hart.h"
#include "virtio_mmio.h"

#define QUEUE_SIZE 2u
#define PATIENCE 10000000u // ticks; a second, where they are 100 ns

uint8_t virtio_rng_bytes[VIRTIO_RNG_BYTES];
unsigned virtio_rng_count;

// What the device reads and writes: one request.
static struct {
    struct virtio_descriptor descriptors[QUEUE_SIZE] __attribute__((aligned(16)));
    uint16_t available_flags;
    _Atomic uint16_t available_index;
    uint16_t available[QUEUE_SIZE];
    uint16_t used_flags __attribute__((aligned(4)));
    _Atomic uint16_t used_index;
    struct virtio_used used[QUEUE_SIZE];
} shared;

static const char *ask(uintptr_t base)
{
    const void *const places[] = {shared.descriptors, &shared.available_flags, &shared.used_flags};
    uint64_t features = VIRTIO_F_VERSION_1;
    const char *problem = virtio_slot_negotiate(base, &features);

    if (problem)
        return problem;
    if (!virtio_slot_queue(base, 0, QUEUE_SIZE, places))
        return "its queue is too short";
    virtio_slot_go(base);
    shared.descriptors[0] =
        (struct virtio_descriptor){hpa_of(virtio_rng_bytes).value, VIRTIO_RNG_BYTES, VIRTIO_DESCRIPTOR_WRITE, 0};
    shared.available_flags = VIRTIO_AVAILABLE_NO_INTERRUPT; // it is waited for
    atomic_store_explicit(&shared.available_index, 1, memory_order_release);
    virtio_slot_set(base, VIRTIO_QUEUE_NOTIFY, 0);
    return NULL;
}

static const char *answer_await(void)
{
    uint64_t until = hart_time() + PATIENCE;

    while (!atomic_load_explicit(&shared.used_index, memory_order_acquire))
        if (hart_time() >= until)
            return "it does not answer";
    uint32_t written = shared.used[0].written;
    virtio_rng_count = written < VIRTIO_RNG_BYTES ? written : VIRTIO_RNG_BYTES;
    return NULL;
}

void virtio_rng_probe(const struct virtio_slot *slot, const char **problem)
{
    *problem = NULL;
    if (virtio_rng_count || !virtio_slot_holds(slot, VIRTIO_ID_RNG, problem))
        return;
    shared.used_index = shared.available_index = 0;
    *problem = ask(slot->base);
    if (!*problem)
        *problem = answer_await();
    virtio_slot_set(slot->base, VIRTIO_STATUS, 0); // reset: nothing is written any more
}
