// Interrupt handlers as short as they get, and the loops they interrupt.
#include "asm.h"

        .text
        .balign 4
        .globl  vector_software
vector_software:
        csrci   sip, 2
        li      t6, 1
        sret

// Notes when it was entered: t5 the tick after, t6 the rounds of 3 instructions until that tick.
        .balign 4
        .globl  vector_timer
vector_timer:
        csrr    t4, time
        li      t6, 0
1:      csrr    t5, time
        addi    t6, t6, 1
        beq     t4, t5, 1b
        csrc    sie, t3
        sret

// unsigned long spin_ipi(mask, base): sends an IPI to oneself and spins until it is taken.
        .globl  spin_ipi
spin_ipi:
        li      t6, 0
        li      a6, 0
        li      a7, 0x735049
        ecall
1:      beqz    t6, 1b
        ret

// uint64_t spin_timer(tick_ns): lets the timer interrupt in and spins until it is taken; when it was taken, in ns (its low
// half, on RV32).
        .globl  spin_timer
spin_timer:
        li      t6, 0
        li      t3, 32
        csrsi   sstatus, 2
1:      beqz    t6, 1b
        csrci   sstatus, 2
        mul     a0, t5, a0
        slli    t5, t6, 1
        add     t6, t6, t5
        sub     a0, a0, t6
        li      a1, 0
        ret
