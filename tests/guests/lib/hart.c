#include "hart.h"

#include "asm.h"
#include "sbi.h"
#include "tree.h"

_Static_assert(offsetof(struct hart, frame) == HART_FRAME, "asm.h");
_Static_assert(offsetof(struct hart, guard_sp) == HART_GUARD_SP, "asm.h");
_Static_assert(offsetof(struct hart, trap_stack) == HART_TRAP_STACK, "asm.h");
_Static_assert(offsetof(struct hart, call_in) == HART_CALL_IN, "asm.h");
_Static_assert(offsetof(struct hart, call_out) == HART_CALL_OUT, "asm.h");
_Static_assert(offsetof(struct hart, call_sp) == HART_CALL_SP, "asm.h");

// For start.S: how far the tops of the two stacks are into struct hart.
const uint32_t hart_stack_offset[2] = {
    offsetof(struct hart, stack) + HART_STACK_SIZE,
    offsetof(struct hart, handler_stack) + HART_STACK_SIZE,
};

unsigned long entered_at;
struct hart harts[HARTS_MAX];
unsigned harts_count;
unsigned harts_online = 1;
uint32_t timebase = 10000000;

extern char start_other[];

uint64_t ticks(uint64_t microseconds)
{
    return microseconds * timebase / 1000000;
}

_Noreturn void hart_work(struct hart *h)
{
    h->online = true;
    csr_write(sie, 1ul << INTERRUPT_SOFTWARE);
    for (;;) {
        void (*job)(void *) = h->job;
        if (!job) {
            wfi();
            csr_clear(sip, 1ul << INTERRUPT_SOFTWARE);
            continue;
        }
        h->job = NULL;
        fence_all();
        job(h->job_argument);
        interrupts_off();
        csr_write(sie, 1ul << INTERRUPT_SOFTWARE);
        fence_all();
        h->job_done = true;
    }
}

void hart_run(struct hart *h, void (*job)(void *), void *argument)
{
    h->job_argument = argument;
    h->job_done = false;
    fence_all();
    h->job = job;
    fence_all();
    sbi_send_ipi(1, h->id);
}

bool hart_wait(struct hart *h)
{
    return wait_for(h->job_done, PATIENCE);
}

static bool hart_start(struct hart *h)
{
    struct sbi_result r = sbi_call3(SBI_HSM, HSM_START, h->id, start_other, h);
    return r.error == SBI_SUCCESS && wait_for(h->online, PATIENCE);
}

bool harts_start(void)
{
    for (unsigned i = 1; i < harts_count; i++) {
        if (harts[i].online)
            continue;
        if (!hart_start(&harts[i]))
            return false;
        harts_online++;
    }
    return true;
}

unsigned long hart_mask(void)
{
    unsigned long mask = 0;
    for (unsigned i = 0; i < harts_count; i++)
        if (harts[i].online)
            mask |= 1ul << harts[i].id;
    return mask;
}
