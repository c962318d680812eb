// From the firmware into C: for the first hart (_start) and those that it starts (start_other).
//
// The image can lie anywhere in RAM. It runs in the upper half of the address space, where all RAM is mapped at one
// offset (direct_offset), so that is where its relocations lead.
#include "csr.h"

        .section .head, "ax"
        .globl  _start
_start: // A Linux Image header (Documentation/arch/riscv/boot-image-header.rst), so that any loader knows where to put us
        j       start_first
        .balign 8
        .quad   IMAGE_OFFSET
        .quad   _image_size
        .quad   0                       // little-endian
        .word   2                       // header version 0.2
        .word   0
        .quad   0
        .ascii  "RISCV\0\0\0"
        .ascii  "RSC\005"
        .word   0

// Bare, interrupts off (SBI specification, HSM, "Hart Start"); a0: hart id, a1: device tree.
        .text
start_first:
        csrw    sie, zero
        csrw    satp, zero
        mv      s0, a0
        mv      s1, a1

        lla     t0, _bss_start
        lla     t1, _bss_end
1:      REG_S   zero, 0(t0)
        addi    t0, t0, REG_BYTES
        bltu    t0, t1, 1b

        // s2: the kernel's view of physical 0. On RV64 all of RAM is in view. On RV32 the view begins one entry of the
        // root table (4 MiB) below where the image lies, which is where RAM begins.
        li      s2, KERNEL_BASE
        lla     s3, _start
#if __riscv_xlen == 32
        srli    t0, s3, ENTRY_SPAN_SHIFT
        addi    t0, t0, -1
        slli    t0, t0, ENTRY_SPAN_SHIFT
        sub     s2, s2, t0
#endif
        lla     t0, direct_offset
        REG_S   s2, 0(t0)

        // Linked at 0: every relocation is R_RISCV_RELATIVE, and adds where we will be.
        add     t6, s3, s2
        lla     t0, _rela_start
        lla     t1, _rela_end
2:      bgeu    t0, t1, 3f
        REG_L   t3, 0(t0)
        REG_L   t4, 2*REG_BYTES(t0)
        add     t3, t3, s3
        add     t4, t4, t6
        REG_S   t4, 0(t3)
        addi    t0, t0, 3*REG_BYTES
        j       2b
3:
        // The first root table: what is in view, by the largest pages, for everything.
        lla     t0, boot_root
        li      t1, KERNEL_BASE
        srli    t2, t1, ENTRY_SPAN_SHIFT
        andi    t2, t2, (1 << TABLE_BITS) - 1 // its place in the table
#if __riscv_xlen == 64
        slli    t2, t2, 3
#else
        slli    t2, t2, 2
#endif
        add     t0, t0, t2
        sub     t1, t1, s2              // physical
        srli    t1, t1, 2
        ori     t1, t1, 0xcf            // V, R, W, X, A, D
        li      t2, KERNEL_SPAN >> ENTRY_SPAN_SHIFT
        li      t3, 1 << (ENTRY_SPAN_SHIFT - 2)
4:      REG_S   t1, 0(t0)
        add     t1, t1, t3
        addi    t0, t0, REG_BYTES
        addi    t2, t2, -1
        bnez    t2, 4b

        // And one with nothing but the image, at the same address.
        add     t1, s3, s2
        srli    t1, t1, ENTRY_SPAN_SHIFT
        andi    t1, t1, (1 << TABLE_BITS) - 1
#if __riscv_xlen == 64
        slli    t1, t1, 3
#else
        slli    t1, t1, 2
#endif
        lla     t0, boot_root
        add     t0, t0, t1
        REG_L   t2, 0(t0)
        lla     t0, trampoline_root
        add     t0, t0, t1
        REG_S   t2, 0(t0)

        lla     tp, cpus
        lla     t0, boot_root
        jal     start_paging
        mv      a0, s0
        mv      a1, s1
        call    boot

// A hart that HSM started: a0 its id, a1 the physical address of its struct cpu.
        .globl  start_other
start_other:
        csrw    sie, zero
        csrw    satp, zero
        mv      tp, a1
        REG_L   t0, CPU_SATP(tp)
        lla     t1, direct_offset
        REG_L   s2, 0(t1)
        jal     start_paging_with
        call    cpu_run

// Goes on in the upper half, with the table in t0, the struct cpu in tp (both physical) and the view's offset in s2.
// There is no page in common with here: the next fetch faults, and the trap vector is where we want to be.
start_paging:
        srli    t0, t0, 12
        li      t1, SATP_MODE
        or      t0, t0, t1
start_paging_with:
        lla     t1, trampoline_root
        srli    t1, t1, 12
        li      t2, SATP_MODE
        or      t1, t1, t2
        lla     t2, 1f
        add     t2, t2, s2
        csrw    stvec, t2
        add     ra, ra, s2
        add     tp, tp, s2
        sfence.vma
        csrw    satp, t1
        // Where the two addresses are the same, it just goes on.
        .balign 4
1:      lla     t1, trap_entry
        csrw    stvec, t1
        csrw    satp, t0
        sfence.vma
        csrw    sscratch, zero
        li      t1, SSTATUS_OFF
        csrc    sstatus, t1
        csrw    scounteren, zero
        REG_L   sp, CPU_STACK(tp)
        bnez    sp, 2f
        lla     sp, stacks              // the first hart's, which nobody has set yet
        li      t1, STACK_GUARD + STACK_SIZE
        add     sp, sp, t1
2:      ret

        .bss
        .balign 4096
boot_root:
        .space  4096
trampoline_root:
        .space  4096
        .section .note.GNU-stack, "", @progbits
