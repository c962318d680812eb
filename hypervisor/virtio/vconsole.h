// The console device (VIRTIO 1.3, section 5.3) with its one port: a capsule's terminal. What the driver sends goes to
// the other end of the wire as it has room there; a request that finds none waits, and nothing is lost. What is typed
// is the driver's as soon as it has given a buffer for it, until it resets the device.
#pragma once

#include "virtio.h"

#define VCONSOLE_QUEUES 2u

// The other end of the wire. Called with the locks of queues held.
struct vconsole_port {
    size_t (*write)(void *owner, const uint8_t *bytes, size_t count); // how many it took, from the first
    int (*read)(void *owner);                                         // the next byte, -1 if there is none
    void (*take)(void *owner, bool taken); // what is typed is the device's from now on, or no longer
};

struct vconsole {
    struct virtio_device device;
    struct virtio_queue queues[VCONSOLE_QUEUES];
    const struct vconsole_port *port;
    void *owner;
    _Atomic bool has_input; // what is typed is its driver's
    _Atomic uint32_t asked; // vconsole_ask(): how many bytes of it are still to be read
    struct {
        bool is_open;
        struct virtqueue_chain chain;
    } requests[VCONSOLE_QUEUES];
};

// The port and its owner must outlive the device.
void vconsole_init(struct vconsole *c, struct space *space, const struct vconsole_port *port, void *owner);

// Something was typed, or there is room again. Any hart; somebody has to run the device then.
static inline void vconsole_call(struct vconsole *c)
{
    for (unsigned i = 0; i < VCONSOLE_QUEUES; i++)
        virtio_call(&c->device, i);
}

// Asks the guest to shut down, if it has the input: by the key and the letters that Linux takes as SysRq on such
// consoles, to sync, remount read-only and switch off. Any hart; then as for vconsole_call().
void vconsole_ask(struct vconsole *c);
