// Word size, for assembly and C: registers, page tables (RISC-V privileged specification, "Sv32", "Sv39").
#pragma once

#if __riscv_xlen == 64
#define REG_L ld
#define REG_S sd
#define REG_BYTES 8
#define TABLE_LEVELS 3
#define TABLE_BITS 9
#define KERNEL_BASE 0xffffffc000000000 // the upper half: RAM from here on
#define KERNEL_SPAN 0x3000000000       // of addresses for RAM, what follows is for devices
#define IMAGE_OFFSET 0x200000          // where SBI firmware puts a kernel in RAM
#define SATP_MODE 0x8000000000000000
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK 0xffff
#else
#define REG_L lw
#define REG_S sw
#define REG_BYTES 4
#define TABLE_LEVELS 2
#define TABLE_BITS 10
#define KERNEL_BASE 0x80000000
#define KERNEL_SPAN 0x40000000
#define IMAGE_OFFSET 0x400000
#define SATP_MODE 0x80000000
#define SATP_ASID_SHIFT 22
#define SATP_ASID_MASK 0x1ff
#endif

#define ENTRY_SPAN_SHIFT (12 + TABLE_BITS * (TABLE_LEVELS - 1)) // what an entry of the root table maps

// Where a frame has what (frame.h checks it). Register n is at n * REG_BYTES, the pc in place of register 0.
#define FRAME_REG(n) ((n)*REG_BYTES)
#define FRAME_PC 0
#define FRAME_KIND (32 * REG_BYTES)
#define FRAME_CPU (33 * REG_BYTES)

#define FRAME_WHOLE 0 // all registers are there
#define FRAME_CALL 1  // a system call, from where sepc says: what is callee-saved is in the registers themselves
#define FRAME_FRESH 2 // a new run: only t0, a0 to a7, sp and pc are there, all others are 0

// The same of struct cpu (cpu.h).
#define CPU_STACK (0 * REG_BYTES)
#define CPU_EMERGENCY (1 * REG_BYTES)
#define CPU_SATP (2 * REG_BYTES)
#define CPU_FIXUP (3 * REG_BYTES)
#define CPU_SAVED (4 * REG_BYTES)
#define CPU_FRAME (5 * REG_BYTES)
#define CPU_HART (6 * REG_BYTES)

#define XLEN_TEXT_(x) #x
#define XLEN_TEXT(x) XLEN_TEXT_(x)

// A hart's stacks: the kernel's, with a page that is not there below it, and the one for the kernel's own faults.
#define STACK_GUARD 4096
#define STACK_SIZE 8192
#define STACK_EMERGENCY 4096
