// Two capsules on one hart: this one computes (micro=stolen) and counts what was taken from it
// while the other sleeps and wakes (micro=nap).
#include "micro.h"

static uint64_t compute(uint64_t until)
{
    uint64_t rounds = 0;
    while (time_now() < until)
        rounds++;
    return rounds;
}

static void spin(unsigned long rounds)
{
    __asm__ volatile("1: addi %0, %0, -1\nbnez %0, 1b" : "+r"(rounds)::"memory");
}

// Instructions taken from this hart in each millisecond of its own work.
void micro_stolen(void)
{
    compute(time_now() + ticks(100000)); // until the others have started
    enum { MILLISECONDS = 200 };
    uint64_t start = fine_now();
    for (int i = 0; i < MILLISECONDS; i++)
        spin(500000);
    uint64_t elapsed = fine_now() - start;
    report("stolen_per_ms", (elapsed - MILLISECONDS * 1000000ull) / MILLISECONDS);
    report("stolen_elapsed_us", elapsed / 1000);
}

// Wakes every millisecond, 3000 times.
void micro_nap(void)
{
    uint64_t deadline = time_now();
    csr_write(sie, 1ul << INTERRUPT_TIMER);
    for (int i = 0; i < 3000; i++) {
        deadline += ticks(1000);
        sbi_set_timer(deadline);
        while (time_now() < deadline)
            wfi();
    }
    sbi_set_timer((uint64_t)-1);
}
