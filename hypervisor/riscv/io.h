// Device registers. Each access is one load or store of the named width, ordered against other
// accesses to devices and memory as Linux's readl and writel are.
#pragma once

#include "types.h"

#define MMIO_ACCESSORS(bits)                                                                                           \
    static inline uint##bits##_t mmio_read##bits(uintptr_t address)                                                    \
    {                                                                                                                  \
        uint##bits##_t value = *(const volatile uint##bits##_t *)address;                                              \
        __asm__ volatile("fence i, ir" ::: "memory");                                                                  \
        return value;                                                                                                  \
    }                                                                                                                  \
    static inline void mmio_write##bits(uintptr_t address, uint##bits##_t value)                                       \
    {                                                                                                                  \
        __asm__ volatile("fence ow, o" ::: "memory");                                                                  \
        *(volatile uint##bits##_t *)address = value;                                                                   \
    }

MMIO_ACCESSORS(8)
MMIO_ACCESSORS(16)
MMIO_ACCESSORS(32)

// No access to memory that follows comes before a register's write that precedes.
static inline void mmio_settle(void)
{
    __asm__ volatile("fence o, rw" ::: "memory");
}

// A counter that runs meanwhile is read until its upper half stands still.
static inline uint64_t mmio_read64(uintptr_t address)
{
    if (sizeof(address) == sizeof(uint64_t))
        return *(const volatile uint64_t *)address;
    for (;;) {
        uint32_t high = mmio_read32(address + 4);
        uint32_t low = mmio_read32(address);
        if (high == mmio_read32(address + 4))
            return (uint64_t)high << 32 | low;
    }
}

// A compare register is never below both its old and its new value on the way.
static inline void mmio_write64(uintptr_t address, uint64_t value)
{
    if (sizeof(address) == sizeof(uint64_t)) {
        *(volatile uint64_t *)address = value;
        return;
    }
    mmio_write32(address, UINT32_MAX);
    mmio_write32(address + 4, (uint32_t)(value >> 32));
    mmio_write32(address, (uint32_t)value);
}
