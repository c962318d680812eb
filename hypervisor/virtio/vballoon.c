#include "vballoon.h"

#include <string.h>

#include "bits.h"

// Section 5.5.2. Those to report by have the number 4 as of the specification; Linux counts only queues that there are,
// which makes it 2, or 3 before it knew better. No others between are offered.
enum { INFLATE, DEFLATE, REPORT };

#define F_DEFLATE_ON_OOM (1u << 2)
#define F_PAGE_REPORTING (1u << 5)
#define PAGE_BITS 12u // of the specification, whatever the guest's are

struct config {
    uint32_t num_pages, actual;
};

// Up to SPACE_DISCARD_MAX pages that the guest has put into the balloon, by number.
static enum status inflated_read(struct vballoon *b, struct gpa *pages, unsigned *count)
{
    uint32_t numbers[SPACE_DISCARD_MAX];
    uint32_t left = b->chain.read.left / sizeof(numbers[0]);

    *count = left < SPACE_DISCARD_MAX ? left : SPACE_DISCARD_MAX;
    enum status status = chain_read(&b->chain, b->device.space, numbers, *count * sizeof(numbers[0]));
    for (unsigned i = 0; i < *count && status == STATUS_OK; i++) {
        pages[i] = gpa((uint64_t)numbers[i] << PAGE_BITS);
        if (!space_contains(b->device.space, pages[i], FRAME_SIZE))
            status = STATUS_INVALID;
    }
    return status;
}

// As many whole pages of what it does not use.
static void reported_read(struct vballoon *b, struct gpa *pages, unsigned *count)
{
    struct gpa at;
    uint32_t piece = chain_next(&b->chain, &b->chain.write, &at);
    uint64_t first = align_up(at.value, FRAME_SIZE), end = align_down(at.value + piece, FRAME_SIZE);

    *count = 0;
    for (; first < end && *count < SPACE_DISCARD_MAX; first += FRAME_SIZE)
        pages[(*count)++] = gpa(first);
    chain_skip(&b->chain, &b->chain.write, first < end ? (uint32_t)(first - at.value) : piece);
}

// What can't be given back stays as it is, and nobody is worse off.
static void discard(struct vballoon *b, const struct gpa *pages, unsigned count)
{
    struct virtio_count *counts = &b->device.counts[VIRTIO_FROM_GUEST];

    if (count && space_discard(b->device.space, pages, count) == STATUS_OK)
        counts->bytes += (uint64_t)count * FRAME_SIZE;
}

// The number that is left to do, in the request that is open.
static uint32_t left_of(const struct vballoon *b)
{
    return b->queue >= REPORT ? b->chain.write.left : b->chain.read.left / (uint32_t)sizeof(uint32_t);
}

static enum status step(struct vballoon *b)
{
    struct gpa pages[SPACE_DISCARD_MAX];
    enum status status = STATUS_OK;
    unsigned count;

    if (b->queue >= REPORT)
        reported_read(b, pages, &count);
    else
        status = inflated_read(b, pages, &count);
    if (status != STATUS_OK)
        return status;
    if (b->queue == DEFLATE) {
        b->inflated -= count < b->inflated ? count : b->inflated;
        b->device.counts[VIRTIO_TO_GUEST].bytes += (uint64_t)count * FRAME_SIZE;
        return STATUS_OK;
    }
    if (b->queue == INFLATE)
        b->inflated += count;
    discard(b, pages, count);
    return STATUS_OK;
}

static enum status request_next(struct vballoon *b, unsigned queue)
{
    enum status status = virtqueue_next(&b->queues[queue].ring, b->device.space, &b->chain);

    b->is_open = status == STATUS_OK;
    b->queue = queue;
    return status;
}

static enum status request_close(struct vballoon *b)
{
    b->is_open = false;
    b->device.counts[b->queue == DEFLATE ? VIRTIO_TO_GUEST : VIRTIO_FROM_GUEST].requests++;
    return virtqueue_return(&b->queues[b->queue].ring, b->device.space, b->chain.head, 0);
}

static enum virtio_progress serve(struct vballoon *b, unsigned queue, uint32_t *budget)
{
    enum status status = STATUS_OK;

    if (b->is_open && b->queue != queue) {
        if (b->queues[b->queue].ring.ready)
            return VIRTIO_MORE;
        b->is_open = false; // its queue was taken away
    }
    while (status == STATUS_OK && *budget) {
        uint32_t cost = VIRTIO_REQUEST_BYTES;
        if (!b->is_open) {
            status = request_next(b, queue);
            if (status == STATUS_NOT_FOUND)
                return VIRTIO_IDLE;
        } else if (left_of(b)) {
            cost += queue == DEFLATE ? 0 : SPACE_DISCARD_MAX * FRAME_SIZE;
            status = step(b);
        } else {
            status = request_close(b);
        }
        virtio_spend(budget, cost);
    }
    return status == STATUS_OK ? VIRTIO_MORE : virtio_progress_of(status);
}

static enum virtio_progress run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    struct vballoon *b = container_of(d, struct vballoon, device);

    if (!lock_try(&b->work))
        return VIRTIO_MORE;
    enum virtio_progress progress = serve(b, queue, budget);
    lock_release(&b->work);
    return progress;
}

static void reset(struct virtio_device *d)
{
    struct vballoon *b = container_of(d, struct vballoon, device);

    b->is_open = false;
    b->inflated = 0;
}

// How much the guest is to do without.
static void settle(struct virtio_device *d)
{
    uint32_t pages = (uint32_t)(d->settings.size >> PAGE_BITS);

    if (!memcmp(d->config, &pages, sizeof(pages)))
        return;
    memcpy(d->config, &pages, sizeof(pages));
    virtio_config_changed(d);
}

static const struct virtio_class class = {.id = VIRTIO_ID_BALLOON,
                                          .queue_count = VBALLOON_QUEUES,
                                          .queue_size = VIRTQUEUE_SIZE_MAX,
                                          .run = run,
                                          .reset = reset,
                                          .settle = settle};

void vballoon_init(struct vballoon *b, struct space *space)
{
    *b = (struct vballoon){.is_open = false};
    virtio_init(&b->device, &class, space, b->queues, F_DEFLATE_ON_OOM | F_PAGE_REPORTING);
    b->device.config_size = sizeof(struct config);
}
