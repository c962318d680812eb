// What of POSIX's contexts the tests use, on a bare RV32 hart.
#pragma once

#include <stddef.h>

typedef struct {
    unsigned long kept[14]; // ra, sp, s0 to s11
    struct {
        void *ss_sp;
        size_t ss_size;
    } uc_stack;
} ucontext_t;

int swapcontext(ucontext_t *from, const ucontext_t *to);

static inline int getcontext(ucontext_t *context)
{
    *context = (ucontext_t){0};
    return 0;
}

// `entry` does not return.
static inline void makecontext(ucontext_t *context, void (*entry)(void), int arguments)
{
    (void)arguments;
    context->kept[0] = (unsigned long)entry;
    context->kept[1] = ((unsigned long)context->uc_stack.ss_sp + context->uc_stack.ss_size) & ~15UL;
}
