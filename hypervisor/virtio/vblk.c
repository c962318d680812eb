#include "vblk.h"

#include <string.h>

#define SEGMENTS_MAX (VIRTQUEUE_SEGMENTS_MAX - 2u) // beside header and status
#define ZERO_SECTORS_MAX 8192u

enum {
    F_SEG_MAX = 1 << 2,
    F_BLK_SIZE = 1 << 6,
    F_TOPOLOGY = 1 << 10,
};

// Section 5.2.4.
struct config {
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint8_t geometry[4];
    uint32_t blk_size;
    uint8_t physical_block_exp, alignment_offset;
    uint16_t min_io_size;
    uint32_t opt_io_size;
    uint8_t writeback, unused;
    uint16_t num_queues;
    uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
    uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
    uint8_t write_zeroes_may_unmap, unused1[3];
};
_Static_assert(sizeof(struct config) <= VIRTIO_CONFIG_MAX, "it must fit");
_Static_assert(offsetof(struct config, max_write_zeroes_seg) == 52, "as the specification has it");

struct range_part { // of a discard, or a write of zeros
    uint64_t sector;
    uint32_t count, flags;
};
#define FLAG_UNMAP 1u

// --- requests --------------------------------------------------------------------------------------------

static void refuse(struct vblk_request *r, uint8_t result)
{
    r->result = result;
    r->left = 0;
}

// Bytes of sectors, on the disk.
static void extent_set(const struct vblk *b, struct vblk_request *r, uint64_t sector, uint64_t bytes)
{
    if (bytes % VIRTIO_BLK_SECTOR || sector > b->size / VIRTIO_BLK_SECTOR ||
        bytes > b->size - sector * VIRTIO_BLK_SECTOR) {
        refuse(r, VIRTIO_BLK_IOERR);
        return;
    }
    r->offset = sector * VIRTIO_BLK_SECTOR;
    r->left = bytes;
}

// One range in each request, as our configuration says.
static enum status range_open(const struct vblk *b, struct vblk_request *r)
{
    struct range_part part;

    if (r->chain.read.left != sizeof(part)) {
        refuse(r, VIRTIO_BLK_IOERR);
        return STATUS_OK;
    }
    enum status status = chain_read(&r->chain, b->device.space, &part, sizeof(part));
    if (status != STATUS_OK)
        return status;
    if (part.flags & ~FLAG_UNMAP || (part.flags && r->type == VIRTIO_BLK_DISCARD))
        refuse(r, VIRTIO_BLK_UNSUPPORTED);
    else if (part.count > ZERO_SECTORS_MAX)
        refuse(r, VIRTIO_BLK_IOERR);
    else
        extent_set(b, r, part.sector, (uint64_t)part.count * VIRTIO_BLK_SECTOR);
    return STATUS_OK;
}

static enum status id_give(struct vblk *b, struct vblk_request *r)
{
    uint32_t room = r->chain.write.left - 1;
    return chain_write(&r->chain, b->device.space, b->serial, room < VIRTIO_BLK_ID_SIZE ? room : VIRTIO_BLK_ID_SIZE);
}

static bool is_offered(const struct vblk *b, uint32_t type)
{
    switch (type) {
    case VIRTIO_BLK_DISCARD:
        return b->device.offered & VBLK_DISCARD_FEATURES;
    case VIRTIO_BLK_WRITE_ZEROES:
        return b->device.offered & VBLK_DISCARD_FEATURES;
    default:
        return type == VIRTIO_BLK_IN || type == VIRTIO_BLK_OUT || type == VIRTIO_BLK_FLUSH || type == VIRTIO_BLK_GET_ID;
    }
}

static enum status request_check(struct vblk *b, struct vblk_request *r, uint64_t sector)
{
    if (!is_offered(b, r->type)) {
        refuse(r, VIRTIO_BLK_UNSUPPORTED);
        return STATUS_OK;
    }
    if (b->is_out && r->type != VIRTIO_BLK_GET_ID) {
        refuse(r, VIRTIO_BLK_IOERR);
        return STATUS_OK;
    }
    if (b->is_readonly && r->type != VIRTIO_BLK_IN && r->type != VIRTIO_BLK_FLUSH && r->type != VIRTIO_BLK_GET_ID) {
        refuse(r, VIRTIO_BLK_IOERR);
        return STATUS_OK;
    }
    switch (r->type) {
    case VIRTIO_BLK_IN:
        extent_set(b, r, sector, r->chain.write.left - 1);
        return STATUS_OK;
    case VIRTIO_BLK_OUT:
        extent_set(b, r, sector, r->chain.read.left);
        return STATUS_OK;
    case VIRTIO_BLK_FLUSH:
        r->left = b->device.offered & VIRTIO_BLK_F_FLUSH ? 1 : 0;
        return STATUS_OK;
    case VIRTIO_BLK_GET_ID:
        return id_give(b, r);
    default:
        return range_open(b, r);
    }
}

// The chain was taken. A request without room for its status can't be answered.
static enum status request_open(struct vblk *b, struct vblk_request *r)
{
    struct virtio_blk_header header;

    if (!r->chain.write.left)
        return STATUS_INVALID;
    enum status status = chain_read(&r->chain, b->device.space, &header, sizeof(header));
    if (status != STATUS_OK)
        return status;
    r->is_open = true;
    r->result = VIRTIO_BLK_OK;
    r->type = header.type;
    r->left = 0;
    status = request_check(b, r, header.sector);
    r->size = r->left;
    return status;
}

static void request_count(struct vblk *b, const struct vblk_request *r)
{
    bool is_read = r->type == VIRTIO_BLK_IN || r->type == VIRTIO_BLK_GET_ID;
    struct virtio_count *count = &b->device.counts[is_read ? VIRTIO_TO_GUEST : VIRTIO_FROM_GUEST];

    count->requests++;
    if (r->result != VIRTIO_BLK_OK)
        count->errors++;
    else if (r->type != VIRTIO_BLK_FLUSH)
        count->bytes += r->size;
}

// The status is the last byte of all that can be written.
static enum status request_close(struct vblk *b, struct vblk_request *r)
{
    uint32_t written = r->result == VIRTIO_BLK_OK ? r->chain.writable : r->chain.writable - r->chain.write.left;

    r->is_open = false;
    request_count(b, r);
    chain_skip(&r->chain, &r->chain.write, r->chain.write.left - 1);
    enum status status = chain_write(&r->chain, b->device.space, &r->result, 1);
    return status == STATUS_OK ? virtqueue_return(&b->queue.ring, b->device.space, r->chain.head, written) : status;
}

// --- the queue -------------------------------------------------------------------------------------------

// STATUS_NOT_FOUND: there is none, and we will be notified.
static enum status request_next(struct vblk *b, struct vblk_request *r)
{
    enum status status = virtqueue_next(&b->queue.ring, b->device.space, &r->chain);
    return status == STATUS_OK ? request_open(b, r) : status;
}

static enum virtio_progress run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    struct vblk *b = container_of(d, struct vblk, device);
    struct vblk_request *r = &b->request;
    enum status status = STATUS_OK;

    while (status == STATUS_OK) {
        if (!*budget)
            return virtio_hush(d, queue, VIRTIO_MORE);
        if (!r->is_open) {
            if (virtio_is_early(&b->queue))
                return virtio_hush(d, queue, VIRTIO_LATER);
            virtio_spend(budget, VIRTIO_REQUEST_BYTES);
            status = request_next(b, r);
            if (status == STATUS_NOT_FOUND)
                return VIRTIO_IDLE;
            virtio_pay(&b->queue, 1, r->left);
        } else if (r->left) {
            status = b->class->step(b, budget);
            if (status == STATUS_BUSY)
                return VIRTIO_IDLE;
        }
        if (status == STATUS_OK && !r->left)
            status = request_close(b, r);
    }
    return virtio_progress_of(status);
}

static void reset(struct virtio_device *d)
{
    struct vblk *b = container_of(d, struct vblk, device);

    if (b->request.is_open && b->class->cancel)
        b->class->cancel(b);
    b->request.is_open = false;
}

// A request that has begun on another disk fails.
static void settle(struct virtio_device *d)
{
    struct vblk *b = container_of(d, struct vblk, device);
    struct vblk_request *r = &b->request;
    uint64_t size = 0;

    bool is_other = b->class->settle(b, &d->settings, &size) || b->is_out != d->settings.is_out;
    if (is_other && r->is_open) {
        if (b->class->cancel)
            b->class->cancel(b);
        refuse(r, VIRTIO_BLK_IOERR);
    }
    b->is_out = d->settings.is_out;
    if (b->is_out)
        size = 0;
    else if (d->settings.size && d->settings.size < size)
        size = d->settings.size;
    if (size == b->size && !is_other)
        return;
    b->size = size;
    size /= VIRTIO_BLK_SECTOR;
    memcpy(d->config, &size, sizeof(size)); // the capacity
    virtio_config_changed(d);
}

static const struct virtio_class class = {.id = VIRTIO_ID_BLOCK,
                                          .queue_count = 1,
                                          .queue_size = VIRTQUEUE_SIZE_MAX,
                                          .run = run,
                                          .reset = reset,
                                          .settle = settle};

void vblk_init(struct vblk *b, const struct vblk_class *blk_class, struct space *space, uint64_t size,
               uint32_t features)
{
    struct config config = {
        .capacity = size / VIRTIO_BLK_SECTOR,
        .seg_max = SEGMENTS_MAX,
        .blk_size = VIRTIO_BLK_SECTOR,
        .physical_block_exp = 3,
        .min_io_size = 8,
        .max_discard_sectors = ZERO_SECTORS_MAX,
        .max_discard_seg = 1,
        .discard_sector_alignment = 8,
        .max_write_zeroes_sectors = ZERO_SECTORS_MAX,
        .max_write_zeroes_seg = 1,
        .write_zeroes_may_unmap = 1,
    };

    features |= F_SEG_MAX | F_BLK_SIZE | F_TOPOLOGY | (b->is_readonly ? VIRTIO_BLK_F_RO : 0);
    virtio_init(&b->device, &class, space, &b->queue, features);
    b->class = blk_class;
    b->size = size;
    memcpy(b->device.config, &config, sizeof(config));
    b->device.config_size = sizeof(config);
}
