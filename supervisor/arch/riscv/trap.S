// Into the kernel and back to programs.
//
// While a program runs, sscratch points to its frame; in the kernel it is 0. A system call saves what the caller of a
// function would save, as C keeps the rest; all else saves everything.
#include "csr.h"

        .macro  save first, last
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        .if     \n >= \first && \n <= \last
        REG_S   x\n, FRAME_REG(\n)(sp)
        .endif
        .endr
        .endm

        .macro  load first, last
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        .if     \n >= \first && \n <= \last
        REG_L   x\n, FRAME_REG(\n)(sp)
        .endif
        .endr
        .endm

        .macro  clear registers:vararg
        .irp    r, \registers
        li      \r, 0
        .endr
        .endm

        .text
        .balign 4
        .globl  trap_entry
trap_entry:
        csrrw   sp, sscratch, sp
        beqz    sp, trap_kernel
        save    10, 17
        save    28, 31                  // the handle; on RV64 more than that, for the code's sake
        csrr    a0, sscratch
        csrr    a1, sepc
        csrr    a2, scause
        REG_S   a0, FRAME_REG(2)(sp)
        REG_S   tp, FRAME_REG(4)(sp)
        REG_L   tp, FRAME_CPU(sp)
        csrw    sscratch, zero
        addi    a3, a2, -CAUSE_CALL
        bnez    a3, trap_other

        addi    a1, a1, 4
        REG_S   a1, FRAME_PC(sp)
        li      a3, FRAME_CALL
        REG_S   a3, FRAME_KIND(sp)
        REG_L   sp, CPU_STACK(tp)
        mv      a0, tp
        call    trap_call

// Goes on with the frame in a0, which is loaded.
        .globl  trap_leave
trap_leave:
        mv      sp, a0
        REG_L   a1, FRAME_PC(sp)
        REG_L   a2, FRAME_KIND(sp)
        csrw    sepc, a1
        csrw    sscratch, sp
        addi    a3, a2, -FRAME_CALL
        bnez    a3, 1f

        // To where it called from. What it does not get back holds nothing of the kernel's.
        REG_L   tp, FRAME_REG(4)(sp)
        load    10, 14
        load    28, 31
        clear   ra, t0, t1, t2, a5, a6, a7
        REG_L   sp, FRAME_REG(2)(sp)
        sret

1:      beqz    a2, 2f
        // A new run.
        REG_L   t0, FRAME_REG(5)(sp)
        load    10, 17
        clear   ra, gp, tp, t1, t2, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6
        REG_L   sp, FRAME_REG(2)(sp)
        sret

2:      load    1, 1
        load    3, 31
        REG_L   sp, FRAME_REG(2)(sp)
        sret

// Interrupts, and what programs may not do. a1: pc, a2: cause.
trap_other:
        REG_S   a1, FRAME_PC(sp)
        REG_S   zero, FRAME_KIND(sp)
        save    1, 1
        save    3, 3
        save    5, 9
        save    18, 27
        REG_L   sp, CPU_STACK(tp)
        mv      a0, tp
        mv      a1, a2
        csrr    a2, stval
        call    trap_exception
        j       trap_leave

// A fault of the kernel itself: what it tried on purpose goes on elsewhere; else all registers are shown.
trap_kernel:
        csrrw   sp, sscratch, sp        // as it was, and sscratch 0
        REG_S   t0, CPU_SAVED(tp)
        REG_L   t0, CPU_FIXUP(tp)
        beqz    t0, 1f
        csrw    sepc, t0
        REG_L   t0, CPU_SAVED(tp)
        sret
1:      csrw    sscratch, sp
        REG_L   sp, CPU_EMERGENCY(tp)
        addi    sp, sp, -34*REG_BYTES
        save    1, 1
        save    3, 31
        REG_L   t1, CPU_SAVED(tp)
        REG_S   t1, FRAME_REG(5)(sp)
        csrr    t0, sscratch
        REG_S   t0, FRAME_REG(2)(sp)
        csrw    sscratch, zero
        csrr    t0, sepc
        REG_S   t0, FRAME_PC(sp)
        mv      a0, sp
        csrr    a1, scause
        csrr    a2, stval
        call    trap_broken
        .section .note.GNU-stack, "", @progbits
