// Into the kernel and back to programs.
//
// While a program runs, sscratch points to its frame; in the kernel it is 0. A system call saves its arguments only, as
// C keeps what is callee-saved, and nothing else has to be kept; all else saves everything.
#include "csr.h"

#if __riscv_xlen == 64
#define HANDLE_LAST 13 // register
#else
#define HANDLE_LAST 15
#endif

        .macro  registers operation, first, last
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        .if     \n >= \first && \n <= \last
        \operation x\n, FRAME_REG(\n)(sp)
        .endif
        .endr
        .endm
#define save registers REG_S,
#define load registers REG_L,

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
        REG_S   tp, FRAME_REG(4)(sp)
        csrr    tp, scause
        addi    tp, tp, -CAUSE_CALL
        bnez    tp, trap_other

        // The call and the handle are where kernel_call() has them.
        csrrw   t0, sscratch, zero
        save    28, 31
        save    6, 7
        REG_S   t0, FRAME_REG(2)(sp)
        REG_L   tp, FRAME_CPU(sp)
        mv      a0, sp
        REG_L   sp, CPU_STACK(tp)
        call    kernel_call
        REG_L   t0, CPU_HART(tp)
        lbu     t0, 0(t0)
        bnez    t0, trap_next
        REG_L   sp, CPU_FRAME(tp)
        fence   rw, w
        REG_S   zero, kernel_lock, t0

// To behind where it called from, with the answer in a0. What it does not get back holds nothing of the kernel's.
trap_return:
        csrr    t0, sepc
        addi    t0, t0, 4
        csrw    sepc, t0
        csrw    sscratch, sp
        REG_L   tp, FRAME_REG(4)(sp)
        load    12, HANDLE_LAST
        load    28, 31
        clear   ra, t0, t1, t2, a1, a6, a7
#if __riscv_xlen == 64
        clear   a4, a5
#endif
        REG_L   sp, FRAME_REG(2)(sp)
        sret

// There is more to see to than to go on. a0: the answer.
trap_next:
        call    trap_answer

// Goes on with the frame in a0, which is loaded.
        .globl  trap_leave
trap_leave:
        mv      sp, a0
        REG_L   a2, FRAME_KIND(sp)
        REG_L   a0, FRAME_REG(10)(sp)
        addi    a2, a2, -FRAME_CALL
        beqz    a2, trap_return
        REG_L   a1, FRAME_PC(sp)
        csrw    sepc, a1
        csrw    sscratch, sp
        bltz    a2, 2f
        // A new run.
        REG_L   t0, FRAME_REG(5)(sp)
        load    11, 17
        clear   ra, gp, tp, t1, t2, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6
        REG_L   sp, FRAME_REG(2)(sp)
        sret

2:      load    1, 1
        load    3, 31
        REG_L   sp, FRAME_REG(2)(sp)
        sret

// Interrupts, and what programs may not do. tp is saved.
trap_other:
        save    1, 1
        save    3, 3
        save    5, 31
        csrrw   t0, sscratch, zero
        csrr    t1, sepc
        REG_S   t0, FRAME_REG(2)(sp)
        REG_S   t1, FRAME_PC(sp)
        REG_S   zero, FRAME_KIND(sp)
        REG_L   tp, FRAME_CPU(sp)
        REG_L   sp, CPU_STACK(tp)
        mv      a0, tp
        csrr    a1, scause
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
