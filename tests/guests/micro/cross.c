// Between two harts (or two vcores of one hart).
#include "micro.h"

#define SOFT_BIT (1ul << INTERRUPT_SOFTWARE)
#define ROUNDS 1000

static volatile bool stop;
static volatile uint64_t arrived;

// Sleeps until an IPI; its handler is the instruction after the WFI, with interrupts off.
static void ipi_await(void)
{
    while (!(csr_read(sip) & SOFT_BIT))
        wfi();
    csr_clear(sip, SOFT_BIT);
}

static void answer(void *argument)
{
    struct hart *to = argument;
    csr_write(sie, SOFT_BIT);
    for (int i = 0; i <= ROUNDS; i++) {
        ipi_await();
        sbi_send_ipi(1, to->id);
    }
}

static void ping_pong(void)
{
    sbi_send_ipi(1, harts[1].id);
    ipi_await();
}

// One way: an IPI, the sleep of the one and the wake-up of the other.
static void cross_ping_pong(void)
{
    csr_write(sie, SOFT_BIT);
    hart_run(&harts[1], answer, &harts[0]);
    (void)!wait_for(!harts[1].job, 5000);
    (void)!wait_for(false, 5);
    ping_pong();
    uint64_t start = fine_now();
    for (int i = 0; i < ROUNDS; i++)
        ping_pong();
    uint64_t cost = fine_now() - start;
    hart_wait(&harts[1]);
    interrupts_off();
    report("ipi_wakes_other", cost / ROUNDS / 2);
}

static void run_until_stopped(void *argument)
{
    (void)argument;
    while (!stop) {
    }
}

static void fence_other(void)
{
    sbi_call3(SBI_RFENCE, RFENCE_FENCE_I, 1, harts[1].id, 0);
}
static void sfence_other(void)
{
    sbi_fence(RFENCE_SFENCE_VMA, 1, harts[1].id);
}

static void note_arrival(struct hart *h)
{
    (void)h;
    arrived = time_now();
}

static void listen(void *argument)
{
    interrupts_on(SOFT_BIT);
    run_until_stopped(argument);
}

// To a hart that computes, until its handler runs.
static void ipi_running(void)
{
    arrived = time_now();
    uint64_t before = arrived;
    sbi_send_ipi(1, harts[1].id);
    while (arrived == before) {
    }
}

static void while_other(void (*other)(void *), void (*operation)(void), const char *name, unsigned rounds)
{
    stop = false;
    hart_run(&harts[1], other, NULL);
    (void)!wait_for(!harts[1].job, 5000);
    measure(name, operation, rounds);
    stop = true;
    hart_wait(&harts[1]);
}

void micro_cross(void)
{
    if (!harts_start() || harts_online < 2)
        return;
    harts[1].on_software = note_arrival;
    cross_ping_pong();
    char text[8];
    // A hart that spins while it waits for another tells nothing in instructions.
    if (!tree_option("clock", text, sizeof text))
        return;
    while_other(run_until_stopped, fence_other, "remote_fence_i_other", 1000);
    while_other(run_until_stopped, sfence_other, "remote_sfence_other", 1000);
    while_other(listen, ipi_running, "ipi_other_taken", 1000);
}
