// Timers, the clock, and sleep.
#include "suite.h"

// QEMU's Sstc can fire early when the deadline is moved at the moment the old one comes: it clears
// the interrupt first and moves its timer then. Once in a test, that is forgiven; never without Sstc.
static bool too_early(unsigned *times)
{
    return ++*times > (tree_has_extension("sstc") ? 1 : 0);
}

static void direct_set(uint64_t when)
{
    if (XLEN == 32)
        csr_write(0x15d, -1ul);
    csr_write(0x14d, when);
    if (XLEN == 32)
        csr_write(0x15d, when >> 32);
}

static const char *timers_check(struct hart *h)
{
    unsigned early = 0;
    h->timer_direct = tree_has_extension("sstc");
    interrupts_on(TIMER_BIT);
    for (int i = 0; i < 20; i++) {
        unsigned long before = h->taken[INTERRUPT_TIMER];
        uint64_t deadline = time_now() + ticks(500 + 100 * h->index);
        if (h->timer_direct && i & 1)
            direct_set(deadline);
        else
            sbi_set_timer(deadline);
        if (!wait_for(h->taken[INTERRUPT_TIMER] != before, 10000))
            return "timer interrupt missing";
        if (h->timer_time < deadline && too_early(&early))
            return "timer interrupt early";
        if (h->taken[INTERRUPT_TIMER] != before + 1)
            return "more than one timer interrupt";
    }
    interrupts_off();
    h->timer_direct = false;
    sbi_set_timer((uint64_t)-1);
    return NULL;
}

void timer_both(void)
{
    on_all_harts(timers_check);
}

void timer_direct(void)
{
    skip_if(!tree_has_extension("sstc"), "no Sstc");
    direct_set(time_now() - 1);
    check(wait_for(csr_read(sip) & TIMER_BIT, 1000), "past deadline not pending");
    direct_set(time_now() + ticks(60000000));
    check(!(csr_read(sip) & TIMER_BIT), "still pending after a later deadline");
    uint64_t far = time_now() + ticks(3600000000ull);
    direct_set(far);
    spin(2000000);
    check(csr_read(0x14d) == (unsigned long)far, "stimecmp changed");
    direct_set((uint64_t)-1);
}

// Asleep with interrupts off: the pending interrupt wakes.
static const char *wfi_timer_check(struct hart *h)
{
    unsigned early = 0;
    (void)h;
    csr_write(sie, TIMER_BIT);
    for (int i = 0; i < 20; i++) {
        uint64_t deadline = time_now() + ticks(1000);
        sbi_set_timer(deadline);
        while (!(csr_read(sip) & TIMER_BIT)) {
            wfi();
            if (time_now() > deadline + ticks(10000000))
                return "slept 10 s too long";
        }
        if (time_now() < deadline && too_early(&early))
            return "woke early with the timer pending";
    }
    sbi_set_timer((uint64_t)-1);
    csr_write(sie, SOFT_BIT);
    return NULL;
}

void wfi_timer(void)
{
    on_all_harts(wfi_timer_check);
}

static volatile int woken;
static volatile bool sleeper_stop;

static void sleeper(void *argument)
{
    (void)argument;
    csr_clear(sip, SOFT_BIT);
    for (woken = 1; !sleeper_stop; woken++) {
        while (!(csr_read(sip) & SOFT_BIT))
            wfi();
        csr_clear(sip, SOFT_BIT);
    }
}

void wfi_ipi(void)
{
    skip_if(harts_online < 2, "one hart");
    woken = 0;
    sleeper_stop = false;
    hart_run(&harts[1], sleeper, NULL);
    bool awake = wait_for(woken, 5000);
    for (int i = 0; awake && i < 100; i++) {
        int before = woken;
        sbi_send_ipi(1, harts[1].id);
        awake = wait_for(woken != before, 5000);
    }
    sleeper_stop = true;
    sbi_send_ipi(1, harts[1].id);
    check(hart_wait(&harts[1]) && awake, "no wake-up after %d", woken);
}

static uint32_t clock_lock;
static volatile uint64_t clock_last;

static void lock(void)
{
    while (__atomic_exchange_n(&clock_lock, 1, __ATOMIC_ACQUIRE)) {
    }
}

static const char *clock_check(struct hart *h)
{
    (void)h;
    while (time_left()) {
        lock();
        uint64_t now = time_now();
        bool backwards = now < clock_last;
        clock_last = now;
        __atomic_store_n(&clock_lock, 0, __ATOMIC_RELEASE);
        if (backwards)
            return "time went backwards between harts";
    }
    return NULL;
}

void clock_monotone(void)
{
    on_all_harts(clock_check);
}

void clock_near_zero(void)
{
    skip_if(!tree_number("near-zero", 0), "not asked for");
    check(time_now() < ticks(20000000), "%llu ticks", (long long unsigned)time_now());
}
