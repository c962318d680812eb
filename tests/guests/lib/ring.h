// The driver's side of the virtio device in slot 0, without interrupts and by version 1 of the interface alone: queues
// of 16 buffers each.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RING_SLOT 0x10001000ul
#define RING_ENTRIES 16u
#define RING_BUFFER 2048u

struct ring_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct ring {
    struct ring_descriptor descriptors[RING_ENTRIES];
    volatile uint16_t available[RING_ENTRIES + 3] __attribute__((aligned(64)));
    volatile struct {
        uint16_t flags, index;
        struct {
            uint32_t head, written;
        } entries[RING_ENTRIES];
        uint16_t event;
    } used __attribute__((aligned(64)));
    uint16_t seen;
    unsigned number;
    uint8_t buffers[RING_ENTRIES][RING_BUFFER];
} __attribute__((aligned(4096)));

volatile uint32_t *ring_register(unsigned offset);
// The device is of that kind, and takes these features of its lower 32. False: it is not, or does not.
bool ring_device_begin(unsigned id, uint32_t features);
bool ring_device_go(void);
// Queue `number`, with buffers of so many bytes; those that the device writes are given to it by ring_give_all().
void ring_start(struct ring *r, unsigned number, uint32_t bytes, bool is_written);
void ring_give(struct ring *r, unsigned n);
void ring_give_all(struct ring *r);
// The buffer that came back next, *written bytes in it; its number is *n. NULL: none.
uint8_t *ring_take(struct ring *r, uint32_t *written, uint32_t *n);
// Gives buffer 0, with so many bytes, and waits until it comes back.
void ring_send(struct ring *r, uint32_t bytes);
