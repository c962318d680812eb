// Entry of every payload: a Linux Image header (so that any loader puts us where a kernel goes),
// self-relocation, and the way in for the other harts.
#include "asm.h"

        .section .head, "ax"
        .globl  _start
_start:
        j       start_first
        .balign 8
        .quad   IMAGE_OFFSET            // text offset
        .word   _image_size
        .word   0
        .quad   0                       // flags: little endian
        .word   2                       // header version 0.2
        .word   0
        .quad   0
        .ascii  "RISCV\0\0\0"
        .ascii  "RSC\005"
        .word   0

        .text
start_first:
        csrr    s1, time
        csrw    sie, zero
        lla     t0, _bss_start
        lla     t1, _bss_end
1:      REG_S   zero, 0(t0)
        addi    t0, t0, REG_SIZE
        bltu    t0, t1, 1b

        // Linked at 0: every relocation is R_RISCV_RELATIVE, and adds where we really are.
        lla     t0, _rela_start
        lla     t1, _rela_end
        lla     t2, _start
2:      bgeu    t0, t1, 3f
        REG_L   t3, 0(t0)
        REG_L   t4, 2*REG_SIZE(t0)
        add     t3, t3, t2
        add     t4, t4, t2
        REG_S   t4, 0(t3)
        addi    t0, t0, 3*REG_SIZE
        j       2b
3:
        lla     tp, harts
        jal     start_trap
        lla     t0, entered_at
        REG_S   s1, 0(t0)
        call    payload_start

// A hart that HSM started: a0 its id, a1 its struct hart.
        .globl  start_other
start_other:
        csrw    sie, zero
        mv      tp, a1
        jal     start_trap
        mv      a0, tp
        call    hart_work

// Stack and trap vector of the hart whose struct is in tp.
start_trap:
        lla     t0, trap_entry
        csrw    stvec, t0
        csrw    sscratch, tp
        lla     t0, hart_stack_offset
        lw      t1, 0(t0)
        add     sp, tp, t1
        lw      t1, 4(t0)
        add     t1, tp, t1
        REG_S   t1, HART_TRAP_STACK(tp)
        REG_S   zero, HART_GUARD_SP(tp)
        ret
