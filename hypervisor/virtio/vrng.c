#include "vrng.h"

// No driver wants more at once, and it may be given less than it asks for.
#define REQUEST_MAX 64u

// With the chain taken.
static enum status serve(struct vrng *r)
{
    uint8_t bytes[REQUEST_MAX];
    struct space *s = r->device.space;
    uint32_t size = r->chain.writable < REQUEST_MAX ? r->chain.writable : REQUEST_MAX;

    if (!size || r->chain.read.left) // section 5.4.6.1
        return STATUS_INVALID;
    r->draw(bytes, size);
    r->device.counts[VIRTIO_TO_GUEST].requests++;
    r->device.counts[VIRTIO_TO_GUEST].bytes += size;
    enum status status = chain_write(&r->chain, s, bytes, size);
    return status == STATUS_OK ? virtqueue_return(&r->queue.ring, s, r->chain.head, size) : status;
}

static enum virtio_progress run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    struct vrng *r = container_of(d, struct vrng, device);
    struct virtqueue *ring = &d->queues[queue].ring;

    for (; *budget >= VIRTIO_REQUEST_BYTES; *budget -= VIRTIO_REQUEST_BYTES) {
        enum status status = virtqueue_next(ring, d->space, &r->chain);
        if (status == STATUS_NOT_FOUND)
            return VIRTIO_IDLE;
        if (status == STATUS_OK)
            status = serve(r);
        if (status != STATUS_OK)
            return virtio_progress_of(status);
    }
    return VIRTIO_MORE;
}

static const struct virtio_class class = {.id = VIRTIO_ID_RNG, .queue_count = 1, .queue_size = 8, .run = run};

void vrng_init(struct vrng *r, struct space *space, void (*draw)(uint8_t *out, size_t size))
{
    virtio_init(&r->device, &class, space, &r->queue, 0);
    r->draw = draw;
}
