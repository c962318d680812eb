#include "virtio_slot.h"

#include "io.h"

uint32_t virtio_slot_get(uintptr_t base, uint32_t offset)
{
    return mmio_read32(base + offset);
}

void virtio_slot_set(uintptr_t base, uint32_t offset, uint32_t value)
{
    mmio_write32(base + offset, value);
}

bool virtio_slot_holds(const struct virtio_slot *slot, uint32_t kind, const char **problem)
{
    *problem = NULL;
    if (virtio_slot_get(slot->base, VIRTIO_MAGIC_VALUE) != VIRTIO_MAGIC ||
        virtio_slot_get(slot->base, VIRTIO_DEVICE_ID) != kind)
        return false;
    if (virtio_slot_get(slot->base, VIRTIO_VERSION) == 2)
        return true;
    *problem = "it speaks virtio version 1 (QEMU: add -global virtio-mmio.force-legacy=false)";
    return false;
}

static uint64_t offered(uintptr_t base)
{
    virtio_slot_set(base, VIRTIO_DEVICE_FEATURES_SELECT, 1);
    uint64_t features = (uint64_t)virtio_slot_get(base, VIRTIO_DEVICE_FEATURES) << 32;
    virtio_slot_set(base, VIRTIO_DEVICE_FEATURES_SELECT, 0);
    return features | virtio_slot_get(base, VIRTIO_DEVICE_FEATURES);
}

const char *virtio_slot_negotiate(uintptr_t base, uint64_t *features)
{
    virtio_slot_set(base, VIRTIO_STATUS, 0);
    virtio_slot_set(base, VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    *features &= offered(base);
    for (unsigned half = 0; half < 2; half++) {
        virtio_slot_set(base, VIRTIO_DRIVER_FEATURES_SELECT, half);
        virtio_slot_set(base, VIRTIO_DRIVER_FEATURES, (uint32_t)(*features >> 32 * half));
    }
    virtio_slot_set(base, VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    return virtio_slot_get(base, VIRTIO_STATUS) & VIRTIO_FEATURES_OK ? NULL : "it refuses what it offers";
}

bool virtio_slot_queue(uintptr_t base, unsigned number, unsigned size, const void *const places[3])
{
    virtio_slot_set(base, VIRTIO_QUEUE_SELECT, number);
    if (virtio_slot_get(base, VIRTIO_QUEUE_SIZE_MAX) < size)
        return false;
    virtio_slot_set(base, VIRTIO_QUEUE_SIZE, size);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t address = hpa_of(places[i]).value;
        virtio_slot_set(base, VIRTIO_QUEUE_DESCRIPTORS + 0x10 * i, (uint32_t)address);
        virtio_slot_set(base, VIRTIO_QUEUE_DESCRIPTORS + 0x10 * i + 4, (uint32_t)(address >> 32));
    }
    virtio_slot_set(base, VIRTIO_QUEUE_READY, 1);
    return true;
}

bool virtio_slot_acknowledge(uintptr_t base)
{
    uint32_t status = virtio_slot_get(base, VIRTIO_INTERRUPT_STATUS);

    virtio_slot_set(base, VIRTIO_INTERRUPT_ACK, status);
    mmio_settle();
    return status & VIRTIO_INTERRUPT_CONFIG;
}

void virtio_slot_go(uintptr_t base)
{
    virtio_slot_set(base, VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void virtio_slot_fail(uintptr_t base)
{
    virtio_slot_set(base, VIRTIO_STATUS, VIRTIO_FAILED);
}
