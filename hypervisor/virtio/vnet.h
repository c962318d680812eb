// The network device (VIRTIO 1.3, section 5.1): a port of a virtual switch, for the guest. One pair of queues. Frames
// are what goes over an Ethernet, up to 1518 bytes, or long TCP segments that stand for many of those (frame.h).
#pragma once

#include "virtio.h"
#include "vswitch.h"

struct vnet {
    struct virtio_device device;
    struct virtio_queue queues[2];
    struct vswitch_port port;
    // A clone's: its driver knows the original's address, so the link is down until it resets the device, and so reads
    // the new one.
    bool is_renamed;
    // Somebody has pulled its cable, or its switch's uplink is cut.
    bool is_down;
    // Under the lock of the queue to transmit: the frame that is on its way.
    bool is_open;
    struct frame frame;
    struct virtqueue_chain sent;
    // Under the lock of the queue to receive: buffers that are filled as one.
    struct virtqueue_chain received;
    struct virtio_used buffers[VIRTQUEUE_SEGMENTS_MAX];
    unsigned buffer_count;
};

// The port's address and flags are set; it is on no switch yet.
void vnet_init(struct vnet *n, struct space *space);
// It becomes as the original's, which nobody uses, but for its own port and address.
void vnet_adopt(struct vnet *n, const struct vnet *from, struct space *space);
