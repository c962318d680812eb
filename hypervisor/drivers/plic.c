// RISC-V Platform-Level Interrupt Controller specification 1.0.0, section 3: memory map.
#include "plic.h"

#include "io.h"

#define ENABLE_BASE 0x2000u
#define ENABLE_SIZE 0x80u
#define CONTEXT_BASE 0x200000u
#define CONTEXT_SIZE 0x1000u
#define CONTEXT_THRESHOLD 0u
#define CONTEXT_CLAIM 4u
#define SOURCES_MAX 1023u

static struct plic_config plic;

static bool context_exists(uint32_t context)
{
    return plic.base && CONTEXT_BASE + (uint64_t)CONTEXT_SIZE * context + CONTEXT_CLAIM + 4 <= plic.size;
}

static uintptr_t context_register(uint32_t context, uint32_t offset)
{
    return plic.base + CONTEXT_BASE + CONTEXT_SIZE * context + offset;
}

static uintptr_t enable_register(uint32_t context, uint32_t irq)
{
    return plic.base + ENABLE_BASE + ENABLE_SIZE * context + irq / 32 * 4;
}

void plic_init(const struct plic_config *config)
{
    plic = *config;
    if (plic.ndev > SOURCES_MAX)
        plic.ndev = SOURCES_MAX;
    if (!plic.base)
        return;
    for (uint32_t irq = 1; irq <= plic.ndev; irq++)
        mmio_write32(plic.base + 4 * irq, 0);
}

void plic_hart_init(uint32_t context)
{
    if (!context_exists(context))
        return;
    for (uint32_t irq = 0; irq <= plic.ndev; irq += 32)
        mmio_write32(enable_register(context, irq), 0);
    mmio_write32(context_register(context, CONTEXT_THRESHOLD), 0);
}

bool plic_enable(uint32_t irq, uint32_t context, uint32_t priority)
{
    if (!irq || irq > plic.ndev || !context_exists(context))
        return false;
    uintptr_t enable = enable_register(context, irq);
    mmio_write32(plic.base + 4 * irq, priority);
    mmio_write32(enable, mmio_read32(enable) | 1u << irq % 32);
    return true;
}

void plic_disable(uint32_t irq, uint32_t context)
{
    if (!irq || irq > plic.ndev || !context_exists(context))
        return;
    uintptr_t enable = enable_register(context, irq);
    mmio_write32(enable, mmio_read32(enable) & ~(1u << irq % 32));
}

uint32_t plic_claim(uint32_t context)
{
    return mmio_read32(context_register(context, CONTEXT_CLAIM));
}

void plic_complete(uint32_t context, uint32_t irq)
{
    mmio_write32(context_register(context, CONTEXT_CLAIM), irq);
}
