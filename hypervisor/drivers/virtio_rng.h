// The machine's entropy device, over MMIO (VIRTIO 1.3, sections 4.2 and 5.4): asked once, while the machine starts.
#pragma once

#include "virtio_slot.h"

#define VIRTIO_RNG_BYTES 32u

// What the device gave, and how much of it.
extern uint8_t virtio_rng_bytes[VIRTIO_RNG_BYTES];
extern unsigned virtio_rng_count;

// Looks what is in the slot; if that is an entropy device, and none has answered yet, waits for its answer and leaves
// it reset. Before guests run. *problem: NULL, or what keeps the device from being used.
void virtio_rng_probe(const struct virtio_slot *slot, const char **problem);
