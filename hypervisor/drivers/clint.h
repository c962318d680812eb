// Time, timer compares and software interrupts: SiFive's CLINT or the ACLINT's MTIMER and MSWI, which
// differ only in where the registers lie. Discovery works out each hart's addresses once, so that the
// hot paths take an address and index nothing.
#pragma once

#include "io.h"
#include "types.h"

// Offsets in a CLINT; an ACLINT's devices count from their own bases, which `reg` gives.
enum {
    CLINT_MSIP = 0x0,        // + 4 * index
    CLINT_MTIMECMP = 0x4000, // + 8 * index
    CLINT_MTIME = 0xbff8,
};

// What is common to all harts. Each hart's mtimecmp and msip addresses are in its own structure.
struct clint_config {
    uintptr_t mtime;
};

void clint_init(const struct clint_config *config);

extern uintptr_t clint_mtime; // clint_time()'s, set once at boot

// The same as clint_time(), for code that also runs where there is no CLINT: in host tests.
uint64_t clint_now(void);

static inline uint64_t clint_time(void)
{
    return mmio_read64(clint_mtime);
}

static inline void clint_ipi_send(uintptr_t msip)
{
    mmio_write32(msip, 1);
}
static inline void clint_ipi_clear(uintptr_t msip)
{
    mmio_write32(msip, 0);
}

// The machine timer interrupt is pending while time >= when; ~0 turns it off.
static inline void clint_set_timer(uintptr_t mtimecmp, uint64_t when)
{
    mmio_write64(mtimecmp, when);
}
