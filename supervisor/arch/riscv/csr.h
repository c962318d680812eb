// Control and status registers, by number: any assembler takes them, whatever extensions it knows.
#pragma once

#include "xlen.h"

#define CSR_SEED 0x015
#define CSR_TIME 0xc01
#define CSR_TIMEH 0xc81
#define CSR_SSTATUS 0x100
#define CSR_SIE 0x104
#define CSR_STVEC 0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SSCRATCH 0x140
#define CSR_SEPC 0x141
#define CSR_SCAUSE 0x142
#define CSR_STVAL 0x143
#define CSR_SIP 0x144
#define CSR_STIMECMP 0x14d
#define CSR_STIMECMPH 0x15d
#define CSR_SATP 0x180

// SIE, SPP, VS, FS, SUM, MXR: the kernel has interrupts off and does not look at programs' pages, programs have no
// floating point and no vectors.
#define SSTATUS_OFF (1 << 1 | 1 << 8 | 3 << 9 | 3 << 13 | 1 << 18 | 1 << 19)

#define INTERRUPT_SOFT 1 // bits of sie, sip; codes in scause
#define INTERRUPT_TIMER 5
#define INTERRUPT_EXTERNAL 9

#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_CALL 8
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15

#ifndef __ASSEMBLER__
#include <stdint.h>

#define CSR_TEXT(x) XLEN_TEXT(x)

#define csr_read(number)                                                                                               \
    __extension__({                                                                                                    \
        uintptr_t value_;                                                                                              \
        __asm__ volatile("csrr %0, " CSR_TEXT(number) : "=r"(value_)::"memory");                                       \
        value_;                                                                                                        \
    })
#define csr_write(number, value) __asm__ volatile("csrw " CSR_TEXT(number) ", %0" ::"rK"((uintptr_t)(value)) : "memory")
#define csr_set(number, value) __asm__ volatile("csrs " CSR_TEXT(number) ", %0" ::"rK"((uintptr_t)(value)) : "memory")
#define csr_clear(number, value) __asm__ volatile("csrc " CSR_TEXT(number) ", %0" ::"rK"((uintptr_t)(value)) : "memory")
#endif
