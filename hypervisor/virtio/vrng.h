// The entropy device (VIRTIO 1.3, section 5.4): random bytes for the guest.
#pragma once

#include "virtio.h"

struct vrng {
    struct virtio_device device;
    struct virtio_queue queue;
    void (*draw)(uint8_t *out, size_t size); // fresh bytes
    struct virtqueue_chain chain;
};

// `draw` may take a lock of its own.
void vrng_init(struct vrng *r, struct space *space, void (*draw)(uint8_t *out, size_t size));
