// The VM generation id: 16 bytes that change when the guest finds itself cloned, with an interrupt, so that it
// does not use the same random numbers as its original (device-tree binding microsoft,vmgenid).
//
// The guest reads them as it likes, in registers of a device: no page of RAM is needed. No lock here; the
// caller holds the capsule's device lock.
#pragma once

#include <string.h>

#include "types.h"

#define VGENERATION_SIZE 16u

struct vgeneration {
    uint8_t id[VGENERATION_SIZE];
};

// What a load of so many bytes at an offset reads: 0 beyond the end.
static inline uint64_t vgeneration_read(const struct vgeneration *g, uint32_t offset, unsigned bytes)
{
    uint64_t value = 0;
    if (offset + bytes <= VGENERATION_SIZE)
        memcpy(&value, g->id + offset, bytes);
    return value;
}
