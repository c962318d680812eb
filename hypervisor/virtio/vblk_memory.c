// A disk whose sectors are in memory: each request is a copy between the guest's buffers and the store's blocks.
#include <string.h>

#include "vblk.h"

#define ZERO_COST 64u // of the budget, for a block that need not be touched

static struct vblk_memory *memory_of(struct vblk *b)
{
    return container_of(b, struct vblk_memory, disk);
}

static void fail(struct vblk_request *r)
{
    r->result = VIRTIO_BLK_IOERR;
    r->left = 0;
}

static void moved(struct vblk_request *r, uint32_t bytes, uint32_t *budget)
{
    r->offset += bytes;
    r->left -= bytes;
    *budget -= bytes;
}

static uint32_t part_of(const struct vblk_request *r, uint32_t budget)
{
    return r->left < budget ? (uint32_t)r->left : budget;
}

static enum status read_some(struct vblk *b, struct vblk_request *r, uint32_t *budget)
{
    void *to;
    uint32_t room, run;
    enum status status = chain_write_piece(&r->chain, b->device.space, part_of(r, *budget), &to, &room);

    if (status != STATUS_OK)
        return status;
    for (uint32_t done = 0; done < room; done += run) {
        const uint8_t *from = store_read(&memory_of(b)->store, r->offset, room - done, &run);
        memcpy((uint8_t *)to + done, from, run);
        moved(r, run, budget);
    }
    return STATUS_OK;
}

static enum status write_some(struct vblk *b, struct vblk_request *r, uint32_t *budget)
{
    uint32_t room, run;
    uint8_t *to = store_write(&memory_of(b)->store, r->offset, part_of(r, *budget), &room);

    if (!to) {
        fail(r);
        return STATUS_OK;
    }
    for (uint32_t done = 0; done < room; done += run) {
        const void *from;
        enum status status = chain_read_piece(&r->chain, b->device.space, room - done, &from, &run);
        if (status != STATUS_OK)
            return status;
        memcpy(to + done, from, run);
        moved(r, run, budget);
    }
    return STATUS_OK;
}

static void zero_some(struct vblk *b, struct vblk_request *r, uint32_t *budget)
{
    uint32_t run;

    if (!store_zero(&memory_of(b)->store, r->offset, r->left, &run)) {
        fail(r);
        return;
    }
    r->offset += run;
    r->left -= run;
    virtio_spend(budget, ZERO_COST);
}

static enum status step(struct vblk *b, uint32_t *budget)
{
    struct vblk_request *r = &b->request;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && r->left && *budget) {
        if (r->type == VIRTIO_BLK_IN)
            status = read_some(b, r, budget);
        else if (r->type == VIRTIO_BLK_OUT)
            status = write_some(b, r, budget);
        else
            zero_some(b, r, budget);
    }
    return status;
}

// The medium is a table for a larger disk.
static bool settle(struct vblk *b, struct virtio_settings *settings, uint64_t *size)
{
    struct store *store = &memory_of(b)->store;

    if (settings->medium)
        store_grow(store, settings->size, settings->medium);
    settings->medium = NULL;
    *size = settings->size ? store->size : store->base_size;
    return false;
}

static const struct vblk_class class = {.step = step, .settle = settle};

// A flush has nothing to wait for, so it is not offered: what is written is there.
void vblk_memory_init(struct vblk_memory *m, struct space *space)
{
    m->disk.is_readonly = !m->store.room;
    vblk_init(&m->disk, &class, space, m->store.size, m->store.room ? VBLK_DISCARD_FEATURES : 0);
}
