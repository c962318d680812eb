// Loads of whole register files, a spin, and stores.
#include "asm.h"

        .text
        .option arch, +d
.macro each_float op
        .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        \op     f\n, 8*\n(a0)
        .endr
.endm

        .globl  float_load
float_load:
        each_float fld
        REG_L   t0, 256(a0)
        csrw    fcsr, t0
        ret

        .globl  float_store
float_store:
        each_float fsd
        csrr    t0, fcsr
        REG_S   t0, 256(a0)
        ret

        .globl  float_spin
float_spin:
        mv      t1, ra
        call    float_load
1:      addi    a2, a2, -1
        bnez    a2, 1b
        mv      a0, a1
        call    float_store
        jr      t1

        .option arch, +v
.macro each_vector op
        .irp    n, 0,8,16,24
        \op     v\n, (a0)
        add     a0, a0, t1
        .endr
.endm

        .globl  vector_bytes
vector_bytes:
        csrr    a0, vlenb
        ret

        .globl  vector_spin
vector_spin:
        csrr    t1, vlenb
        slli    t1, t1, 3               // eight registers
        vsetvli t0, zero, e8, m8, ta, ma
        each_vector vle8.v
        REG_L   t2, 0*REG_SIZE(a0)
        REG_L   t3, 1*REG_SIZE(a0)
        vsetvl  zero, t3, t2
        REG_L   t2, 3*REG_SIZE(a0)
        csrw    vcsr, t2
        REG_L   t2, 2*REG_SIZE(a0)
        csrw    vstart, t2
1:      addi    a2, a2, -1
        bnez    a2, 1b
        csrr    t2, vtype
        csrr    t3, vl
        csrr    t4, vstart
        csrr    t5, vcsr
        csrw    vstart, zero
        mv      a0, a1
        vsetvli t0, zero, e8, m8, ta, ma
        each_vector vse8.v
        REG_S   t2, 0*REG_SIZE(a0)
        REG_S   t3, 1*REG_SIZE(a0)
        REG_S   t4, 2*REG_SIZE(a0)
        REG_S   t5, 3*REG_SIZE(a0)
        ret

// void user_run(void *entry): goes to U-mode, and never comes back but by a trap under a guard.
        .globl  user_run
user_run:
        csrw    sepc, a0
        li      t0, 1 << 8
        csrc    sstatus, t0
        sret
