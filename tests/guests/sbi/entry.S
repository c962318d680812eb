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

// long susp_sleep(struct susp_frame *): system suspend, and back. The frame: ra, sp, gp, tp, s0-s11, stvec,
// sscratch, then what is found on resuming.
.macro each_kept op
        \op     ra, 0*REG_SIZE(a1)
        \op     sp, 1*REG_SIZE(a1)
        \op     gp, 2*REG_SIZE(a1)
        \op     tp, 3*REG_SIZE(a1)
        \op     s0, 4*REG_SIZE(a1)
        \op     s1, 5*REG_SIZE(a1)
        \op     s2, 6*REG_SIZE(a1)
        \op     s3, 7*REG_SIZE(a1)
        \op     s4, 8*REG_SIZE(a1)
        \op     s5, 9*REG_SIZE(a1)
        \op     s6, 10*REG_SIZE(a1)
        \op     s7, 11*REG_SIZE(a1)
        \op     s8, 12*REG_SIZE(a1)
        \op     s9, 13*REG_SIZE(a1)
        \op     s10, 14*REG_SIZE(a1)
        \op     s11, 15*REG_SIZE(a1)
.endm

        .globl  susp_sleep
susp_sleep:
        mv      a1, a0
        each_kept REG_S
        csrr    t0, stvec
        REG_S   t0, 16*REG_SIZE(a1)
        csrr    t0, sscratch
        REG_S   t0, 17*REG_SIZE(a1)
        mv      a2, a1
        li      a0, 0
        lla     a1, susp_resume
        li      a6, 0
        li      a7, 0x53555350
        ecall
        ret

        .balign 4
susp_resume:
        REG_S   a0, 19*REG_SIZE(a1)
        csrr    t0, satp
        REG_S   t0, 20*REG_SIZE(a1)
        csrr    t0, sstatus
        REG_S   t0, 21*REG_SIZE(a1)
        csrr    t0, sie
        REG_S   t0, 22*REG_SIZE(a1)
        REG_L   t0, 18*REG_SIZE(a1)
        addi    t0, t0, 1
        REG_S   t0, 18*REG_SIZE(a1)
        REG_L   t0, 16*REG_SIZE(a1)
        csrw    stvec, t0
        REG_L   t0, 17*REG_SIZE(a1)
        csrw    sscratch, t0
        each_kept REG_L
        li      a0, 0
        ret
