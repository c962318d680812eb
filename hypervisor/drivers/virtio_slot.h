// What all drivers of virtio devices over MMIO do alike (VIRTIO 1.3, sections 3.1.1 and 4.2).
#pragma once

#include "types.h"
#include "virtio_mmio.h"

// Where there may be one.
struct virtio_slot {
    uintptr_t base;
    uint32_t irq;
};

uint32_t virtio_slot_get(uintptr_t base, uint32_t offset);
void virtio_slot_set(uintptr_t base, uint32_t offset, uint32_t value);

// Is there a device of that kind? *problem: NULL, or what keeps it from being used.
bool virtio_slot_holds(const struct virtio_slot *slot, uint32_t kind, const char **problem);
// From reset to FEATURES_OK. *features: those that are wanted, of which only what it offers is left. NULL, or what
// went wrong.
const char *virtio_slot_negotiate(uintptr_t base, uint64_t *features);
// A queue at these three places, made ready. False: it can't be that long.
must_check bool virtio_slot_queue(uintptr_t base, unsigned number, unsigned size, const void *const places[3]);
// Answers its interrupt. True: it says that its configuration has changed.
bool virtio_slot_acknowledge(uintptr_t base);
// The device may work, or is given up.
void virtio_slot_go(uintptr_t base);
void virtio_slot_fail(uintptr_t base);
