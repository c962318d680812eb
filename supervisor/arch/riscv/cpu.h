// What the architecture keeps of each hart. In the kernel, tp points to the hart's own.
#pragma once

#include <stddef.h>

#include "arch.h"
#include "csr.h"
#include "hart.h"
#include "task.h"

struct cpu {
    uintptr_t stack;     // top of its kernel stack
    uintptr_t emergency; // and of the one for faults of the kernel itself
    uintptr_t satp;      // that it starts with
    uintptr_t fixup;     // where to go on when an instruction that may fault does; 0: it may not
    uintptr_t saved;     // a register, while a fault of the kernel is dealt with
    struct frame *frame; // of the run that it is in
    struct hart *hart;   // the kernel's
    struct space *space; // that is loaded; NULL: the kernel's own
    bool in_limbo;       // it has a root table loaded whose space is no more
    uint32_t era;        // of the address-space identifiers in its translations
    uint32_t index, bit; // 1 << index
    uintptr_t id;        // as SBI knows it
    uint64_t alarm, poll;
};

_Static_assert(offsetof(struct cpu, emergency) == CPU_EMERGENCY && offsetof(struct cpu, satp) == CPU_SATP &&
                   offsetof(struct cpu, fixup) == CPU_FIXUP && offsetof(struct cpu, saved) == CPU_SAVED &&
                   offsetof(struct cpu, frame) == CPU_FRAME && offsetof(struct cpu, hart) == CPU_HART,
               "see xlen.h");

extern struct cpu cpus[HARTS_MAX];
extern unsigned cpu_count;
extern uint32_t cpu_all; // a bit for each

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__("mv %0, tp" : "=r"(cpu));
    return cpu;
}

// Which timer is used: Sstc's or SBI's.
void cpus_set_timer(bool sstc);

// This hart asks the console for input, each time so many ticks have gone.
void cpu_poll_console(uint64_t ticks);

// Interrupts of this hart that are pending, as the kernel's (with its lock) are told. 'pending' is of sip.
void cpu_interrupts(uintptr_t pending);

// Its number and SBI's, before it runs.
void cpu_prepare(unsigned index, uintptr_t id);

// Starts all harts but this one; those that don't start are said and left out: they come to cpu_run() by themselves.
void cpus_start(void);

// What every hart does for ever: whatever kernel_next() says. Not with the lock held.
_Noreturn void cpu_run(void);

// Loads it on this hart, without what may be stale; NULL: the kernel's own. One that is loaded and of this hart's
// era has nothing stale: who changes it fences harts that have it loaded, and its identifier is good there until they
// load another, even if a new era has begun elsewhere.
void space_load(struct cpu *cpu, struct space *s);

// What it runs next, loaded; the lock is released. Waits for something to do.
struct frame *cpu_find(struct cpu *cpu);

// The same, where it mostly is there, and its page table needs no fence.
static inline struct frame *cpu_next(struct cpu *cpu)
{
    struct hart *h = cpu->hart;
    struct task *t = h->current;

    if (unlikely(!hart_is_set(h)))
        return cpu_find(cpu);
    struct space *s = &t->space;
    if (unlikely(cpu->era != s->era))
        return cpu_find(cpu);
    if (cpu->space != s) {
        if (unlikely((s->stale | s->code) & cpu->bit || cpu->in_limbo))
            return cpu_find(cpu);
        csr_write(CSR_SATP, s->satp);
        cpu->space = s;
        t->frame.cpu = cpu;
        cpu->frame = &t->frame;
    }
    h->attention = 0;
    kernel_leave();
    return &t->frame;
}
