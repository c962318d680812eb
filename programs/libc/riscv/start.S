// The entry of every program, and the change of stacks for straight-line code.
#if __riscv_xlen == 64
#define REG_S sd
#define REG_L ld
#define REG_SIZE 8
#else
#define REG_S sw
#define REG_L lw
#define REG_SIZE 4
#endif

#define SV_FINISH 3 // calls.c checks it

        .section .text.entry, "ax"
        .globl  _start
// Each run begins here: t0 = the continuation's code, its arguments in a0 to a7; 0 in the first run.
_start:
        bnez    t0, 1f
        lla     t0, sv_begin
1:      jalr    t0
// The code has returned: the run ends. No register is worth anything any more.
        .globl  sv_finish
sv_finish:
        lla     a0, sv_self
        REG_L   a2, 0*REG_SIZE(a0)
        REG_L   a3, 1*REG_SIZE(a0)
#if __riscv_xlen == 32
        REG_L   a4, 2*REG_SIZE(a0)
        REG_L   a5, 3*REG_SIZE(a0)
#endif
        li      a1, SV_FINISH
        ecall
        unimp

// flow_switch(from, to): saves the stack pointer of what runs now in *from, and goes on where the stack 'to' left off.
        .text
        .globl  flow_switch
flow_switch:
        addi    sp, sp, -16*REG_SIZE
        REG_S   ra, 0*REG_SIZE(sp)
        REG_S   s0, 1*REG_SIZE(sp)
        REG_S   s1, 2*REG_SIZE(sp)
        REG_S   s2, 3*REG_SIZE(sp)
        REG_S   s3, 4*REG_SIZE(sp)
        REG_S   s4, 5*REG_SIZE(sp)
        REG_S   s5, 6*REG_SIZE(sp)
        REG_S   s6, 7*REG_SIZE(sp)
        REG_S   s7, 8*REG_SIZE(sp)
        REG_S   s8, 9*REG_SIZE(sp)
        REG_S   s9, 10*REG_SIZE(sp)
        REG_S   s10, 11*REG_SIZE(sp)
        REG_S   s11, 12*REG_SIZE(sp)
        REG_S   sp, 0(a0)
        mv      sp, a1
        REG_L   ra, 0*REG_SIZE(sp)
        REG_L   s0, 1*REG_SIZE(sp)
        REG_L   s1, 2*REG_SIZE(sp)
        REG_L   s2, 3*REG_SIZE(sp)
        REG_L   s3, 4*REG_SIZE(sp)
        REG_L   s4, 5*REG_SIZE(sp)
        REG_L   s5, 6*REG_SIZE(sp)
        REG_L   s6, 7*REG_SIZE(sp)
        REG_L   s7, 8*REG_SIZE(sp)
        REG_L   s8, 9*REG_SIZE(sp)
        REG_L   s9, 10*REG_SIZE(sp)
        REG_L   s10, 11*REG_SIZE(sp)
        REG_L   s11, 12*REG_SIZE(sp)
        addi    sp, sp, 16*REG_SIZE
        ret

        .section .note.GNU-stack, "", @progbits
