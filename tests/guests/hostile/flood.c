// Too much of everything, for as long as the capsule lives.
#include "hostile.h"

#define SOFT_BIT (1ul << INTERRUPT_SOFTWARE)
#define TIMER_BIT (1ul << INTERRUPT_TIMER)

extern char start_other[], trap_nowhere[];

void spin(void *argument)
{
    (void)argument;
    interrupts_off();
    for (;;) {
    }
}

void ipi_flood(void *argument)
{
    (void)argument;
    for (;;) {
        sbi_send_ipi(0, -1ul);
        sbi_send_ipi(attack_random(), attack_random() & 3);
        if (attack_random() & 1)
            csr_clear(sip, SOFT_BIT);
    }
}

void fence_flood(void *argument)
{
    (void)argument;
    for (;;) {
        unsigned long function = attack_random() % (RFENCE_COUNT + 1);
        sbi_fence(function, 0, -1ul);
        sbi_fence_range(function, hart_mask(), 0, attack_random(), attack_random());
        sbi_call6(SBI_RFENCE, function, attack_random(), attack_random(), attack_random(), -1ul, attack_random(), 0);
    }
}

void wfi_storm(void *argument)
{
    (void)argument;
    csr_write(sie, SOFT_BIT | TIMER_BIT);
    for (;;) {
        sbi_send_ipi(0, -1ul);
        wfi();
        csr_clear(sip, SOFT_BIT);
        sbi_set_timer(time_now() + attack_random() % 50);
        wfi();
        sbi_set_timer((uint64_t)-1);
    }
}

// Deadlines in the past, taken and set again without end.
void timer_storm(void *argument)
{
    struct hart *h = argument;
    interrupts_on(TIMER_BIT);
    for (;;) {
        sbi_set_timer(attack_random() & 1 ? 0 : time_now() + attack_random() % 20);
        for (int i = 0; i < 100; i++)
            (void)h->taken[INTERRUPT_TIMER];
    }
}

// With interrupts off and nothing awaited, it sleeps until it is destroyed.
void sleep_forever(void *argument)
{
    (void)argument;
    interrupts_off();
    for (;;)
        wfi();
}

// Each hart stops itself; all that are up start all others, at addresses good and bad.
void hsm_storm(void *argument)
{
    (void)argument;
    for (int i = 0;; i++) {
        struct hart *other = &harts[1 + attack_random() % (harts_count - 1)];
        sbi_call3(SBI_HSM, HSM_START, attack_random(), attack_random(), attack_random());
        sbi_call3(SBI_HSM, HSM_STATUS, other->id, 0, 0);
        if (other != hart_self()) {
            other->job_argument = other;
            other->job = hsm_storm;
            fence_all();
            sbi_call3(SBI_HSM, HSM_START, other->id, start_other, other);
        }
        if (i > 20 && attack_random() % 8 == 0)
            sbi_call0(SBI_HSM, HSM_STOP);
        if (attack_random() % 16 == 0) {
            csr_write(sie, SOFT_BIT);
            sbi_send_ipi(0, -1ul);
            sbi_call3(SBI_HSM, HSM_SUSPEND, SUSPEND_NON_RETENTIVE, start_other, hart_self());
        }
    }
}

void console_flood(void *argument)
{
    static const char text[] = "flood flood flood flood\x1b[0m\r\0\xff]";
    struct hart *h = argument;
    for (unsigned i = h->index;; i++) {
        if (i % 3 == 0)
            sbi_console(DBCN_WRITE, sizeof text, (unsigned long)text, 0);
        else if (i % 3 == 1)
            sbi_call3(LEGACY_PUTCHAR, 0, '\n', 0, 0);
        else
            *(volatile uint8_t *)(unsigned long)tree.uart.base = (uint8_t)i;
    }
}

// A trap whose handler cannot be fetched, for ever.
void trap_loop(void *argument)
{
    struct hart *h = argument;
    csr_write(stvec, h->index & 1 ? 0x666000 : -4ul);
    __asm__ volatile(".4byte 0" ::: "memory");
}

void jump_loop(void *argument)
{
    struct hart *h = argument;
    csr_write(stvec, tree.ram_base + tree.ram_size);
    ((void (*)(void))(h->index & 1 ? 0x666000ul : -2ul))();
}

void reboot_now(void)
{
    sbi_reset(RESET_COLD_REBOOT, REASON_NONE);
}
