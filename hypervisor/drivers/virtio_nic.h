// A virtio network device of the machine (VIRTIO 1.3, section 5.1).
#pragma once

#include "nic.h"
#include "virtio_slot.h"

// Hypervisor memory that it takes.
#define VIRTIO_NIC_MEMORY (320u * 1024)

// Makes what is in the slot the machine's network device, if it is one and the first. Once, before guests run.
// *problem: NULL, or what keeps it from being used. Its interrupt is the caller's to enable.
void virtio_nic_probe(const struct virtio_slot *slot, const char **problem);
