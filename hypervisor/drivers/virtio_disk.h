// Virtio disks of the machine, over MMIO (VIRTIO 1.3, sections 4.2 and 5.2).
#pragma once

#include "block.h"
#include "virtio_slot.h"

// Hypervisor memory that one takes, with what is on it and a buffer for its first user.
#define VIRTIO_DISK_MEMORY (64u * 1024)

// Looks what is in the slot and makes it one of the block_disks, if it is a disk. Once, before guests run. *problem:
// NULL, or what keeps a disk from being used. The machine's interrupts are the caller's to enable.
void virtio_disk_probe(const struct virtio_slot *slot, const char **problem);
