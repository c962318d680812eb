// IPI.
#include "suite.h"

#define SOFT_BIT (1ul << INTERRUPT_SOFTWARE)

static volatile bool listen_stop;

static void listen(void *argument)
{
    (void)argument;
    interrupts_on(SOFT_BIT);
    while (!listen_stop) {
    }
}

static void listeners_start(void)
{
    listen_stop = false;
    for (unsigned i = 1; i < harts_online; i++) {
        hart_run(&harts[i], listen, NULL);
        (void)!wait_for(!harts[i].job, 5000);
    }
    // The IPI that wakes a hart for its job may still be on its way.
    (void)!wait_for(false, 20);
    for (unsigned i = 0; i < harts_online; i++)
        harts[i].taken[INTERRUPT_SOFTWARE] = 0;
}

static bool listeners_stop(void)
{
    listen_stop = true;
    bool all = true;
    for (unsigned i = 1; i < harts_online; i++)
        all &= hart_wait(&harts[i]);
    return all;
}

void ipi_self(void)
{
    struct hart *h = hart_self();
    unsigned long before = h->taken[INTERRUPT_SOFTWARE];
    interrupts_on(SOFT_BIT);
    check_error(sbi_call3(SBI_IPI, 0, 1, h->id, 0), SBI_SUCCESS);
    check(wait_for(h->taken[INTERRUPT_SOFTWARE] != before, 5000), "not taken");
    check_error(sbi_call3(SBI_IPI, 0, 1ul << h->id, 0, 0), SBI_SUCCESS);
    check(wait_for(h->taken[INTERRUPT_SOFTWARE] == before + 2, 5000), "second not taken");
}

// Base -1: every hart, whatever the mask says.
void ipi_all(void)
{
    listeners_start();
    interrupts_on(SOFT_BIT);
    struct sbi_result r = sbi_call3(SBI_IPI, 0, 0, -1ul, 0);
    for (unsigned i = 0; i < harts_online && r.error == 0; i++)
        if (!wait_for(harts[i].taken[INTERRUPT_SOFTWARE], 5000))
            test_fail("hart %lu never got it", harts[i].id);
    check(listeners_stop(), "a hart hangs");
    check_error(r, SBI_SUCCESS);
}

// To each other hart alone: nobody else gets it.
void ipi_mask(void)
{
    skip_if(harts_online < 2, "one hart");
    listeners_start();
    for (unsigned i = 1; i < harts_online; i++) {
        sbi_call3(SBI_IPI, 0, 1, harts[i].id, 0);
        if (!wait_for(harts[i].taken[INTERRUPT_SOFTWARE], 5000))
            test_fail("hart %lu never got it", harts[i].id);
    }
    for (unsigned i = 1; i < harts_online; i++)
        if (harts[i].taken[INTERRUPT_SOFTWARE] != 1)
            test_fail("hart %lu: %lu", harts[i].id, harts[i].taken[INTERRUPT_SOFTWARE]);
    check(listeners_stop(), "a hart hangs");
}

void ipi_none(void)
{
    check_error(sbi_call3(SBI_IPI, 0, 0, 0, 0), SBI_SUCCESS);
    check(!(csr_read(sip) & SOFT_BIT), "an IPI to nobody arrived");
}

void ipi_bad_hart(void)
{
    only_diosix();
    check_error(sbi_call3(SBI_IPI, 0, -1ul, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_IPI, 0, 1ul << harts_count, 0, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_IPI, 0, 3, harts_count - 1, 0), SBI_INVALID_PARAM);
    check(!(csr_read(sip) & SOFT_BIT), "a refused call sent an IPI all the same");
}

void ipi_bad_base(void)
{
    only_diosix();
    check_error(sbi_call3(SBI_IPI, 0, 1, harts_count, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_IPI, 0, 1, 1000, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_IPI, 0, 1, -2ul, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_IPI, 0, 2, -2ul, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_IPI, 0, 4, -2ul, 0), SBI_INVALID_PARAM);
}
