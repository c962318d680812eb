// Traps, guarded calls, and an ecall that sees every register.
#include "asm.h"

.macro each_register op
        \op     x1, 1*REG_SIZE(tp)
        \op     x2, 2*REG_SIZE(tp)
        \op     x3, 3*REG_SIZE(tp)
        \op     x5, 5*REG_SIZE(tp)
        \op     x6, 6*REG_SIZE(tp)
        \op     x7, 7*REG_SIZE(tp)
        \op     x8, 8*REG_SIZE(tp)
        \op     x9, 9*REG_SIZE(tp)
        \op     x10, 10*REG_SIZE(tp)
        \op     x11, 11*REG_SIZE(tp)
        \op     x12, 12*REG_SIZE(tp)
        \op     x13, 13*REG_SIZE(tp)
        \op     x14, 14*REG_SIZE(tp)
        \op     x15, 15*REG_SIZE(tp)
        \op     x16, 16*REG_SIZE(tp)
        \op     x17, 17*REG_SIZE(tp)
        \op     x18, 18*REG_SIZE(tp)
        \op     x19, 19*REG_SIZE(tp)
        \op     x20, 20*REG_SIZE(tp)
        \op     x21, 21*REG_SIZE(tp)
        \op     x22, 22*REG_SIZE(tp)
        \op     x23, 23*REG_SIZE(tp)
        \op     x24, 24*REG_SIZE(tp)
        \op     x25, 25*REG_SIZE(tp)
        \op     x26, 26*REG_SIZE(tp)
        \op     x27, 27*REG_SIZE(tp)
        \op     x28, 28*REG_SIZE(tp)
        \op     x29, 29*REG_SIZE(tp)
        \op     x30, 30*REG_SIZE(tp)
        \op     x31, 31*REG_SIZE(tp)
.endm

.macro each_callee_saved op
        \op     ra, 0*REG_SIZE(sp)
        \op     s0, 1*REG_SIZE(sp)
        \op     s1, 2*REG_SIZE(sp)
        \op     s2, 3*REG_SIZE(sp)
        \op     s3, 4*REG_SIZE(sp)
        \op     s4, 5*REG_SIZE(sp)
        \op     s5, 6*REG_SIZE(sp)
        \op     s6, 7*REG_SIZE(sp)
        \op     s7, 8*REG_SIZE(sp)
        \op     s8, 9*REG_SIZE(sp)
        \op     s9, 10*REG_SIZE(sp)
        \op     s10, 11*REG_SIZE(sp)
        \op     s11, 12*REG_SIZE(sp)
        \op     gp, 13*REG_SIZE(sp)
.endm

        .text
        .balign 4
        .globl  trap_entry
trap_entry:
        csrrw   tp, sscratch, tp
        each_register REG_S
        csrr    t0, sscratch
        REG_S   t0, 4*REG_SIZE(tp)
        csrw    sscratch, tp
        csrr    t0, sepc
        REG_S   t0, HART_FRAME_PC(tp)
        REG_L   sp, HART_TRAP_STACK(tp)
        mv      a0, tp
        call    trap_handle
        csrr    tp, sscratch
        REG_L   t0, HART_FRAME_PC(tp)
        csrw    sepc, t0
        each_register REG_L
        REG_L   x4, 4*REG_SIZE(tp)
        sret

// bool guard_call(void (*function)(void *), void *argument)
        .globl  guard_call
guard_call:
        addi    sp, sp, -16*REG_SIZE
        each_callee_saved REG_S
        REG_S   sp, HART_GUARD_SP(tp)
        mv      t0, a0
        mv      a0, a1
        jalr    t0
        li      a0, 0
guard_leave:
        REG_S   zero, HART_GUARD_SP(tp)
        each_callee_saved REG_L
        addi    sp, sp, 16*REG_SIZE
        ret

// Where the trap handler sends a guarded call that trapped; sp and tp are right again.
        .globl  guard_trapped
guard_trapped:
        li      a0, 1
        j       guard_leave

// NAME(struct hart *, const unsigned long in[32], unsigned long out[32]): loads every register, does
// something, and notes every register. No interrupt may come: sscratch holds tp at the end, and
// every other register is the test's.
.macro with_registers name body
        .globl  \name
\name:
        addi    sp, sp, -16*REG_SIZE
        each_callee_saved REG_S
        REG_S   a2, HART_CALL_OUT(tp)
        REG_S   sp, HART_CALL_SP(tp)
        mv      tp, a1
        each_register REG_L
        REG_L   tp, 4*REG_SIZE(tp)
        \body
        csrrw   tp, sscratch, tp        // tp: struct hart; sscratch: the test's tp
        REG_S   t0, HART_CALL_IN(tp)
        REG_L   t0, HART_CALL_OUT(tp)
        REG_S   sp, 2*REG_SIZE(t0)
        mv      sp, tp
        mv      tp, t0
        REG_L   t0, HART_CALL_IN(sp)
        REG_S   x1, 1*REG_SIZE(tp)
        REG_S   x3, 3*REG_SIZE(tp)
        REG_S   x5, 5*REG_SIZE(tp)
        REG_S   x6, 6*REG_SIZE(tp)
        REG_S   x7, 7*REG_SIZE(tp)
        REG_S   x8, 8*REG_SIZE(tp)
        REG_S   x9, 9*REG_SIZE(tp)
        REG_S   x10, 10*REG_SIZE(tp)
        REG_S   x11, 11*REG_SIZE(tp)
        REG_S   x12, 12*REG_SIZE(tp)
        REG_S   x13, 13*REG_SIZE(tp)
        REG_S   x14, 14*REG_SIZE(tp)
        REG_S   x15, 15*REG_SIZE(tp)
        REG_S   x16, 16*REG_SIZE(tp)
        REG_S   x17, 17*REG_SIZE(tp)
        REG_S   x18, 18*REG_SIZE(tp)
        REG_S   x19, 19*REG_SIZE(tp)
        REG_S   x20, 20*REG_SIZE(tp)
        REG_S   x21, 21*REG_SIZE(tp)
        REG_S   x22, 22*REG_SIZE(tp)
        REG_S   x23, 23*REG_SIZE(tp)
        REG_S   x24, 24*REG_SIZE(tp)
        REG_S   x25, 25*REG_SIZE(tp)
        REG_S   x26, 26*REG_SIZE(tp)
        REG_S   x27, 27*REG_SIZE(tp)
        REG_S   x28, 28*REG_SIZE(tp)
        REG_S   x29, 29*REG_SIZE(tp)
        REG_S   x30, 30*REG_SIZE(tp)
        REG_S   x31, 31*REG_SIZE(tp)
        csrr    t0, sscratch
        REG_S   t0, 4*REG_SIZE(tp)
        mv      tp, sp
        csrw    sscratch, tp
        REG_L   sp, HART_CALL_SP(tp)
        each_callee_saved REG_L
        addi    sp, sp, 16*REG_SIZE
        ret
.endm

        with_registers registers_call, ecall
        // x5 counts down to 0 meanwhile.
        with_registers registers_spin, "1: addi x5, x5, -1; bnez x5, 1b"
        // Runs the code that x31 points to; it returns through x5.
        with_registers registers_code, "jalr x5, 0(x31)"
