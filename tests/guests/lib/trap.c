// What a payload does with its traps: count and quieten interrupts, give exceptions to whoever
// expected one, and end with a full report on any other.
#include "hart.h"
#include "print.h"
#include "sbi.h"

extern char guard_trapped[];

static void timer_quieten(struct hart *h)
{
    if (!h->timer_direct) {
        sbi_set_timer((uint64_t)-1);
        return;
    }
    csr_write(0x14d, -1ul);
    if (XLEN == 32)
        csr_write(0x15d, -1ul);
}

static void interrupt_handle(struct hart *h, unsigned number)
{
    switch (number) {
    case INTERRUPT_SOFTWARE:
        csr_clear(sip, 1ul << INTERRUPT_SOFTWARE);
        if (h->on_software)
            h->on_software(h);
        break;
    case INTERRUPT_TIMER:
        h->timer_time = time_now();
        timer_quieten(h);
        break;
    case INTERRUPT_EXTERNAL:
        if (h->on_external)
            h->on_external(h);
        else
            csr_clear(sie, 1ul << INTERRUPT_EXTERNAL);
        break;
    default:
        csr_clear(sie, 1ul << number);
    }
    h->taken[number]++;
}

static void exception_report(struct hart *h, unsigned long cause)
{
    print("FAIL unexpected trap: hart %lu cause %lu tval %lx pc %lx sp %lx ra %lx image %lx\n", h->id, cause,
          csr_read(stval), h->frame[0], h->frame[2], h->frame[1], (unsigned long)image_start);
    sbi_reset(RESET_SHUTDOWN, REASON_FAILURE);
}

void trap_handle(struct hart *h)
{
    unsigned long cause = csr_read(scause);
    if (cause & CAUSE_INTERRUPT) {
        interrupt_handle(h, cause & 15);
        return;
    }
    if (!h->guard_sp)
        exception_report(h, cause);
    h->trap = (struct trap_info){cause, csr_read(stval), h->frame[0]};
    h->frame[0] = (unsigned long)guard_trapped;
    h->frame[2] = h->guard_sp;
    h->frame[4] = (unsigned long)h;
    h->guard_sp = 0;
    csr_set(sstatus, SSTATUS_SPP);
}

void interrupts_on(unsigned long sources)
{
    csr_set(sie, sources);
    csr_set(sstatus, SSTATUS_SIE);
}

void interrupts_off(void)
{
    csr_clear(sstatus, SSTATUS_SIE);
    csr_write(sie, 0);
}

struct guard_access {
    volatile void *address;
    unsigned bytes;
    uint64_t value;
};

static void access_load(void *argument)
{
    struct guard_access *a = argument;
    switch (a->bytes) {
    case 1:
        a->value = *(volatile uint8_t *)a->address;
        break;
    case 2:
        a->value = *(volatile uint16_t *)a->address;
        break;
    case 4:
        a->value = *(volatile uint32_t *)a->address;
        break;
    default:
        a->value = *(volatile unsigned long *)a->address;
    }
}

static void access_store(void *argument)
{
    struct guard_access *a = argument;
    switch (a->bytes) {
    case 1:
        *(volatile uint8_t *)a->address = a->value;
        break;
    case 2:
        *(volatile uint16_t *)a->address = a->value;
        break;
    case 4:
        *(volatile uint32_t *)a->address = a->value;
        break;
    default:
        *(volatile unsigned long *)a->address = a->value;
    }
}

bool guard_load(const volatile void *address, unsigned bytes, uint64_t *value)
{
    struct guard_access a = {(volatile void *)address, bytes, 0};
    bool trapped = guard_call(access_load, &a);
    *value = a.value;
    return trapped;
}

bool guard_store(volatile void *address, unsigned bytes, uint64_t value)
{
    struct guard_access a = {address, bytes, value};
    return guard_call(access_store, &a);
}
