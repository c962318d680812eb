// Physical memory protection: the half that touches CSRs.
#include "backend.h"
#include "csr.h"
#include "fences.h"
#include "pmp_plan.h"

// The CSR number must be a constant: one case per entry.
#define ENTRY_CASE(n)                                                                                                  \
    case n:                                                                                                            \
        csr_write(CSR_PMPADDR0 + (n), value);                                                                          \
        break;

static void address_write(unsigned entry, unsigned long value)
{
    switch (entry) {
        ENTRY_CASE(0)
        ENTRY_CASE(1)
        ENTRY_CASE(2)
        ENTRY_CASE(3)
        ENTRY_CASE(4)
        ENTRY_CASE(5)
        ENTRY_CASE(6)
        ENTRY_CASE(7)
    }
}

#define PROBE_CASE(n)                                                                                                  \
    case n:                                                                                                            \
        return csr_probe(CSR_PMPADDR0 + (n), value);

// False if there is no such entry.
static __attribute__((noinline)) bool address_read(unsigned entry, unsigned long *value)
{
    switch (entry) {
        PROBE_CASE(0)
        PROBE_CASE(1)
        PROBE_CASE(2)
        PROBE_CASE(3)
        PROBE_CASE(4)
        PROBE_CASE(5)
        PROBE_CASE(6)
        PROBE_CASE(7)
    default:
        return false;
    }
}

static bool entry_probe(unsigned entry, unsigned *grain_shift)
{
    unsigned long value;

    if (!address_read(entry, &value))
        return false;
    address_write(entry, -1UL);
    if (!address_read(entry, &value) || value == 0)
        return false;
    *grain_shift = (unsigned)__builtin_ctzl(value) + 2;
    return true;
}

void pmp_probe(void)
{
    unsigned long ignored;
    unsigned shift = 2, count = 0;

    if (csr_probe(CSR_PMPCFG0, &ignored))
        while (count < PMP_ENTRIES && entry_probe(count, &shift))
            count++;
    isolation_features.pmp_count = count;
    isolation_features.pmp_grain_shift = shift;
}

static unsigned long config_word(const uint8_t *config)
{
    unsigned long word = 0;
    for (unsigned i = 0; i < sizeof(word); i++)
        word |= (unsigned long)config[i] << (8 * i);
    return word;
}

void pmp_guard(struct range guard)
{
    if (isolation_features.pmp_count < PMP_ENTRIES_NEEDED)
        return;
    address_write(0, (unsigned long)((guard.start | (guard.size / 2 - 1)) >> 2));
    csr_write(CSR_PMPCFG0, PMP_LOCK | PMP_NAPOT);
    sfence_all();
}

void pmp_load(const struct pmp_plan *plan)
{
    uint8_t config[PMP_ENTRIES] = {0};

    if (isolation_features.pmp_count < plan->count) // no entries at all: nothing is closed
        return;
    for (unsigned i = 1; i < plan->count; i++) {
        address_write(i, plan->address[i]);
        config[i] = plan->config[i];
    }
    config[0] = PMP_LOCK | PMP_NAPOT; // locked: the write changes nothing
    csr_write(CSR_PMPCFG0, config_word(config));
#if XLEN == 32
    csr_write(CSR_PMPCFG0 + 1, config_word(config + 4));
#endif
    sfence_all();
    if (isolation_features.hypervisor)
        hfence_gvma_all();
}

enum status pmp_attach(struct space *s)
{
    struct range ram = {s->extents[0].host.value, s->extents[0].size};

    s->plan = &s->own_plan;
    s->hgatp = 0;
    return pmp_plan_add(&s->own_plan, ram, PMP_R | PMP_W | PMP_X, isolation_features.pmp_grain_shift);
}
