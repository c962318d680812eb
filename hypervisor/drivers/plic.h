// The machine's interrupt controller (RISC-V PLIC 1.0.0), as far as the hypervisor needs it: a few
// sources of its own, taken by M contexts.
#pragma once

#include "types.h"

struct plic_config {
    uintptr_t base; // 0 if the machine has none: the UART is polled then
    uint64_t size;  // `reg` size: registers beyond it are not touched
    uint32_t ndev;  // `riscv,ndev`: sources are 1..ndev
};

// Turns off every source's priority. Once, on the first hart.
void plic_init(const struct plic_config *config);

// Each hart's M context: all sources disabled, threshold 0.
void plic_hart_init(uint32_t context);

// True if the source exists and now interrupts this context.
must_check bool plic_enable(uint32_t irq, uint32_t context, uint32_t priority);
void plic_disable(uint32_t irq, uint32_t context);

// The source to handle, 0 if another hart was faster.
uint32_t plic_claim(uint32_t context);
void plic_complete(uint32_t context, uint32_t irq);
