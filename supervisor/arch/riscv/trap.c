// What trap.S calls.
#include <string.h>

#include "cpu.h"
#include "csr.h"
#include "print.h"
#include "sbi.h"

struct frame *trap_answer(enum sv_status status);
struct frame *trap_exception(struct cpu *cpu, uintptr_t cause, uintptr_t address);
_Noreturn void trap_broken(const struct frame *f, uintptr_t cause, uintptr_t address);

extern char image_start[], image_rodata[];

struct frame *trap_answer(enum sv_status status)
{
    struct cpu *cpu = this_cpu();

    if (status != CALL_NO_ANSWER) {
        frame_answer(cpu->frame, status);
        cpu->frame->kind = FRAME_CALL; // unless it's another run's soon
    }
    return cpu_next(cpu);
}

static enum sv_fault fault_of(uintptr_t cause)
{
    static const uint8_t faults[] = {[CAUSE_FETCH_PAGE] = SV_FAULT_EXECUTE,
                                     [CAUSE_FETCH_ACCESS] = SV_FAULT_EXECUTE,
                                     [CAUSE_LOAD_PAGE] = SV_FAULT_READ,
                                     [CAUSE_LOAD_ACCESS] = SV_FAULT_READ,
                                     [CAUSE_STORE_PAGE] = SV_FAULT_WRITE,
                                     [CAUSE_STORE_ACCESS] = SV_FAULT_WRITE,
                                     [CAUSE_BREAKPOINT] = SV_FAULT_BREAKPOINT,
                                     [CAUSE_FETCH_MISALIGNED] = SV_FAULT_MISALIGNED,
                                     [CAUSE_LOAD_MISALIGNED] = SV_FAULT_MISALIGNED,
                                     [CAUSE_STORE_MISALIGNED] = SV_FAULT_MISALIGNED};

    return cause < array_length(faults) && faults[cause] ? (enum sv_fault)faults[cause] : SV_FAULT_INSTRUCTION;
}

struct frame *trap_exception(struct cpu *cpu, uintptr_t cause, uintptr_t address)
{
    uintptr_t pc = csr_read(CSR_SEPC);

    kernel_enter();
    if ((intptr_t)cause < 0)
        cpu_interrupts(csr_read(CSR_SIP) & csr_read(CSR_SIE));
    else
        kernel_fault(fault_of(cause), pc, address);
    return cpu_next(cpu);
}

// --- our own ----------------------------------------------------------------------------------------

// Words on the stack that could be return addresses, the innermost first.
static void backtrace_print(uintptr_t sp)
{
    const struct cpu *cpu = this_cpu();
    unsigned shown = 0;

    if (sp % sizeof(uintptr_t) || sp < cpu->stack - STACK_SIZE || sp >= cpu->stack)
        return;
    for (const uintptr_t *word = (const uintptr_t *)sp; word < (const uintptr_t *)cpu->stack && shown < 16; word++)
        if (*word - (uintptr_t)image_start < (uintptr_t)(image_rodata - image_start)) {
            print_now("  from 0x%lx", (unsigned long)(*word - (uintptr_t)image_start));
            shown++;
        }
}

_Noreturn void trap_broken(const struct frame *f, uintptr_t cause, uintptr_t address)
{
    print_now("supervisor: a fault of the kernel's own on hart %u: cause %lu, address 0x%lx, pc 0x%lx (image + 0x%lx)",
              (unsigned)this_cpu()->index, (unsigned long)cause, (unsigned long)address, (unsigned long)f->x[0],
              (unsigned long)(f->x[0] - (uintptr_t)image_start));
    for (unsigned i = 1; i < 32; i += 4)
        print_now("  x%-2u 0x%lx 0x%lx 0x%lx 0x%lx", i, (unsigned long)f->x[i], (unsigned long)f->x[i + 1],
                  (unsigned long)f->x[i + 2], i + 3 < 32 ? (unsigned long)f->x[i + 3] : 0);
    backtrace_print(f->x[2]);
    sbi_power(false, true);
}
