// Harts: starting them, time, waking each other, waiting; and what each of them runs.
#include "cpu.h"

#include "board.h"
#include "csr.h"
#include "sbi.h"
#include "tables.h"

char stacks[HARTS_MAX][STACK_GUARD + STACK_SIZE + STACK_EMERGENCY] __attribute__((aligned(4096)));
struct cpu cpus[HARTS_MAX];
unsigned cpu_count;
uint32_t cpu_all;

static bool has_sstc;
static uint64_t poll_every;

extern char start_other[];

// --- time -------------------------------------------------------------------------------------------

uint64_t arch_time(void)
{
#if __riscv_xlen == 64
    return csr_read(CSR_TIME);
#else
    uint32_t high, low;
    do {
        high = csr_read(CSR_TIMEH);
        low = csr_read(CSR_TIME);
    } while (csr_read(CSR_TIMEH) != high);
    return (uint64_t)high << 32 | low;
#endif
}

static void timer_set(uint64_t time)
{
    if (!has_sstc) {
        (void)sbi(SBI_TIME, 0, (uintptr_t)time, high_word(time));
        return;
    }
#if __riscv_xlen == 64
    csr_write(CSR_STIMECMP, time);
#else
    csr_write(CSR_STIMECMP, UINT32_MAX); // never too early in between
    csr_write(CSR_STIMECMPH, time >> 32);
    csr_write(CSR_STIMECMP, time);
#endif
}

void arch_alarm(uint64_t time)
{
    struct cpu *cpu = this_cpu();

    cpu->alarm = time;
    timer_set(time < cpu->poll ? time : cpu->poll);
}

// Nobody interrupts for the console then; one hart asks.
static void poll_input(struct cpu *cpu, uint64_t now)
{
    static char bytes[64];
    unsigned size = sbi_console_read(bytes, sizeof(bytes));

    cpu->poll = now + poll_every;
    if (size)
        kernel_input(bytes, size);
}

static void timer_expired(struct cpu *cpu)
{
    uint64_t now = arch_time();

    if (now >= cpu->poll)
        poll_input(cpu, now);
    bool is_alarm = now >= cpu->alarm;
    if (is_alarm)
        cpu->alarm = UINT64_MAX;
    timer_set(cpu->alarm < cpu->poll ? cpu->alarm : cpu->poll);
    if (is_alarm)
        kernel_alarm();
}

// --- each other -------------------------------------------------------------------------------------

void arch_kick(unsigned hart)
{
    (void)sbi(SBI_IPI, 0, 1, cpus[hart].id);
}

void cpu_interrupts(uintptr_t pending)
{
    if (pending >> INTERRUPT_SOFT & 1)
        csr_clear(CSR_SIP, 1 << INTERRUPT_SOFT);
    if (pending >> INTERRUPT_TIMER & 1)
        timer_expired(this_cpu());
    if (pending >> INTERRUPT_EXTERNAL & 1)
        board_interrupt();
}

// --- running ----------------------------------------------------------------------------------------

void cpus_set_timer(bool sstc)
{
    has_sstc = sstc;
}

void cpu_poll_console(uint64_t ticks)
{
    poll_every = ticks;
    this_cpu()->poll = arch_time() + ticks;
}

void cpu_prepare(unsigned index, uintptr_t id)
{
    struct cpu *cpu = &cpus[index];
    uintptr_t stack = (uintptr_t)stacks[index] + STACK_GUARD + STACK_SIZE;

    *cpu = (struct cpu){.stack = stack,
                        .emergency = stack + STACK_EMERGENCY,
                        .hart = kernel_hart(index),
                        .index = index,
                        .bit = 1u << index,
                        .id = id};
    cpu->alarm = cpu->poll = UINT64_MAX;
    cpu->era = UINT32_MAX; // no space is of it
}

void cpus_start(void)
{
    for (unsigned i = 1; i < cpu_count; i++) {
        cpus[i].satp = kernel_satp();
        uint64_t entry = physical_address(start_other), self = physical_address(&cpus[i]);
        struct sbi_result r = sbi(SBI_HSM, 0, cpus[i].id, (uintptr_t)entry, (uintptr_t)self);
        if (r.error)
            log_error("hart %lu does not start: SBI error %ld", (unsigned long)cpus[i].id, (long)r.error);
    }
}

// What is pending wakes it although interrupts are off.
struct frame *cpu_find(struct cpu *cpu)
{
    struct task *t;

    while (!(t = kernel_next())) {
        space_load(cpu, NULL);
        kernel_leave();
        __asm__ volatile("wfi" ::: "memory");
        kernel_enter();
        cpu_interrupts(csr_read(CSR_SIP) & csr_read(CSR_SIE));
    }
    if (cpu->space != &t->space || cpu->era != t->space.era)
        space_load(cpu, &t->space);
    t->frame.cpu = cpu;
    cpu->frame = &t->frame;
    kernel_leave();
    return cpu->frame;
}

_Noreturn void cpu_run(void)
{
    struct cpu *cpu = this_cpu();
    extern _Noreturn void trap_leave(struct frame * f);

    timer_set(cpu->alarm < cpu->poll ? cpu->alarm : cpu->poll);
    csr_write(CSR_SIE, 1 << INTERRUPT_SOFT | 1 << INTERRUPT_TIMER | 1 << INTERRUPT_EXTERNAL);
    kernel_enter();
    trap_leave(cpu_next(cpu));
}
