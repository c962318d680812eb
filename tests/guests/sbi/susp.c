// SUSP: once all other harts are stopped, the calling one sleeps until an interrupt it has enabled.
#include "hsm.h"
#include "suite.h"

#define TIMER_BIT (1ul << INTERRUPT_TIMER)

// What susp_sleep (entry.S) keeps of its caller, and what it finds when it resumes.
struct susp_frame {
    unsigned long kept[18];
    volatile unsigned long resumed, hart, satp, sstatus, sie;
};
long susp_sleep(struct susp_frame *frame); // 0 after it has resumed, else the error

static struct sbi_result suspend(unsigned long type, unsigned long pc)
{
    return sbi_call3(SBI_SUSP, 0, type, pc, 0);
}

void susp_bad(void)
{
    only_diosix();
    check_error(suspend(1, (unsigned long)hsm_entry), SBI_INVALID_PARAM);
    check_error(suspend(0x7fffffff, (unsigned long)hsm_entry), SBI_INVALID_PARAM);
    check_error(suspend(0x80000000, (unsigned long)hsm_entry), SBI_INVALID_PARAM);
    check_error(suspend(0, 0), SBI_INVALID_ADDRESS);
    check_error(suspend(0, (unsigned long)(tree.ram_base + tree.ram_size)), SBI_INVALID_ADDRESS);
    if (harts_online > 1)
        check_error(suspend(0, (unsigned long)hsm_entry), SBI_DENIED);
}

static void stop_self(void *argument)
{
    (void)argument;
    hart_self()->online = false;
    sbi_call0(SBI_HSM, HSM_STOP);
}

static bool others_stop(void)
{
    bool all = true;
    for (unsigned i = 1; i < harts_online; i++) {
        hart_run(&harts[i], stop_self, NULL);
        all &= wait_for(sbi_call3(SBI_HSM, HSM_STATUS, harts[i].id, 0, 0).value == HART_STOPPED, 10000);
    }
    return all;
}

static bool others_start(void)
{
    bool all = true;
    for (unsigned i = 1; i < harts_online; i++) {
        harts[i].job = NULL;
        all &= sbi_call3(SBI_HSM, HSM_START, harts[i].id, start_other, &harts[i]).error == 0;
        all &= wait_for(harts[i].online, 10000);
    }
    return all;
}

// Sleeps with its interrupts disabled, then with the timer's enabled; the registers are those of a start.
void susp_sleep_and_resume(void)
{
    only_diosix();
    static struct susp_frame frame;
    frame = (struct susp_frame){.resumed = 0};
    bool stopped = others_stop();
    uint64_t until = time_now() + ticks(5000);
    sbi_set_timer(until);
    csr_write(sie, TIMER_BIT);
    long error = stopped ? susp_sleep(&frame) : 1;
    uint64_t woken = time_now();
    bool pending = csr_read(sip) & TIMER_BIT;
    bool started = others_start();
    check(stopped && started, "stopped %d started %d", stopped, started);
    check(error == 0 && frame.resumed == 1, "error %ld, resumed %lu times", error, frame.resumed);
    check(woken >= until, "woke early");
    check(pending, "what woke it is gone");
    check(frame.hart == hart_self()->id, "a0 %lu", frame.hart);
    check(frame.satp == 0 && !(frame.sstatus & SSTATUS_SIE), "satp %lx sstatus %lx", frame.satp, frame.sstatus);
}
