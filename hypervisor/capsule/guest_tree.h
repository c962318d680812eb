// The device tree a guest is given: QEMU's virt machine, as far as the capsule has it.
#pragma once

#include "isa.h"
#include "status.h"
#include "types.h"

#define GUEST_TREE_SEED_SIZE 32 // 256 bits are all that a generator can make use of
#define GUEST_TREE_VCORES_MAX 64

// Free at the tree's end: boot loaders add to it where it stands, and U-Boot does not look whether there is room.
#define GUEST_TREE_SLACK 4096u
// Enough for the longest bootargs and the richest harts: 2.5 KiB for each vcore.
#define GUEST_TREE_SIZE(vcores) ((size_t)8192 + GUEST_TREE_SLACK + 2560 * (size_t)(vcores))

// Where virt has its devices.
#define GUEST_TREE_UART 0x10000000u
#define GUEST_TREE_UART_SIZE 0x100u
#define GUEST_TREE_UART_IRQ 10u
#define GUEST_TREE_PLIC 0x0c000000u
#define GUEST_TREE_FINISHER 0x00100000u
#define GUEST_TREE_FINISHER_SIZE 0x1000u
#define GUEST_TREE_GENERATION 0x00101000u
#define GUEST_TREE_GENERATION_SIZE 0x10u
#define GUEST_TREE_GENERATION_IRQ 11u
#define GUEST_TREE_TERMINAL_IRQ 12u

#define GUEST_TREE_VIRTIO 0x10001000u // one slot after the other
#define GUEST_TREE_VIRTIO_SIZE 0x1000u
#define GUEST_TREE_VIRTIO_IRQ 1u // of the first

// Registers of a PLIC with two contexts (M, S) for each vcore.
#define GUEST_TREE_PLIC_SIZE(vcores) ((uint64_t)0x200000 + 2 * 0x1000 * (uint64_t)(vcores))

struct guest_tree {
    const char *name; // the capsule's
    struct gpa ram_base;
    uint64_t ram_size;
    unsigned vcores;
    const struct isa *isa; // the guest's: isa_guest_filter()'s, less what could not be enabled
    const char *mmu_type;
    uint32_t timebase_hz;
    uint32_t cbom_size, cbop_size, cboz_size;    // written where the isa has the extension
    struct gpa initrd_start, initrd_end;         // equal: none
    const char *bootargs;                        // null or empty: none
    const uint8_t *rng_seed;                     // GUEST_TREE_SEED_SIZE bytes
    struct gpa uart, plic, finisher, generation; // value 0: the guest has none
    uint32_t plic_sources;                       // riscv,ndev
    bool terminal;                               // it may keep the machine's terminal
    struct gpa virtio;
    uint32_t virtio_slots; // bit n: slot n holds a device; not without a PLIC
};

// Writes the tree; its totalsize is with the GUEST_TREE_SLACK at its end. STATUS_NO_MEMORY: the buffer is too small (it
// must be 8-byte aligned); STATUS_INVALID: the description is.
must_check enum status guest_tree_build(const struct guest_tree *tree, void *buffer, size_t size);
