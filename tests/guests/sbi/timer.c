// TIME.
#include "suite.h"

#define TIMER_BIT (1ul << INTERRUPT_TIMER)
#define timer_pending() ((csr_read(sip) & TIMER_BIT) != 0)

void timer_future(void)
{
    struct hart *h = hart_self();
    unsigned long before = h->taken[INTERRUPT_TIMER];
    uint64_t deadline = time_now() + ticks(2000);
    check_error(sbi_set_timer(deadline), SBI_SUCCESS);
    interrupts_on(TIMER_BIT);
    check(wait_for(h->taken[INTERRUPT_TIMER] != before, 5000), "not taken");
    check(h->timer_time >= deadline, "%lu ticks early", (unsigned long)(deadline - h->timer_time));
    check(h->taken[INTERRUPT_TIMER] == before + 1, "taken %lu times", h->taken[INTERRUPT_TIMER] - before);
}

void timer_past(void)
{
    struct hart *h = hart_self();
    unsigned long before = h->taken[INTERRUPT_TIMER];
    interrupts_on(TIMER_BIT);
    sbi_set_timer(0);
    check(wait_for(h->taken[INTERRUPT_TIMER] != before, 5000), "time 0: not taken");
    before = h->taken[INTERRUPT_TIMER];
    sbi_set_timer(time_now());
    check(wait_for(h->taken[INTERRUPT_TIMER] != before, 5000), "now: not taken");
}

void timer_cancel(void)
{
    uint64_t deadline = time_now() + ticks(1000);
    sbi_set_timer(deadline);
    sbi_set_timer((uint64_t)-1);
    check(!wait_for(timer_pending(), 3), "pending though cancelled");
}

void timer_pending_cleared(void)
{
    sbi_set_timer(time_now());
    check(wait_for(timer_pending(), 5000), "never pending");
    sbi_set_timer(time_now() + ticks(60000000));
    check(!timer_pending(), "still pending after a later deadline was set");
}

// Ten in a row: each no earlier than asked for.
void timer_accuracy(void)
{
    struct hart *h = hart_self();
    interrupts_on(TIMER_BIT);
    for (int i = 0; i < 10; i++) {
        unsigned long before = h->taken[INTERRUPT_TIMER];
        uint64_t deadline = time_now() + ticks(100 + 37 * i);
        sbi_set_timer(deadline);
        while (h->taken[INTERRUPT_TIMER] == before && time_now() < deadline + ticks(5000000))
            sleep_unless(h->taken[INTERRUPT_TIMER] != before);
        check(h->taken[INTERRUPT_TIMER] != before, "no %d not taken", i);
        check(h->timer_time >= deadline, "no %d early", i);
    }
}
