// Vcores that never let go.
#include "asm.h"

        .text
        .balign 4
        .globl  spin_for_ever
spin_for_ever:                          // long, for an emulator's sake
        .rept   200
        nop
        .endr
        j       spin_for_ever

// Vcores of one capsule write down, all the time, who runs and what the instruction counter says. Whoever finds
// another there came after it: the difference is what the switch took, and some 10 instructions of this loop. What
// was interrupted halfway shows as more than any switch takes, and isn't counted; nor does it take back what others
// have noted meanwhile.
// a0: number of the vcore, a1: struct turns.
        .globl  take_turns
take_turns:
        li      t4, 20000
1:      csrr    t0, cycle
        REG_L   t1, 0(a1)
        beq     t1, a0, 2f
        REG_L   t2, REG_SIZE(a1)
        sub     t2, t0, t2
        bgeu    t2, t4, 2f
        addi    t3, a1, 2*REG_SIZE
        REG_AMOADD zero, t2, (t3)
        li      t2, 1
        addi    t3, a1, 3*REG_SIZE
        REG_AMOADD zero, t2, (t3)
2:      csrr    t0, cycle
        REG_S   t0, REG_SIZE(a1)
        REG_S   a0, 0(a1)               // last: who is interrupted before this finds its own number or another's time
        j       1b
