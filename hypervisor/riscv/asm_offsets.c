// Offsets for assembly, taken from the structs: this file is compiled to text, never linked.
#include "hart.h"

#define OFFSET(name, type, member) __asm__ volatile("\n#define " #name " %0" : : "i"(offsetof(type, member)))

void offsets(void);
void offsets(void)
{
    OFFSET(CONTEXT_X, struct context, x);
    OFFSET(CONTEXT_PC, struct context, pc);
    OFFSET(CONTEXT_HART, struct context, hart);
    OFFSET(HART_STACK_TOP, struct hart, stack_top);
    OFFSET(HART_CURRENT, struct hart, current);
    OFFSET(HART_OWN_STACK_TOP, struct hart, own_stack_top);
    OFFSET(HART_OWN_X, struct hart, own.x);
}
