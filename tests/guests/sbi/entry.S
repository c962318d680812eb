// Entry of a hart that notes how it was entered, then goes to work like any other.
#include "asm.h"

        .text
        .globl  hsm_entry
hsm_entry:
        REG_S   a0, 1*REG_SIZE(a1)
        csrr    t0, satp
        REG_S   t0, 2*REG_SIZE(a1)
        csrr    t0, sstatus
        REG_S   t0, 3*REG_SIZE(a1)
        csrr    t0, sie
        REG_S   t0, 4*REG_SIZE(a1)
        li      t0, 1
        REG_S   t0, 0(a1)
        REG_L   a1, 5*REG_SIZE(a1)
        REG_S   zero, HART_GUARD_SP(a1)
        tail    start_other
