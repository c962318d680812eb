// A guest's accesses to device registers: QEMU's virt machine, as far as capsules have it.
#pragma once

#include "vcore.h"

#define UART_BASE 0x10000000u
#define UART_IRQ 10u
#define PLIC_BASE 0x0c000000u
#define FINISHER_BASE 0x00100000u
#define GENERATION_BASE 0x00101000u // where virt has its clock, which no capsule has
#define GENERATION_IRQ 11u
#define TERMINAL_IRQ 12u        // rings for a console service
#define VIRTIO_BASE 0x10001000u // VIRTIO_SLOTS slots, VIRTIO_WINDOW apart
#define VIRTIO_IRQ 1u           // of the first

// Which of the guest's registers are in its context: after the first half of the trap entry, all that C
// may clobber (and x0), and after the second, all.
#define SAVED_FAST 0xf003fcf7u
#define SAVED_ALL 0xffffffffu

enum outcome { OUTCOME_DONE, OUTCOME_NOTHING, OUTCOME_ENDING };
// Accesses at an offset into the slots, in one where there is a device.
uint64_t slots_load(struct vcore *v, uint32_t offset, unsigned bytes);
enum outcome slots_store(struct vcore *v, uint32_t offset, unsigned bytes, uint64_t value);

// Handles a load, store or fetch fault of the vcore, at mepc. On a device, does the access and moves the pc on, that in
// the context and mepc, as either may be what the guest goes on from;
// else the guest gets the fault. Answers how the exit ends: EXIT_SLOW, with nothing done, if the access
// is to a register that is not in `saved`.
enum exit mmio_fault(struct vcore *v, unsigned long cause, uint32_t saved);
