// Stands in for riscv/hart.h in host tests: the same structs; who is asked for this hart, for the time and
// for sleep is the test.
#pragma once

#include "csr.h"

#define this_hart this_hart_of_hardware
#define hart_wait hart_wait_of_hardware
#define hart_time hart_time_of_hardware
#define mmio_settle mmio_settle_of_hardware
#define mmio_read32 mmio_read32_of_hardware
#define mmio_write32 mmio_write32_of_hardware
#define mmio_read64 mmio_read64_of_hardware
#define mmio_write64 mmio_write64_of_hardware
#include "../../../hypervisor/riscv/hart.h"
#undef this_hart
#undef hart_wait
#undef hart_time
#undef mmio_settle
#undef mmio_read32
#undef mmio_write32
#undef mmio_read64
#undef mmio_write64

struct hart *this_hart(void);
void hart_wait(void);
uint64_t hart_time(void);

// Device registers are memory of the test.
static inline uint32_t mmio_read32(uintptr_t address)
{
    return *(const uint32_t *)address;
}

static inline void mmio_write32(uintptr_t address, uint32_t value)
{
    *(uint32_t *)address = value;
}

static inline uint64_t mmio_read64(uintptr_t address)
{
    return *(const uint64_t *)address;
}

static inline void mmio_write64(uintptr_t address, uint64_t value)
{
    *(uint64_t *)address = value;
}

static inline void mmio_settle(void) {}
