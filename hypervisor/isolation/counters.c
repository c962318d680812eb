// What a guest may have its own way through the SBI, and most don't: `cycle` and `instret` that it can set
// and stop, and misaligned accesses that it handles itself. Worlds that don't ask pay a comparison.
#include "backend.h"
#include "csr.h"

// What is saved is in the hart's registers afterwards, and the other way around. The hart's own counters
// stand still meanwhile, which nobody else sees.
void world_counters_exchange(struct world *w)
{
    struct world_counters *c = &w->counters;
    uint64_t cycle = csr_read_counter(CSR_MCYCLE), instret = csr_read_counter(CSR_MINSTRET);

    c->inhibit = csr_swap(CSR_MCOUNTINHIBIT, c->inhibit);
    csr_write_counter(CSR_MCYCLE, c->cycle);
    csr_write_counter(CSR_MINSTRET, c->instret);
    c->cycle = cycle;
    c->instret = instret;
}

void world_counters_own(struct world *w, bool own)
{
    struct world_counters *c = &w->counters;

    if (own == c->own)
        return;
    c->own = own;
    if (!own) {
        world_counters_exchange(w);
        return;
    }
    c->inhibit = csr_read(CSR_MCOUNTINHIBIT);
    c->cycle = csr_read_counter(CSR_MCYCLE);
    c->instret = csr_read_counter(CSR_MINSTRET);
}

void world_counter_write(unsigned counter, uint64_t value)
{
    if (counter == 0)
        csr_write_counter(CSR_MCYCLE, value);
    else
        csr_write_counter(CSR_MINSTRET, value);
}

void world_counter_run(unsigned counter, bool run)
{
    if (run) {
        csr_clear(CSR_MCOUNTINHIBIT, 1UL << counter);
        return;
    }
    csr_set(CSR_MCOUNTINHIBIT, 1UL << counter);
    // QEMU before 9.1 forgets the value of a counter that stops, but not one that is written then.
    world_counter_write(counter, counter == 0 ? csr_read_counter(CSR_MCYCLE) : csr_read_counter(CSR_MINSTRET));
}

// Delegated by hedeleg already; without H, to the guest's S-mode.
void world_delegate(struct isolation_hart *iso, const struct world *w)
{
    csr_write(CSR_MEDELEG, csr_read(CSR_MEDELEG) ^ (w->delegated ^ iso->delegated));
    iso->delegated = w->delegated;
}

void world_delegate_misaligned(struct hart *h, struct world *w, bool delegate)
{
    w->delegated = delegate ? DELEGATED_MISALIGNED : 0;
    world_delegate(h->isolation, w);
}
