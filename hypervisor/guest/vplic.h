// A virtual PLIC (RISC-V Platform-Level Interrupt Controller specification 1.0.0), laid out like that of
// QEMU's virt machine: contexts 2n (M) and 2n+1 (S) for vcore n. Only the S contexts exist; M contexts
// read 0 and ignore writes. Sources are level-triggered, priorities 0 to 7.
//
// All sources fit in one word, so every question is a few bitmap operations. No lock here and no
// knowledge of capsules: the caller holds the capsule's device lock, and after each call passes on
// what vplic_take_changes() tells.
#pragma once

#include "types.h"

#define VPLIC_SOURCES 31u // source numbers 1 to VPLIC_SOURCES: `riscv,ndev`
#define VPLIC_PRIORITIES 8u
#define VPLIC_VCORES_MAX 64u

struct vplic_context {
    uint32_t enable;
    uint32_t threshold;
};

struct vplic {
    uint32_t level;   // the lines, as the devices drive them
    uint32_t pending; // what the gateways passed on and nobody has claimed
    uint32_t claimed; // in service: their gateways are closed until completion
    uint32_t vcores;
    uint32_t above[VPLIC_PRIORITIES]; // [t]: the sources whose priority is above t
    uint8_t priority[VPLIC_SOURCES + 1];
    uint64_t output;                     // bit n: external interrupt line of vcore n
    uint64_t reported;                   // 'output' as of the last vplic_take_changes()
    uint64_t targets[VPLIC_SOURCES + 1]; // [s]: the vcores that enable source s; 'enable' transposed
    struct vplic_context contexts[];     // one for each vcore
};

// Bytes of the guest's address space that the registers of this many vcores take.
static inline uint32_t vplic_window(unsigned vcores)
{
    return 0x200000u + vcores * 0x2000u;
}

// Bytes of the model for 1 to VPLIC_VCORES_MAX vcores.
size_t vplic_size(unsigned vcores);

// Power-on state: all priorities, enables and thresholds 0, all lines low.
void vplic_init(struct vplic *plic, unsigned vcores);

// Accesses of 32 bits; the caller ignores other widths. All vcores see the same registers, so who asks
// makes no difference. What doesn't exist, or isn't aligned, reads 0 and ignores writes.
uint32_t vplic_read(struct vplic *plic, unsigned vcore, uint32_t offset);
void vplic_write(struct vplic *plic, unsigned vcore, uint32_t offset, uint32_t value);

// Drives a source's line. Source 0 and those beyond VPLIC_SOURCES are ignored.
void vplic_set_level(struct vplic *plic, unsigned source, bool level);

// The supervisor external interrupt line of a vcore.
static inline bool vplic_output(const struct vplic *plic, unsigned vcore)
{
    return plic->output >> vcore & 1;
}

// The vcores whose line is not as it was at the last call, one bit each.
static inline uint64_t vplic_take_changes(struct vplic *plic)
{
    uint64_t changes = plic->output ^ plic->reported;
    plic->reported = plic->output;
    return changes;
}
