// The machine's network device, whatever drives it (virtio_nic.c so far). There is one, or none.
//
// Frames are copied from and to buffers of the hypervisor's own: no device touches guests' memory.
#pragma once

#include "lock.h"
#include "status.h"
#include "types.h"

#define NIC_FRAME_MAX 1518u // bytes of a frame, without the check sequence

struct nic;

struct nic_driver {
    // With the lock held: room for a frame that is to be sent next, NIC_FRAME_MAX bytes; NULL: there is none now.
    uint8_t *(*room)(struct nic *n);
    void (*send)(struct nic *n, uint32_t bytes);
    // By one hart at a time: the frame that came first, NULL: none; and that it is done with.
    const uint8_t *(*first)(struct nic *n, uint32_t *bytes);
    void (*pass)(struct nic *n);
    // It is to interrupt when frames come, or not; true if there are some.
    bool (*listen)(struct nic *n, bool on);
    bool (*acknowledge)(struct nic *n); // its interrupt; true: its link may have changed
    bool (*is_up)(struct nic *n);       // its link
};

struct nic {
    const struct nic_driver *driver;
    uint32_t irq;
    uint8_t address[6];
    struct lock lock; // guards sending
};

extern struct nic *nic_first; // NULL: none was found
