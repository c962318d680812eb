#include "harts.h"

#include "log.h"

struct hart *harts[HARTS_MAX];
unsigned harts_count;
struct isolation_features isolation_features;
uint64_t world_delta = -FAKE_ORIGIN;
struct fake_hart fake_harts[FAKE_HARTS];
uint64_t fake_now;
bool fake_done;

struct hart *this_hart(void)
{
    return harts[explore_self()];
}

struct fake_hart *fake_here(void)
{
    return &fake_harts[explore_self()];
}

// Time passes in the hypervisor, too.
uint64_t hart_time(void)
{
    if (explore_random(8) == 0)
        fake_now++;
    return fake_now;
}

void hart_request(struct hart *h, unsigned long bits)
{
    explore_point();
    h->requests |= bits;
    explore_point();
    fake_harts[h->index].msip = 1;
}

static bool timer_is_due(const struct fake_hart *m)
{
    return isolation_features.sstc && fake_now + world_delta >= m->csr[CSR_STIMECMP + CSR_VS_OFFSET];
}

unsigned long fake_csr_read(unsigned csr)
{
    struct fake_hart *m = fake_here();

    switch (csr) {
    case CSR_MIP:
        return (m->msip ? 1UL << INTERRUPT_M_SOFT : 0) | (fake_now >= m->mtimecmp ? 1UL << INTERRUPT_M_TIMER : 0);
    case CSR_SIP + CSR_VS_OFFSET:
        return m->csr[CSR_HVIP] >> 1 | (timer_is_due(m) ? 1UL << INTERRUPT_S_TIMER : 0);
    default:
        return m->csr[csr];
    }
}

unsigned long fake_csr_write(unsigned csr, unsigned long value, const char *function)
{
    unsigned long old = fake_here()->csr[csr];
    (void)function;
    fake_here()->csr[csr] = value;
    return old;
}

void fake_time_pass(void)
{
    fake_now++;
    explore_point();
}

// Sleep ends with an interrupt, and only with one.
void hart_wait(void)
{
    while (!csr_read(CSR_MIP)) {
        if (fake_done)
            explore_end();
        fake_time_pass();
    }
}

_Noreturn void panic(const char *format, ...)
{
    explore_fail("panic: %s", format);
}

_Noreturn void hart_park(void)
{
    explore_fail("parked");
}

void world_reset(struct world *w)
{
    w->ie = w->pending = 0;
    w->timecmp = UINT64_MAX;
}

bool fake_is_loaded(const struct world *w)
{
    for (unsigned i = 0; i < harts_count; i++)
        if (fake_harts[i].loaded == w)
            return true;
    return false;
}

void world_enter(struct hart *h, struct world *w)
{
    struct fake_hart *m = &fake_harts[h->index];

    if (fake_is_loaded(w))
        explore_fail("loaded on two harts");
    m->loaded = w;
    m->csr[CSR_SIE + CSR_VS_OFFSET] = w->ie;
    m->csr[CSR_HVIP] = w->pending << 1;
    m->csr[CSR_STIMECMP + CSR_VS_OFFSET] = w->timecmp;
}

void world_leave(struct hart *h, struct world *w)
{
    struct fake_hart *m = &fake_harts[h->index];

    if (m->loaded != w)
        explore_fail("not loaded");
    m->loaded = NULL;
    w->ie = m->csr[CSR_SIE + CSR_VS_OFFSET];
    w->pending = m->csr[CSR_HVIP] >> 1;
    w->timecmp = m->csr[CSR_STIMECMP + CSR_VS_OFFSET];
    m->csr[CSR_SIE + CSR_VS_OFFSET] = m->csr[CSR_HVIP] = 0;
}

void world_set_timer(uint64_t guest_time)
{
    fake_here()->csr[CSR_STIMECMP + CSR_VS_OFFSET] = guest_time;
}

void fake_harts_create(unsigned count, bool sstc)
{
    isolation_features = (struct isolation_features){.hypervisor = true, .sstc = sstc};
    harts_count = count;
    for (unsigned i = 0; i < FAKE_HARTS; i++) {
        struct fake_hart *m = &fake_harts[i];
        m->hart.index = i;
        sched_tighten(&m->hart); // what the last run left
        sched_idle_leave(&m->hart);
        *m = (struct fake_hart){.hart = {.index = i, .armed = TIME_NEVER}, .mtimecmp = TIME_NEVER};
        m->hart.msip = (uintptr_t)&m->msip;
        m->hart.mtimecmp = (uintptr_t)&m->mtimecmp;
        m->csr[CSR_STIMECMP + CSR_VS_OFFSET] = -1UL;
        harts[i] = &m->hart;
        sched_hart_init(harts[i], &m->queue);
    }
    sched_ready_total = 0;
    sched_init(64);
    fake_now = FAKE_ORIGIN;
    fake_done = false;
}
