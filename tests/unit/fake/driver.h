// A guest's memory and the driver's side of a virtqueue in it, for tests of devices. The memory lies in two pieces
// that are apart for us and together for the guest. It is `forked`, so that pages may be lacking, until a test says
// that it is not: then what lies in the first piece is found without asking.
#pragma once

#include "virtio.h"

#define DRIVER_RAM 0x80000000ull
#define DRIVER_PIECE 0x20000u
#define DRIVER_RAM_SIZE (2u * DRIVER_PIECE)

extern struct space driver_space;
extern unsigned driver_lacking; // after so many calls that need a page to write, there is none; 0: always one

extern uint64_t driver_discarded; // pages that were given back
void driver_memory_reset(void);
void *driver_at(uint64_t gpa); // one byte's place; what follows may lie elsewhere
void driver_put(uint64_t gpa, const void *from, size_t size);
void driver_get(uint64_t gpa, void *to, size_t size);

// Registers.
uint32_t driver_read(struct virtio_device *d, uint32_t offset);
void driver_write(struct virtio_device *d, uint32_t offset, uint32_t value);

// Where a queue lies: tables one after the other, from here.
struct driver_queue {
    struct virtio_device *device;
    unsigned number;
    uint16_t size;
    uint64_t descriptors, available, used;
    uint16_t next_descriptor, index, seen;
};

#define FLAG_NEXT 1u
#define FLAG_WRITE 2u
#define FLAG_INDIRECT 4u

struct driver_buffer {
    uint64_t address;
    uint32_t length;
    bool is_writable;
};

void driver_negotiate(struct virtio_device *d, uint64_t features); // up to FEATURES_OK
void driver_queue_set_up(struct driver_queue *q, struct virtio_device *d, unsigned number, uint16_t size,
                         uint64_t where);
void driver_ok(struct virtio_device *d);
void driver_descriptor(struct driver_queue *q, uint16_t n, uint64_t address, uint32_t length, uint16_t flags,
                       uint16_t next);
void driver_offer(struct driver_queue *q, uint16_t head); // in the available ring
// A chain of buffers, in descriptors in turn; answers its head.
uint16_t driver_add(struct driver_queue *q, const struct driver_buffer *buffers, unsigned count);
void driver_notify(struct driver_queue *q); // and runs the device until it is idle
bool driver_used(struct driver_queue *q, uint32_t *head, uint32_t *written);
