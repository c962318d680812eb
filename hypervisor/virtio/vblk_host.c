// A disk whose sectors are on a disk of the machine, or a part of one. What the guest reads and writes goes through the
// buffer of this disk's user, some at a time; meanwhile nobody waits, and the device is called when it is over.
#include "vblk.h"

static struct vblk_host *host_of(struct vblk *b)
{
    return container_of(b, struct vblk_host, disk);
}

static enum status part_begin(struct vblk_host *h, struct vblk_request *r, uint32_t *budget)
{
    uint32_t part = r->left < BLOCK_BUFFER_SIZE ? (uint32_t)r->left : BLOCK_BUFFER_SIZE;
    enum block_operation what = r->type == VIRTIO_BLK_FLUSH ? BLOCK_FLUSH
                                : r->type == VIRTIO_BLK_OUT ? BLOCK_WRITE
                                                            : BLOCK_READ;

    if (what == BLOCK_WRITE) {
        enum status status = chain_read(&r->chain, h->disk.device.space, h->user->buffer, part);
        if (status != STATUS_OK)
            return status;
        virtio_spend(budget, part);
    }
    if (what == BLOCK_FLUSH && !h->user->disk->has_flush) {
        r->left = 0;
        return STATUS_OK;
    }
    h->part = part;
    block_submit(h->user, what, r->offset / VIRTIO_BLK_SECTOR, what == BLOCK_FLUSH ? 0 : part);
    return STATUS_BUSY;
}

static enum status part_end(struct vblk_host *h, struct vblk_request *r, uint32_t *budget)
{
    uint32_t part = h->part;

    h->part = 0;
    if (h->user->failed) {
        r->result = VIRTIO_BLK_IOERR;
        r->left = 0;
        return STATUS_OK;
    }
    r->offset += part;
    r->left -= part;
    if (r->type != VIRTIO_BLK_IN)
        return STATUS_OK;
    virtio_spend(budget, part);
    return chain_write(&r->chain, h->disk.device.space, h->user->buffer, part);
}

// Busy without a part: what was asked for before a reset is still under way.
static enum status step(struct vblk *b, uint32_t *budget)
{
    struct vblk_host *h = host_of(b);

    if (block_is_busy(h->user))
        return STATUS_BUSY;
    return h->part ? part_end(h, &b->request, budget) : part_begin(h, &b->request, budget);
}

static void cancel(struct vblk *b)
{
    host_of(b)->part = 0;
}

// What is under way on the old one ends there, and nobody is told.
static bool settle(struct vblk *b, struct virtio_settings *settings, uint64_t *size)
{
    struct vblk_host *h = host_of(b);
    bool is_other = h->user != settings->medium;

    if (is_other) {
        if (h->user)
            block_close(h->user);
        h->user = settings->medium;
    }
    *size = h->user ? h->user->sectors * VIRTIO_BLK_SECTOR : 0;
    return is_other;
}

static const struct vblk_class class = {.step = step, .cancel = cancel, .settle = settle};

void vblk_host_init(struct vblk_host *h, struct space *space, bool is_readonly)
{
    h->disk.is_readonly = is_readonly;
    h->disk.is_out = !h->user;
    h->part = 0;
    vblk_init(&h->disk, &class, space, h->user ? h->user->sectors * VIRTIO_BLK_SECTOR : 0, VIRTIO_BLK_F_FLUSH);
}
