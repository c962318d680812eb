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

// Vcores of one capsule swap in, all the time, who runs and what the instruction counter says. Whoever finds another
// there came after it: the difference is what the switch took, and some 10 instructions of this loop. Wherever it is
// interrupted, the next swap shows it; who had just read the counter leaves what it swapped in one round before. Much
// more than any switch takes isn't counted: nobody was there, or not one of these.
// a0: number of the vcore, below 64, a1: struct turns.
        .globl  take_turns
take_turns:
        li      t4, 20000 << 6
1:      csrr    t0, cycle
        slli    t0, t0, 6
        or      t0, t0, a0
        REG_AMOSWAP t1, t0, (a1)
        csrr    t2, cycle
        andi    t3, t1, 63
        beq     t3, a0, 1b
        slli    t2, t2, 6
        xor     t1, t1, t3
        sub     t2, t2, t1
        bgeu    t2, t4, 1b
        srli    t2, t2, 6
        addi    t3, a1, REG_SIZE
        REG_AMOADD zero, t2, (t3)
        li      t2, 1
        addi    t3, a1, 2*REG_SIZE
        REG_AMOADD zero, t2, (t3)
        j       1b
