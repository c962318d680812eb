// Interrupts on one hart: to oneself, from the timer, and waiting for them.
#include "micro.h"

#define SOFT_BIT (1ul << INTERRUPT_SOFTWARE)
#define TIMER_BIT (1ul << INTERRUPT_TIMER)
#define ROUNDS 100

static bool direct; // timer through stimecmp

static void ipi_self(void)
{
    spin_ipi(1, hart_self()->id);
}

static void wfi_pending(void)
{
    wfi();
}

static void deadline_set(uint64_t when)
{
    if (!direct) {
        sbi_set_timer(when);
        return;
    }
    if (XLEN == 32)
        csr_write(0x15d, when >> 32);
    csr_write(0x14d, when);
}

// From the deadline to the handler's first instruction, on average.
static void timer_latency(const char *name)
{
    unsigned long tick_ns = 1000000000 / timebase;
    uint64_t sum = 0;
    csr_write(stvec, vector_timer);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t deadline = time_now() + ticks(20) + (uint64_t)i % 7;
        deadline_set(deadline);
        csr_write(sie, TIMER_BIT);
        sum += (unsigned long)spin_timer(tick_ns) - (unsigned long)(deadline * tick_ns);
        deadline_set((uint64_t)-1);
    }
    report(name, (sum + ROUNDS / 2) / ROUNDS);
}

// From the deadline to the instruction after the WFI that slept until it.
static void wfi_latency(void)
{
    uint64_t sum = 0, tick_ns = 1000000000 / timebase;
    csr_write(sie, TIMER_BIT);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t deadline = time_now() + ticks(20);
        deadline_set(deadline);
        wfi();
        sum += fine_now() - deadline * tick_ns;
        deadline_set((uint64_t)-1);
    }
    report("wfi_until_timer", (sum + ROUNDS / 2) / ROUNDS);
}

static void with_vector(void *vector, unsigned long sources, void (*run)(void), const char *name)
{
    unsigned long kept = csr_read(stvec);
    csr_write(stvec, vector);
    csr_write(sie, sources);
    csr_set(sstatus, SSTATUS_SIE);
    measure(name, run, 1000);
    interrupts_off();
    csr_write(stvec, kept);
}

void micro_interrupts(void)
{
    unsigned long kept = csr_read(stvec);
    with_vector(vector_software, SOFT_BIT, ipi_self, "self_ipi_taken");
    csr_write(sie, SOFT_BIT);
    sbi_send_ipi(1, hart_self()->id);
    measure("wfi_pending", wfi_pending, 1000);
    csr_clear(sip, SOFT_BIT);
    timer_latency("timer_sbi_taken");
    direct = tree_has_extension("sstc");
    if (direct)
        timer_latency("timer_sstc_taken");
    wfi_latency();
    direct = false;
    interrupts_off();
    csr_write(stvec, kept);
}
