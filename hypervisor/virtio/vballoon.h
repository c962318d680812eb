// The memory balloon (VIRTIO 1.3, section 5.5): pages that the guest does without are given back, be it that it was
// asked to (inflating), or that it says by itself what it does not use at the moment (free page reporting). It takes
// any of them back by writing to it. Only under gstage; under pmp, where a capsule's memory is one piece, nothing comes
// back.
#pragma once

#include "virtio.h"

#define VBALLOON_QUEUES 5u

struct vballoon {
    struct virtio_device device;
    struct virtio_queue queues[VBALLOON_QUEUES];
    // One request at a time, whichever queue it came by.
    struct lock work;
    bool is_open;
    unsigned queue;
    struct virtqueue_chain chain;
    uint64_t inflated; // pages that the guest says it has in the balloon
};

void vballoon_init(struct vballoon *b, struct space *space);
