// HSM. The last hart is stopped, started and suspended in all ways; it comes back as a worker.
#include "hsm.h"

#include "suite.h"

#define SOFT_BIT (1ul << INTERRUPT_SOFTWARE)

struct hart *hsm_victim(void)
{
    return &harts[harts_online - 1];
}
static struct sbi_result status_of(struct hart *h)
{
    return sbi_call3(SBI_HSM, HSM_STATUS, h->id, 0, 0);
}
static bool status_is(struct hart *h, unsigned long wanted)
{
    struct sbi_result r = status_of(h);
    return r.error == 0 && r.value == wanted;
}

static void stop_self(void *argument)
{
    struct sbi_result *r = argument;
    hart_self()->online = false;
    *r = sbi_call0(SBI_HSM, HSM_STOP);
}

bool hsm_victim_stop(void)
{
    static struct sbi_result failed;
    hart_run(hsm_victim(), stop_self, &failed);
    return wait_for(status_is(hsm_victim(), HART_STOPPED), 10000);
}

bool hsm_victim_restart(void)
{
    hsm_victim()->job = NULL;
    struct sbi_result r = sbi_call3(SBI_HSM, HSM_START, hsm_victim()->id, start_other, hsm_victim());
    return r.error == 0 && wait_for(hsm_victim()->online, 10000);
}

void hsm_status(void)
{
    for (unsigned i = 0; i < harts_online; i++)
        check(status_is(&harts[i], HART_STARTED), "hart %lu not started", harts[i].id);
    check_error(sbi_call3(SBI_HSM, HSM_STATUS, harts_count, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_HSM, HSM_STATUS, 4000, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_HSM, HSM_STATUS, -1ul, 0, 0), SBI_INVALID_PARAM);
}

void hsm_start_stop(void)
{
    skip_if(harts_online < 2, "one hart");
    for (int i = 0; i < 50; i++) {
        check(hsm_victim_stop(), "round %d: did not stop, status %lu", i, status_of(hsm_victim()).value);
        check(hsm_victim_restart(), "round %d: did not start", i);
        check(status_is(hsm_victim(), HART_STARTED), "round %d: status %lu", i, status_of(hsm_victim()).value);
    }
}

// satp 0, interrupts off, a0 the hart id, a1 the opaque value.
void hsm_start_state(void)
{
    skip_if(harts_online < 2, "one hart");
    static struct hsm_seen seen;
    seen.then = hsm_victim();
    check(hsm_victim_stop(), "did not stop");
    check_error(sbi_call3(SBI_HSM, HSM_START, hsm_victim()->id, hsm_entry, &seen), SBI_SUCCESS);
    bool entered = wait_for(seen.entered && hsm_victim()->online, 10000);
    check(entered, "never entered");
    check(seen.hart == hsm_victim()->id, "a0 %lu", seen.hart);
    check(seen.satp == 0, "satp %lx", seen.satp);
    check(!(seen.sstatus & SSTATUS_SIE), "sstatus %lx", seen.sstatus);
}

void hsm_started_twice(void)
{
    for (unsigned i = 0; i < harts_online; i++)
        check_error(sbi_call3(SBI_HSM, HSM_START, harts[i].id, start_other, 0), SBI_ALREADY_AVAILABLE);
}

void hsm_bad(void)
{
    check_error(sbi_call3(SBI_HSM, HSM_START, harts_count, start_other, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_HSM, HSM_START, 4000, start_other, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_HSM, HSM_START, -1ul, start_other, 0), SBI_INVALID_PARAM);
}

void hsm_bad_address(void)
{
    only_diosix();
    skip_if(harts_online < 2, "one hart");
    check(hsm_victim_stop(), "did not stop");
    unsigned long bad[] = {0,
                           (unsigned long)tree.uart.base,
                           (unsigned long)(tree.ram_base + tree.ram_size),
                           (unsigned long)tree.ram_base - 4,
                           -4096ul,
                           -2ul};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sbi_result r = sbi_call3(SBI_HSM, HSM_START, hsm_victim()->id, bad[i], 0);
        if (r.error != SBI_INVALID_ADDRESS)
            test_fail("address %lx: error %ld", bad[i], r.error);
    }
    check(status_is(hsm_victim(), HART_STOPPED), "status %lu", status_of(hsm_victim()).value);
    check(hsm_victim_restart(), "did not start again");
}

static volatile long suspend_error;
static volatile unsigned long suspend_rounds;

static void suspend_retentive(void *argument)
{
    (void)argument;
    csr_clear(sip, SOFT_BIT);
    csr_write(sie, SOFT_BIT);
    suspend_error = sbi_call3(SBI_HSM, HSM_SUSPEND, SUSPEND_RETENTIVE, 0, 0).error;
    suspend_rounds++;
}

void hsm_suspend_retentive(void)
{
    skip_if(harts_online < 2, "one hart");
    for (int i = 0; i < 5; i++) {
        unsigned long before = suspend_rounds;
        hart_run(hsm_victim(), suspend_retentive, NULL);
        check(wait_for(status_is(hsm_victim(), HART_SUSPENDED) || suspend_rounds != before, 5000), "status %lu",
              status_of(hsm_victim()).value);
        (void)!wait_for(suspend_rounds != before, 2);
        sbi_send_ipi(1, hsm_victim()->id);
        check(hart_wait(hsm_victim()), "never woke");
        check(suspend_error == 0, "error %ld", suspend_error);
    }
}

static void suspend_other(void *argument)
{
    csr_clear(sip, SOFT_BIT);
    csr_write(sie, SOFT_BIT);
    hart_self()->online = false;
    suspend_error = sbi_call3(SBI_HSM, HSM_SUSPEND, SUSPEND_NON_RETENTIVE, hsm_entry, argument).error;
}

// Comes back at the resume address, as a hart that is started would.
void hsm_suspend_other(void)
{
    skip_if(harts_online < 2, "one hart");
    static struct hsm_seen seen;
    seen = (struct hsm_seen){.then = hsm_victim()};
    suspend_error = 0;
    hart_run(hsm_victim(), suspend_other, &seen);
    check(wait_for(status_is(hsm_victim(), HART_SUSPENDED) || suspend_error || seen.entered, 5000), "status %lu",
          status_of(hsm_victim()).value);
    if (suspend_error == SBI_NOT_SUPPORTED) {
        hsm_victim()->online = true;
        test_skip("not offered");
        return;
    }
    check(suspend_error == 0, "error %ld", suspend_error);
    sbi_send_ipi(1, hsm_victim()->id);
    check(wait_for(seen.entered && hsm_victim()->online, 10000), "never resumed");
    check(seen.hart == hsm_victim()->id, "a0 %lu", seen.hart);
    check(seen.satp == 0 && !(seen.sstatus & SSTATUS_SIE), "satp %lx sstatus %lx", seen.satp, seen.sstatus);
}

void hsm_suspend_bad(void)
{
    check_error(sbi_call3(SBI_HSM, HSM_SUSPEND, 1, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_HSM, HSM_SUSPEND, 0x0fffffff, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_HSM, HSM_SUSPEND, 0x80000001, 0, 0), SBI_INVALID_PARAM);
    only_diosix();
    check_error(sbi_call3(SBI_HSM, HSM_SUSPEND, 0x10000000, 0, 0), SBI_INVALID_PARAM); // the platform's own
    check_error(sbi_call3(SBI_HSM, HSM_SUSPEND, 0x90000000, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_HSM, HSM_SUSPEND, SUSPEND_NON_RETENTIVE, 0, 0), SBI_INVALID_ADDRESS);
}
