// Exits: what brought a hart from its guest to us, and what to do about it.
#include "block.h"
#include "console.h"
#include "devices.h"
#include "emulate.h"
#include "io.h"
#include "plic.h"
#include "power.h"
#include "sbi.h"
#include "trace.h"
#include "uplink.h"
#include "vcore.h"

static inline void timer_set(struct hart *h, uint64_t when)
{
    if (when != h->armed) {
        h->armed = when;
        mmio_write64(h->mtimecmp, when);
    }
}

// With what there mostly is not: a console that wants to be asked, a guest whose timer is the hart's.
static __attribute__((noinline)) void arm_also(struct hart *h, uint64_t when)
{
    // A hart that is somebody's own has no ticks for others: see capsule_output_made().
    uint64_t console = unlikely(sched_is_exclusive(h)) ? TIME_NEVER : console_deadline();

    if (console < when)
        when = console;
    if (!isolation_features.sstc && h->current && vcore_of(h->current)->timer < when)
        when = vcore_of(h->current)->timer;
    timer_set(h, when);
}

void hart_arm(struct hart *h)
{
    if (console_has_deadline() || unlikely(!isolation_features.sstc))
        arm_also(h, sched_deadline(h));
    else
        timer_set(h, sched_deadline(h));
}

static _Atomic uint32_t console_events_users; // harts that may hold a stream taken from the console

// Streams that got input or room: their UARTs, or a console service, want to know.
static void console_events_pass_on(void)
{
    struct stream *s;

    atomic_fetch_add(&console_events_users, 1);
    while ((s = console_next_event()) != NULL)
        if (console_is_terminal(s))
            terminal_bell(true);
        else
            capsule_stream_event(container_of(s, struct capsule, stream));
    atomic_fetch_sub(&console_events_users, 1);
}

void console_events_settle(void)
{
    while (atomic_load(&console_events_users)) {
    }
}

static enum exit switch_if_due(struct hart *h, uint64_t now)
{
    if (h->current == NULL)
        return EXIT_RESUME;
    if (sched_should_switch(h, now))
        return EXIT_RESCHEDULE;
    // A WFI costs no exit while nobody wants a hart.
    world_trap_wait(!sched_relax(h));
    return EXIT_RESUME;
}

static __attribute__((noinline)) enum exit timer_interrupt(struct hart *h)
{
    struct vcore *v = h->current ? vcore_of(h->current) : NULL;
    enum exit exit = EXIT_RESUME;
    uint64_t now = hart_time();

    if (!isolation_features.sstc && v && v->timer <= now) {
        v->timer = TIME_NEVER;
        world_raise(1UL << INTERRUPT_S_TIMER);
    }
    if (unlikely(console_deadline() <= now)) {
        console_poll(now);
        console_events_pass_on();
    }
    if (sched_deadline(h) <= now) {
        sched_expire(h, now);
        exit = switch_if_due(h, now);
    }
    if (exit == EXIT_RESUME)
        hart_arm(h); // else who runs next does
    return exit;
}

static enum exit external_interrupt(struct hart *h)
{
    uint32_t irq = plic_claim(h->plic_context);

    if (irq) {
        h->interrupted = h->current;
        if (!uplink_interrupt(irq) && (likely(!block_count) || !block_interrupt(irq)))
            console_interrupt(); // else it is the one source we enable
        h->interrupted = NULL;
        plic_complete(h->plic_context, irq);
        console_events_pass_on();
        hart_arm(h);
    }
    struct vcore *v = h->current ? vcore_of(h->current) : NULL;
    if (v && atomic_load_explicit(&v->capsule->work_here, memory_order_relaxed))
        return slots_work_here(v);
    return EXIT_RESUME;
}

static enum exit software_interrupt(struct hart *h)
{
    mmio_write32(h->msip, 0);
    mmio_settle(); // who raises it again has done so after this, or is seen below
    unsigned long requests = atomic_exchange(&h->requests, 0);

    if (atomic_load(&h->fence_from))
        hart_fences_serve(h);
    if (unlikely(requests & (REQUEST_STOP | REQUEST_PROTECT | REQUEST_TRACE))) {
        if (requests & REQUEST_STOP)
            hart_park();
        if (requests & REQUEST_PROTECT)
            isolation_protect(h);
        if (h->current && (requests & REQUEST_TRACE))
            trace_enter(vcore_of(h->current));
    }
    if (h->current && (requests & REQUEST_SYNC))
        vcore_sync(vcore_of(h->current));
    if (!(requests & REQUEST_RESCHEDULE))
        return EXIT_RESUME;
    if (h->current && atomic_load(&vcore_of(h->current)->capsule->halt))
        return EXIT_RESCHEDULE; // and whoever enters it next sees why
    enum exit exit = switch_if_due(h, hart_time());
    if (exit == EXIT_RESUME)
        hart_arm(h);
    return exit;
}

enum exit hart_interrupts(struct hart *h, unsigned long pending)
{
    enum exit exit = EXIT_RESUME, one;

    if (pending & (1UL << INTERRUPT_M_EXTERNAL))
        exit = external_interrupt(h);
    if (pending & (1UL << INTERRUPT_M_SOFT))
        if ((one = software_interrupt(h)) != EXIT_RESUME)
            exit = one;
    if (pending & (1UL << INTERRUPT_M_TIMER))
        if ((one = timer_interrupt(h)) != EXIT_RESUME)
            exit = one;
    return exit;
}

// Causes by which accesses to devices come.
#define MMIO_CAUSES                                                                                                    \
    (1UL << CAUSE_LOAD_GUEST_PAGE | 1UL << CAUSE_STORE_GUEST_PAGE | 1UL << CAUSE_LOAD_ACCESS |                         \
     1UL << CAUSE_STORE_ACCESS)

// A sleep comes as the one, or without H as the other: nothing needs decoding if mtval says what it is.
static bool is_wait(unsigned long cause)
{
    return (cause == CAUSE_VIRTUAL_INSTRUCTION || cause == CAUSE_ILLEGAL) && csr_read(CSR_MTVAL) == INSN_WFI &&
           (csr_read(CSR_MSTATUS) & STATUS_MPP);
}

// Apart from exit_fast(), which needs no stack frame then.
static __attribute__((noinline)) enum exit exit_other(struct context *c, unsigned long cause)
{
    if (cause & CAUSE_INTERRUPT) {
        vcore_of(c)->exits[KIND_INTERRUPT]++;
        if (likely(cause == (CAUSE_INTERRUPT | INTERRUPT_M_TIMER)))
            return timer_interrupt(c->hart);
        return hart_interrupts(c->hart, 1UL << (cause & (XLEN - 1)));
    }
    if (cause < XLEN && (MMIO_CAUSES >> cause & 1))
        return mmio_fault(vcore_of(c), cause, SAVED_FAST);
    if (is_wait(cause)) {
        vcore_of(c)->exits[KIND_WAIT]++;
        csr_write(CSR_MEPC, csr_read(CSR_MEPC) + 4);
        return EXIT_WAIT;
    }
    return EXIT_SLOW;
}

enum exit exit_fast(struct context *c, unsigned long cause)
{
    if (cause == CAUSE_ECALL_VS || cause == CAUSE_ECALL_S)
        return sbi_call(vcore_of(c));
    return exit_other(c, cause);
}

static enum exit fault_for_good(struct vcore *v, unsigned long cause)
{
    struct capsule *c = v->capsule;

    if (vcore_end(v, ENDING_FAULT)) {
        c->ending_detail[0] = cause;
        c->ending_detail[1] = csr_read(CSR_MTVAL);
        c->ending_detail[2] = v->context.pc;
    }
    return EXIT_END;
}

enum exit guest_exit(struct vcore *v)
{
    unsigned long cause = csr_read(CSR_MCAUSE);

    switch (cause) {
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
    case CAUSE_FETCH_GUEST_PAGE:
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_ACCESS:
    case CAUSE_FETCH_ACCESS:
        return mmio_fault(v, cause, SAVED_ALL);
    case CAUSE_ILLEGAL:
    case CAUSE_VIRTUAL_INSTRUCTION:
        return emulate_instruction(v);
    case CAUSE_LOAD_MISALIGNED:
    case CAUSE_STORE_MISALIGNED:
        return emulate_misaligned(v, cause);
    default:
        return fault_for_good(v, cause);
    }
}
