// The block device (VIRTIO 1.3, section 5.2): a disk for the guest. Where its sectors are is behind `struct
// vblk_class`: an image in memory (vblk_memory.c), or a disk of the machine (vblk_host.c).
#pragma once

#include "block.h"
#include "store.h"
#include "virtio.h"

#define VBLK_DISCARD_FEATURES (1u << 13 | 1u << 14) // and WRITE_ZEROES

struct vblk;

// A request of the driver's, checked: of a type that the disk's features allow, within the disk.
struct vblk_request {
    bool is_open;
    uint8_t result; // VIRTIO_BLK_OK until something goes wrong
    uint32_t type;
    uint64_t offset, left; // bytes on the disk: where it goes on
    uint64_t size;         // bytes in all
    struct virtqueue_chain chain;
};

struct vblk_class {
    // Does some of the request, within the budget and subtracting from it, in order. Sets its result if it fails, and
    // `left` to 0 when it is over. STATUS_BUSY: nothing can be done until the device is called. Errors, of the guest's
    // memory, as of space_write.
    enum status (*step)(struct vblk *b, uint32_t *budget);
    void (*cancel)(struct vblk *b); // the request is forgotten; NULL: nothing is to be done
    // Takes the medium over that the settings name, and tells how many bytes of it there are. True: it is another one
    // than before.
    bool (*settle)(struct vblk *b, struct virtio_settings *settings, uint64_t *size);
};

struct vblk {
    struct virtio_device device;
    struct virtio_queue queue;
    const struct vblk_class *class;
    bool is_readonly;
    bool is_out;   // there is no disk in it
    uint64_t size; // bytes
    char serial[VIRTIO_BLK_ID_SIZE];
    struct vblk_request request;
};

// `features`: VBLK_..._FEATURE that its class serves. `size` in bytes, a multiple of VIRTIO_BLK_SECTOR.
void vblk_init(struct vblk *b, const struct vblk_class *class, struct space *space, uint64_t size, uint32_t features);

// --- vblk_memory.c -----------------------------------------------------------------------------------------

struct vblk_memory {
    struct vblk disk;
    struct store store;
};
// The store is there.
void vblk_memory_init(struct vblk_memory *m, struct space *space);

// --- vblk_host.c -------------------------------------------------------------------------------------------

struct vblk_host {
    struct vblk disk;
    struct block_user *user; // open; NULL: none
    uint32_t part;           // bytes that were asked of the disk; 0: nothing was
};
// The user is there; whoever calls it (user->done) has the device called (virtio_call) and run.
void vblk_host_init(struct vblk_host *h, struct space *space, bool is_readonly);
