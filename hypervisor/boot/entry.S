// The first instructions, in M-mode, on every hart, in any order: a0 = hart id, a1 = device tree.
//
// The first hart to come relocates the image, clears its bss and goes on to boot_main; the others
// sleep until it has built their structures. Nothing here uses memory that relocation or the clearing
// of the bss would change under it.
#include "boot_offsets.h"
#include "csr.h"
#include "xlen.h"

#define LINK_BASE 0x80000000

.macro trap_vector_set
    lla t0, trap_entry
    beqz s1, 1f
    lla t0, trap_entry_mdt
1:  csrw CSR_MTVEC, t0
.endm

.section .text.entry, "ax"
.global _start
_start:
    csrw CSR_MIE, zero
    lla t0, skip
    csrw CSR_MTVEC, t0
    // Smdbltrp: out of reset, a trap would be a double trap until MDT is cleared. Smrnmi: interrupts
    // and exceptions go elsewhere until NMIE is set. Harts without may skip these.
    li t0, STATUS_MDT
    csrc CSR_STATUS_MDT, t0
    csrsi CSR_MNSTATUS, MNSTATUS_NMIE
    // Only with Smdbltrp does MDT hold a 1: s1 tells, until trap_vector_set.
    li s1, 0
    csrs CSR_STATUS_MDT, t0
    csrrc s1, CSR_STATUS_MDT, t0
    and s1, s1, t0
    lla t0, 9f
    csrw CSR_MTVEC, t0
    csrw CSR_MSCRATCH, zero

    // A hart without S-mode (SiFive's monitor cores) can't run guests, so it must not boot for others
    // either. misa may read 0: then it is not known, and the device tree decides.
    csrr t0, CSR_MISA
    beqz t0, 8f
    srli t0, t0, 'S' - 'A'
    andi t0, t0, 1
    beqz t0, 9f
8:
    lla t0, boot_lottery
    li t1, 1
    amoadd.w.aqrl t1, t1, (t0)
    bnez t1, wait_for_boot

    // R_RISCV_RELATIVE is the only relocation that position-independent static code has.
    lla t0, _start
    li t1, LINK_BASE
#if __riscv_xlen == 32
    sub t1, t0, t1
#else
    slli t1, t1, 32
    srli t1, t1, 32
    sub t1, t0, t1
#endif
    lla t2, relocations_start
    lla t3, relocations_end
3:  bgeu t2, t3, 4f
    REG_L t4, 0(t2)
    REG_L t5, 2 * REG_BYTES(t2)
    add t4, t4, t1
    add t5, t5, t1
    REG_S t5, 0(t4)
    addi t2, t2, 3 * REG_BYTES
    j 3b
4:
    lla t0, bss_start
    lla t1, bss_end
5:  bgeu t0, t1, 6f
    REG_S zero, 0(t0)
    addi t0, t0, REG_BYTES
    j 5b
6:
    lla t0, boot_area
    li t1, AREA_HART
    add tp, t0, t1
    li t1, AREA_STACK_TOP
    add sp, t0, t1
    trap_vector_set
    fence rw, rw
    call boot_main
9:
.balign 4
10: wfi
    j 10b

wait_for_boot:
    // Woken by a software interrupt; whoever comes after that finds the flag set.
    li t0, 1 << 3
    csrw CSR_MIE, t0
11: lla t0, boot_ready
    REG_L t0, 0(t0)
    bnez t0, 12f
    wfi
    j 11b
12: fence rw, rw
    // t0 points to the table of hart structures, ended by 0.
13: REG_L tp, 0(t0)
    beqz tp, 9b // a hart the device tree doesn't tell of, or one too many
    addi t0, t0, REG_BYTES
    REG_L t1, HART_ID(tp)
    bne t1, a0, 13b
    trap_vector_set
    REG_L sp, AREA_HART_STACK_TOP(tp)
    call boot_secondary

// Goes on after an instruction that the hart doesn't know. mret clears MDT, which the trap has set.
.balign 4
skip:
    csrr t1, CSR_MEPC
    addi t1, t1, 4
    csrw CSR_MEPC, t1
    mret

// Not in the bss: both are looked at before and while it is cleared.
.section .data
.balign 8
.global boot_lottery
boot_lottery:
    .word 0
    .word 0
.global boot_ready
boot_ready:
    PTR_DIRECTIVE 0
