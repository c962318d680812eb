// Starts itself anew for everything that a program may do wrong, and sees how each ends; and that it costs nobody else
// anything: our budget is whole again afterwards.
#include <stdlib.h>
#include <string.h>

#include "../check.h"

// The compiler is not to see what comes.
static volatile uintptr_t nowhere = 64, kernel = (uintptr_t)-4096, one = 1;

static void deep(void)
{
    volatile char here[256];
    here[0] = 0;
    if (one)
        deep();
    here[1] = here[0];
}

static void read_nowhere(void)
{
    (void)*(volatile int *)nowhere;
}

static void read_kernel(void)
{
    (void)*(volatile int *)kernel;
}

static void write_kernel(void)
{
    *(volatile int *)kernel = 1;
}

static void write_code(void)
{
    *(volatile int *)(uintptr_t)write_code = 1;
}

static void write_start_page(void)
{
    *(volatile uint32_t *)(uintptr_t)&sv_started->version = 1;
}

static void execute_stack(void)
{
    uint32_t code[4] = {0x00008067, 0x00008067, 0x00008067, 0x00008067};
    ((void (*)(void))(uintptr_t)code)();
}

static void execute_nowhere(void)
{
    ((void (*)(void))nowhere)();
}

static void illegal(void)
{
    __asm__ volatile(".half 0, 0");
}

static void breakpoint(void)
{
    __asm__ volatile("ebreak");
}

static void privileged(void)
{
    __asm__ volatile(".word 0x18001073"); // csrw satp, zero
}

static void fence(void)
{
    __asm__ volatile(".word 0x12000073"); // sfence.vma
}

static void wait_for_interrupt(void)
{
    __asm__ volatile("wfi");
    for (;;)
        ;
}

static void float_used(void)
{
    __asm__ volatile(".word 0xd0007053"); // fcvt.s.w ft0, zero
}

static void spin(void)
{
    while (one)
        ;
}

static void unknown_call(void)
{
    register sv_word status __asm__("a0"), number __asm__("a1") = 12345;
    __asm__ volatile("ecall"
                     : "=r"(status), "+r"(number)
                     :
                     : "memory", "ra", "a2", "a3", "a4", "a5", "a6", "a7", "t0", "t1", "t2", "t3", "t4", "t5", "t6");
    sv_exit(status ? 7 : 8);
}

static void spoilt_stack_pointer(void)
{
    __asm__ volatile("mv sp, zero; ecall; lw a0, 0(sp)");
}

static void ended_well(void) {}

static const struct {
    const char *name;
    void (*run)(void);
    enum sv_end end;
    sv_word detail; // status or enum sv_fault; 0 of a fault: any
} faults[] = {
    {"read nowhere", read_nowhere, SV_END_FAULT, SV_FAULT_READ},
    {"read the kernel", read_kernel, SV_END_FAULT, SV_FAULT_READ},
    {"write the kernel", write_kernel, SV_END_FAULT, SV_FAULT_WRITE},
    {"write code", write_code, SV_END_FAULT, SV_FAULT_WRITE},
    {"write the start page", write_start_page, SV_END_FAULT, SV_FAULT_WRITE},
    {"execute the stack", execute_stack, SV_END_FAULT, SV_FAULT_EXECUTE},
    {"execute nowhere", execute_nowhere, SV_END_FAULT, SV_FAULT_EXECUTE},
    {"an illegal instruction", illegal, SV_END_FAULT, SV_FAULT_INSTRUCTION},
    {"a breakpoint", breakpoint, SV_END_FAULT, SV_FAULT_BREAKPOINT},
    {"a privileged register", privileged, SV_END_FAULT, SV_FAULT_INSTRUCTION},
    {"a privileged fence", fence, SV_END_FAULT, SV_FAULT_INSTRUCTION},
    {"floating point", float_used, SV_END_FAULT, SV_FAULT_INSTRUCTION},
    {"wait for interrupts", wait_for_interrupt, SV_END_FAULT, SV_FAULT_INSTRUCTION},
    {"the end of the stack", deep, SV_END_FAULT, SV_FAULT_STACK},
    {"no end", spin, SV_END_OVERRUN, 0},
    {"an unknown call", unknown_call, SV_END_STATUS, 7},
    {"a stack pointer of 0", spoilt_stack_pointer, SV_END_FAULT, 0},
    {"nothing wrong", ended_well, SV_END_STATUS, 0},
};
#define FAULTS (sizeof(faults) / sizeof(*faults))

static bool end_is(unsigned i, const sv_word words[SV_MESSAGE_WORDS])
{
    if (words[0] != (sv_word)faults[i].end)
        return false;
    return words[1] == faults[i].detail || (words[0] == SV_END_FAULT && !faults[i].detail) ||
           words[0] == SV_END_OVERRUN;
}

static void fault_try(unsigned i)
{
    struct sv_happening h;
    struct sv_handle task;
    struct sv_start start;
    char argument[8], how[80];

    snprintf(argument, sizeof(argument), "%u", i);
    sv_start_prepare(&start, 64, argument);
    start.budget = 100000000; // 100 ms
    check_status(sv_start(sv_granted("image"), &start, &task, NULL), SV_OK, "a start");
    check_status(sv_wait(task, &h), SV_OK, "wait for its end");
    check(h.event == SV_EVENT_END && end_is(i, h.word), faults[i].name);
    if (h.event == SV_EVENT_END && !end_is(i, h.word)) {
        sv_end_text(how, h.word);
        printf("     it %s\n", how);
    }
    sv_drop(task);
}

static void wait_and_see(void *nothing)
{
    (void)nothing;
    size_t before = frames_left();
    for (unsigned i = 0; i < FAULTS; i++)
        fault_try(i);
    check_frames(before, "the budget is whole again");
    sv_exit((sv_word)check_result());
}

// The faults happen on the kernel's stack for the run, so that its end is known.
void program(void)
{
    const char *argument = sv_started->arguments;
    unsigned number = 0;
    if (!*argument) {
        sv_go(wait_and_see, NULL);
        return;
    }
    for (; *argument >= '0' && *argument <= '9'; argument++)
        number = number * 10 + (unsigned)(*argument - '0');
    if (number < FAULTS)
        faults[number].run();
}
