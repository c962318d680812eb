#include "suite.h"

#define SOURCE tree.uart.interrupt
#define pending() ((*plic(0x1000) >> SOURCE & 1) != 0)
#define asserted() ((csr_read(sip) & EXTERNAL_BIT) != 0)

void plic_priority(void)
{
    check(*plic(0) == 0, "source 0 has priority %lx", (unsigned long)*plic(0));
    for (unsigned source = 1; source <= tree.plic_sources && source < 64; source++) {
        uint32_t kept = *plic(4 * source);
        for (uint32_t level = 0; level < 8; level++) {
            *plic(4 * source) = level;
            check(*plic(4 * source) == level, "source %u level %lu: %lx", source, (unsigned long)level,
                  (unsigned long)*plic(4 * source));
        }
        *plic(4 * source) = kept;
    }
    *plic(4 * SOURCE) = 0xffffffff;
    check(*plic(4 * SOURCE) <= 7, "level %lx", (unsigned long)*plic(4 * SOURCE));
    *plic(4 * SOURCE) = 0;
}

void plic_enables(void)
{
    for (unsigned i = 0; i < harts_online; i++) {
        *plic_enable(&harts[i]) = 1u << SOURCE;
        check((*plic_enable(&harts[i]) & ~1u) == 1u << SOURCE, "hart %lu: %lx", harts[i].id,
              (unsigned long)*plic_enable(&harts[i]));
        for (unsigned k = 0; k < harts_online; k++)
            check(k == i || *plic_enable(&harts[k]) == 0, "hart %lu sees another's", harts[k].id);
        *plic_enable(&harts[i]) = 0;
        check(*plic_enable(&harts[i]) == 0, "not cleared");
    }
}

void plic_thresholds(void)
{
    for (unsigned i = 0; i < harts_online; i++)
        for (uint32_t level = 0; level < 8; level++) {
            *plic_threshold(&harts[i]) = level;
            check(*plic_threshold(&harts[i]) == level, "hart %lu", harts[i].id);
        }
    for (unsigned i = 0; i < harts_online; i++)
        *plic_threshold(&harts[i]) = 0;
}

void plic_nothing(void)
{
    struct hart *h = hart_self();
    check(*plic_claim(h) == 0, "claimed something");
    *plic_claim(h) = SOURCE; // a completion nobody asked for
    *plic_claim(h) = 0;
    *plic_claim(h) = 0xffffffff;
    check(*plic_claim(h) == 0 && !asserted(), "completing nothing did something");
}

static void route(struct hart *h, bool on)
{
    *plic(4 * SOURCE) = on ? 1 : 0;
    *plic_threshold(h) = 0;
    *plic_enable(h) = on ? 1u << SOURCE : 0;
}

static const char *flow(void)
{
    struct hart *h = hart_self();
    uart_lower();
    route(h, true);
    // A request that the gateway has passed on stays, though its line is low again.
    for (uint32_t old; (old = *plic_claim(h));)
        *plic_claim(h) = old;
    if (asserted())
        return "asserted before anything happened";
    uart_raise();
    if (!wait_for(pending() && asserted(), 1000))
        return "not pending, or not asserted";
    if (*plic_claim(h) != SOURCE)
        return "other source claimed";
    if (pending() || asserted())
        return "still pending after the claim";
    if (*plic_claim(h) != 0)
        return "claimed twice";
    // QEMU's own model looks at the line's edges only.
    *plic_claim(h) = SOURCE;
    if (sbi_is_diosix() && (!wait_for(asserted(), 1000) || *plic_claim(h) != SOURCE))
        return "line still high at completion: not pending again";
    uart_lower();
    *plic_claim(h) = SOURCE;
    if (asserted() || pending())
        return "pending with the line low";
    return NULL;
}

void plic_flow(void)
{
    with_uart(flow);
    route(hart_self(), false);
}

static const char *masks(void)
{
    struct hart *h = hart_self();
    route(h, true);
    uart_raise();
    if (!wait_for(asserted(), 1000))
        return "not asserted";
    *plic_threshold(h) = 1;
    if (asserted())
        return "asserted at the threshold";
    *plic(4 * SOURCE) = 2;
    if (!wait_for(asserted(), 1000))
        return "not asserted above the threshold";
    *plic_threshold(h) = 0;
    *plic(4 * SOURCE) = 0;
    if (asserted())
        return "asserted with priority 0";
    *plic(4 * SOURCE) = 1;
    *plic_enable(h) = 0;
    if (sbi_is_diosix() && asserted()) // QEMU looks at it again with the next change only
        return "asserted though not enabled";
    *plic_enable(h) = 1u << SOURCE;
    if (!wait_for(asserted(), 1000))
        return "not asserted again";
    uint32_t source = *plic_claim(h);
    uart_lower();
    *plic_claim(h) = source;
    return NULL;
}

void plic_masks(void)
{
    with_uart(masks);
    route(hart_self(), false);
}

static volatile uint32_t claimed;

static void take_external(struct hart *h)
{
    claimed = *plic_claim(h);
    uart_lower();
    *plic_claim(h) = claimed;
}

static const char *interrupt_here(void)
{
    struct hart *h = hart_self();
    for (int i = 1; i <= 50; i++) {
        unsigned long before = h->taken[INTERRUPT_EXTERNAL];
        claimed = 0;
        uart_raise();
        if (!wait_for(h->taken[INTERRUPT_EXTERNAL] != before, 1000))
            return "not taken";
        if (claimed != SOURCE)
            return "other source";
    }
    return NULL;
}

void plic_interrupt(void)
{
    struct hart *h = hart_self();
    h->on_external = take_external;
    route(h, true);
    interrupts_on(EXTERNAL_BIT);
    with_uart(interrupt_here);
    interrupts_off();
    route(h, false);
}

static volatile bool listen_stop;

static void listen(void *argument)
{
    struct hart *h = argument;
    h->on_external = take_external;
    interrupts_on(EXTERNAL_BIT | 1ul << INTERRUPT_SOFTWARE);
    while (!listen_stop)
        sleep_unless(listen_stop);
    interrupts_off();
}

static const char *interrupt_there(void)
{
    struct hart *h = &harts[1];
    for (int i = 0; i < 20; i++) {
        unsigned long before = h->taken[INTERRUPT_EXTERNAL];
        uart_raise();
        if (!wait_for(h->taken[INTERRUPT_EXTERNAL] != before, 5000))
            return "not taken";
        if (asserted())
            return "asserted on the wrong hart";
    }
    return NULL;
}

// Routed to another hart, which sleeps.
void plic_remote(void)
{
    skip_if(harts_online < 2, "one hart");
    listen_stop = false;
    route(&harts[1], true);
    hart_run(&harts[1], listen, &harts[1]);
    with_uart(interrupt_there);
    listen_stop = true;
    sbi_send_ipi(1, harts[1].id);
    check(hart_wait(&harts[1]), "hangs");
    route(&harts[1], false);
}

// A completion for a source that is not enabled there is ignored.
static const char *complete_foreign(void)
{
    struct hart *h = hart_self();
    route(h, true);
    uart_raise();
    if (!wait_for(asserted(), 1000) || *plic_claim(h) != SOURCE)
        return "not claimed";
    *plic_enable(h) = 0;
    *plic_claim(h) = SOURCE;
    *plic_enable(h) = 1u << SOURCE;
    bool again = asserted();
    *plic_claim(h) = SOURCE;
    if (again)
        return "completion accepted";
    uint32_t source = *plic_claim(h);
    uart_lower();
    if (source)
        *plic_claim(h) = source;
    return NULL;
}

void plic_complete_foreign(void)
{
    only_diosix();
    with_uart(complete_foreign);
    route(hart_self(), false);
}
