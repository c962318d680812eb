// The legacy calls, which only answer in a0 and take their hart masks by virtual address.
#include "suite.h"

#include "page.h"

#define SOFT_BIT (1ul << INTERRUPT_SOFTWARE)
#define TIMER_BIT (1ul << INTERRUPT_TIMER)

void legacy_timer(void)
{
    struct hart *h = hart_self();
    unsigned long before = h->taken[INTERRUPT_TIMER];
    uint64_t deadline = time_now() + ticks(1000);
    sbi_call3(LEGACY_SET_TIMER, 0, deadline, XLEN == 32 ? deadline >> 32 : 0, 0);
    interrupts_on(TIMER_BIT);
    check(wait_for(h->taken[INTERRUPT_TIMER] != before, 5000), "not taken");
    check(h->timer_time >= deadline, "early");
}

void legacy_ipi(void)
{
    unsigned long mask = 1ul << hart_self()->id;
    struct sbi_result r = sbi_call3(LEGACY_SEND_IPI, 0, &mask, 0, 0);
    check(r.error == 0, "error %ld", r.error);
    check(wait_for(csr_read(sip) & SOFT_BIT, 5000), "not pending");
    sbi_call0(LEGACY_CLEAR_IPI, 0);
    check(!(csr_read(sip) & SOFT_BIT), "still pending");
    r = sbi_call3(LEGACY_SEND_IPI, 0, 0, 0, 0);
    check(r.error == 0, "no mask: error %ld", r.error);
    check(wait_for(csr_read(sip) & SOFT_BIT, 5000), "no mask: not pending");
}

void legacy_fences(void)
{
    unsigned long mask = hart_mask();
    check(sbi_call3(LEGACY_FENCE_I, 0, &mask, 0, 0).error == 0, "fence.i");
    check(sbi_call3(LEGACY_FENCE_I, 0, 0, 0, 0).error == 0, "fence.i, all");
    check(sbi_call3(LEGACY_SFENCE_VMA, 0, &mask, 0, 0x1000).error == 0, "sfence.vma");
    check(sbi_call6(LEGACY_SFENCE_VMA_ASID, 0, &mask, 0, 0x1000, 1, 0, 0).error == 0, "sfence.vma asid");
}

void legacy_console(void)
{
    for (const char *p = "legacy: putchar\n"; *p; p++)
        check(sbi_call3(LEGACY_PUTCHAR, 0, *p, 0, 0).error == 0, "putchar");
    long got = sbi_call0(LEGACY_GETCHAR, 0).error;
    check(got >= -1 && got <= 255, "getchar: %ld", got);
}

// The mask lies where only the guest's own page tables lead.
void legacy_mask_virtual(void)
{
    static unsigned long page[4096 / sizeof(long)] __attribute__((aligned(4096)));
    page[1] = 1ul << hart_self()->id;
    page_tables_init();
    page_map(PAGE_WINDOW, (unsigned long)page, PAGE_READ);
    if (!paging_on(PAGING_DEFAULT)) {
        test_skip("no paging");
        return;
    }
    struct sbi_result r = sbi_call3(LEGACY_SEND_IPI, 0, PAGE_WINDOW + sizeof(long), 0, 0);
    bool pending = wait_for(csr_read(sip) & SOFT_BIT, 1000);
    paging_off();
    check(r.error == 0 && pending, "error %ld, pending %d", r.error, pending);
}

static void wild_mask(void *argument)
{
    *(long *)argument = sbi_call3(LEGACY_SEND_IPI, 0, PAGE_WINDOW + 0x10000, 0, 0).error;
}

// A mask on no page: an error or the guest's own load fault, nothing worse.
void legacy_mask_fault(void)
{
    page_tables_init();
    page_unmap(PAGE_WINDOW + 0x10000);
    if (!paging_on(PAGING_DEFAULT)) {
        test_skip("no paging");
        return;
    }
    long error = 0;
    bool trapped = guard_call(wild_mask, &error);
    paging_off();
    unsigned long cause = hart_self()->trap.cause;
    unsigned long epc = hart_self()->trap.epc;
    if (trapped)
        check((cause == CAUSE_LOAD_PAGE || cause == CAUSE_LOAD_ACCESS) && *(uint16_t *)epc == 0x73, "cause %lu at %lx",
              cause, epc);
    else
        check(error != 0, "accepted");
}
