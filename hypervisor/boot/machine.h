// The machine as its device tree describes it. Reading the tree touches nothing but the tree, so
// that host tests feed it every machine there is.
#pragma once

#include "clint.h"
#include "isa.h"
#include "plic.h"
#include "power.h"
#include "status.h"
#include "types.h"
#include "uart.h"
#include "virtio_disk.h"

#define MACHINE_HARTS_MAX 64
#define MACHINE_RAM_MAX 16
#define MACHINE_RESERVED_MAX 32
#define MACHINE_NOTES_MAX 8
#define MACHINE_VIRTIO_MAX 8
#define MACHINE_NODE_SIZE 48
#define MACHINE_NO_CONTEXT UINT32_MAX

// What is wrong, and where: both for a person. The path keeps its end if it is too long.
struct machine_error {
    char node[MACHINE_NODE_SIZE];
    const char *text;
};

struct machine_hart {
    uint64_t id;           // mhartid
    uint32_t phandle;      // of its riscv,cpu-intc
    uint32_t plic_context; // its M context, or MACHINE_NO_CONTEXT
    uintptr_t mtimecmp;
    uintptr_t msip;
    struct isa isa;
};

// The long lists come last, so that the rest is within short reach.
struct machine {
    const char *model;    // never null; into the tree
    const char *bootargs; // never null; into the tree
    struct range bundle;  // linux,initrd-start/end; size 0 if none

    struct isa isa;       // what all harts have
    const char *mmu_type; // the least of theirs, e.g. "riscv,sv39"
    uint32_t timebase_hz;
    uint32_t cbom_size, cbop_size, cboz_size; // cache block sizes, 0 if unknown

    struct clint_config clint;
    struct uart_config uart; // kind UART_NONE if there is none we can drive
    struct plic_config plic; // base 0 if there is none: the UART is polled
    struct power_config power;

    size_t ram_count, reserved_count, hart_count, note_count, virtio_count;
    struct virtio_slot virtio[MACHINE_VIRTIO_MAX]; // those connected to the PLIC, whether there is something or not

    // Memory, sorted, apart from each other, as the tree says: the hypervisor's image, the bundle
    // and the tree lie in it.
    struct range ram[MACHINE_RAM_MAX];
    // What of it must be left alone (/reserved-memory and the header's list). Page-aligned outwards.
    struct range reserved[MACHINE_RESERVED_MAX];
    // What a person should know but can live with, e.g. harts that were left out.
    struct machine_error notes[MACHINE_NOTES_MAX];
    // Harts that can run guests and us: enabled, with S-mode, a timer and software interrupts.
    struct machine_hart harts[MACHINE_HARTS_MAX];
};

// Reads the tree. The strings in the result point into it. Anything but STATUS_OK: the machine can't
// be used, and `why` says so.
must_check enum status machine_discover(const void *fdt, struct machine *machine, struct machine_error *why);

// Refuses if the image does not lie in RAM, or in reserved memory.
must_check enum status machine_check_image(const struct machine *machine, struct range image,
                                           struct machine_error *why);

// Takes all RAM from `limit` on out of the list (RV32 reaches 4 GiB without translation). Answers how
// many bytes that was.
uint64_t machine_trim_ram(struct machine *machine, uint64_t limit);
