// Control and status registers: numbers, fields and access (RISC-V privileged specification).
//
// Numbers rather than names, so that any assembler version takes them whatever extensions it
// knows. On RV32 the upper half of a 64-bit CSR lies at the number + 0x10 (`time`: + 0x80).
#pragma once

#include "xlen.h"

// Unprivileged
#define CSR_FCSR 0x003
#define CSR_VSTART 0x008
#define CSR_VCSR 0x00f
#define CSR_SEED 0x015
#define CSR_CYCLE 0xc00
#define CSR_TIME 0xc01
#define CSR_TIMEH 0xc81
#define CSR_VL 0xc20
#define CSR_VTYPE 0xc21
#define CSR_VLENB 0xc22

// Supervisor; the VS-mode copy of each, where it has one, lies at the number + 0x100
#define CSR_SSTATUS 0x100
#define CSR_SIE 0x104
#define CSR_STVEC 0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SENVCFG 0x10a
#define CSR_SSTATEEN0 0x10c
#define CSR_SSCRATCH 0x140
#define CSR_SEPC 0x141
#define CSR_SCAUSE 0x142
#define CSR_STVAL 0x143
#define CSR_SIP 0x144
#define CSR_STIMECMP 0x14d
#define CSR_SISELECT 0x150
#define CSR_SATP 0x180
#define CSR_VS_OFFSET 0x100

// Hypervisor
#define CSR_HSTATUS 0x600
#define CSR_HEDELEG 0x602
#define CSR_HIDELEG 0x603
#define CSR_HIE 0x604
#define CSR_HTIMEDELTA 0x605
#define CSR_HCOUNTEREN 0x606
#define CSR_HGEIE 0x607
#define CSR_HENVCFG 0x60a
#define CSR_HSTATEEN0 0x60c
#define CSR_HVICTL 0x609
#define CSR_HVIP 0x645
#define CSR_HGATP 0x680

// Machine
#define CSR_MSTATUS 0x300
#define CSR_MISA 0x301
#define CSR_MEDELEG 0x302
#define CSR_MIDELEG 0x303
#define CSR_MIE 0x304
#define CSR_MTVEC 0x305
#define CSR_MCOUNTEREN 0x306
#define CSR_MENVCFG 0x30a
#define CSR_MSTATEEN0 0x30c
#define CSR_MSTATUSH 0x310
#define CSR_MCOUNTINHIBIT 0x320
#define CSR_MSCRATCH 0x340
#define CSR_MEPC 0x341
#define CSR_MCAUSE 0x342
#define CSR_MTVAL 0x343
#define CSR_MIP 0x344
#define CSR_MTINST 0x34a
#define CSR_MTVAL2 0x34b
#define CSR_PMPCFG0 0x3a0
#define CSR_PMPADDR0 0x3b0
#define CSR_MNSTATUS 0x744
#define CSR_MCYCLE 0xb00 // and cycle 0xc00
#define CSR_MINSTRET 0xb02
#define CSR_MSECCFG 0x747
#define CSR_MVENDORID 0xf11
#define CSR_MARCHID 0xf12
#define CSR_MIMPID 0xf13
#define CSR_MHARTID 0xf14

// mstatus and sstatus
#define STATUS_SIE (1UL << 1)
#define STATUS_MIE (1UL << 3)
#define STATUS_SPIE (1UL << 5)
#define STATUS_MPIE (1UL << 7)
#define STATUS_SPP (1UL << 8)
#define STATUS_VS_SHIFT 9
#define STATUS_VS (3UL << STATUS_VS_SHIFT)
#define STATUS_MPP_SHIFT 11
#define STATUS_MPP (3UL << STATUS_MPP_SHIFT)
#define STATUS_MPP_S (1UL << STATUS_MPP_SHIFT)
#define STATUS_FS_SHIFT 13
#define STATUS_FS (3UL << STATUS_FS_SHIFT)
#define STATUS_FS_INITIAL (1UL << STATUS_FS_SHIFT)
#define STATUS_VS_INITIAL (1UL << STATUS_VS_SHIFT)
#define STATUS_MPRV (1UL << 17)
#define STATUS_SUM (1UL << 18)
#define STATUS_MXR (1UL << 19)
#define STATUS_TVM (1UL << 20)
#define STATUS_TW (1UL << 21)
#define STATUS_TSR (1UL << 22)
#define EXTENSION_OFF 0UL // FS and VS field values
#define EXTENSION_INITIAL 1UL
#define EXTENSION_CLEAN 2UL
#define EXTENSION_DIRTY 3UL
// In mstatus on RV64, in mstatush (32 lower) on RV32
#define STATUS64_GVA (1ULL << 38)
#define STATUS64_MPV (1ULL << 39)
#define STATUS64_UXL_64 (2ULL << 32)
#define STATUS64_SXL_64 (2ULL << 34)

#if XLEN == 64
#define CSR_STATUS_MDT CSR_MSTATUS // where the double-trap bit lies, and as what
#define STATUS_MDT (1 << 42)
#else
#define CSR_STATUS_MDT CSR_MSTATUSH
#define STATUS_MDT (1 << 10)
#endif

// mnstatus (Smrnmi)
#define MNSTATUS_NMIE 8

// hstatus
#define HSTATUS_SPV (1UL << 7)
#define HSTATUS_VTW (1UL << 21)
#define HSTATUS64_VSXL_64 (2ULL << 32)

// Interrupt numbers; VS-level interrupts are the S-level ones shifted left by one
#define INTERRUPT_S_SOFT 1
#define INTERRUPT_M_SOFT 3
#define INTERRUPT_S_TIMER 5
#define INTERRUPT_M_TIMER 7
#define INTERRUPT_S_EXTERNAL 9
#define INTERRUPT_M_EXTERNAL 11
#define INTERRUPT_S_ALL ((1UL << INTERRUPT_S_SOFT) | (1UL << INTERRUPT_S_TIMER) | (1UL << INTERRUPT_S_EXTERNAL))
#define INTERRUPT_VS_ALL (INTERRUPT_S_ALL << 1)
#define INTERRUPT_M_ALL ((1UL << INTERRUPT_M_SOFT) | (1UL << INTERRUPT_M_TIMER) | (1UL << INTERRUPT_M_EXTERNAL))

// Causes
#define CAUSE_INTERRUPT (1UL << (XLEN - 1))
#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_U 8
#define CAUSE_ECALL_S 9
#define CAUSE_ECALL_VS 10
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
#define CAUSE_SOFTWARE_CHECK 18
#define CAUSE_FETCH_GUEST_PAGE 20
#define CAUSE_LOAD_GUEST_PAGE 21
#define CAUSE_VIRTUAL_INSTRUCTION 22
#define CAUSE_STORE_GUEST_PAGE 23

// menvcfg, henvcfg, senvcfg
#define ENVCFG_FIOM (1ULL << 0)
#define ENVCFG_CBIE_FLUSH (1ULL << 4)
#define ENVCFG_CBCFE (1ULL << 6)
#define ENVCFG_CBZE (1ULL << 7)
#define ENVCFG_ADUE (1ULL << 61)
#define ENVCFG_PBMTE (1ULL << 62)
#define ENVCFG_STCE (1ULL << 63)

// mstateen0, hstateen0
#define STATEEN0_ENVCFG (1ULL << 62)

// counteren
#define COUNTEREN_CY_TM_IR 7UL
// mcountinhibit
#define COUNTINHIBIT_CY_IR 5UL

#ifndef __ASSEMBLER__

#include "types.h"

#define csr_read(csr)                                                                                                  \
    ({                                                                                                                 \
        unsigned long csr_value_;                                                                                      \
        __asm__ volatile("csrr %0, %1" : "=r"(csr_value_) : "i"(csr));                                                 \
        csr_value_;                                                                                                    \
    })
#define csr_write(csr, value) __asm__ volatile("csrw %0, %1" : : "i"(csr), "rK"((unsigned long)(value)) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs %0, %1" : : "i"(csr), "rK"((unsigned long)(bits)) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc %0, %1" : : "i"(csr), "rK"((unsigned long)(bits)) : "memory")
#define csr_swap(csr, value)                                                                                           \
    ({                                                                                                                 \
        unsigned long csr_value_;                                                                                      \
        __asm__ volatile("csrrw %0, %1, %2" : "=r"(csr_value_) : "i"(csr), "rK"((unsigned long)(value)) : "memory");   \
        csr_value_;                                                                                                    \
    })

#if XLEN == 64
#define csr_read64(csr) ((uint64_t)csr_read(csr))
#define csr_write64(csr, value) csr_write(csr, value)
#define csr_set64(csr, bits) csr_set(csr, bits)
#define csr_clear64(csr, bits) csr_clear(csr, bits)
#else
#define csr_read64(csr) ((uint64_t)csr_read((csr) + 0x10) << 32 | csr_read(csr))
#define csr_write64(csr, value)                                                                                        \
    do {                                                                                                               \
        uint64_t csr_wide_ = (value);                                                                                  \
        csr_write(csr, (uint32_t)csr_wide_);                                                                           \
        csr_write((csr) + 0x10, (uint32_t)(csr_wide_ >> 32));                                                          \
    } while (0)
#define csr_set64(csr, bits)                                                                                           \
    do {                                                                                                               \
        csr_set(csr, (uint32_t)(bits));                                                                                \
        csr_set((csr) + 0x10, (uint32_t)((uint64_t)(bits) >> 32));                                                     \
    } while (0)
#define csr_clear64(csr, bits)                                                                                         \
    do {                                                                                                               \
        csr_clear(csr, (uint32_t)(bits));                                                                              \
        csr_clear((csr) + 0x10, (uint32_t)((uint64_t)(bits) >> 32));                                                   \
    } while (0)
#endif

// mcycle, minstret: they go on counting between the halves.
#if XLEN == 64
#define csr_read_counter(csr) ((uint64_t)csr_read(csr))
#define csr_write_counter(csr, value) csr_write(csr, value)
#else
#define csr_read_counter(csr)                                                                                          \
    ({                                                                                                                 \
        unsigned long csr_high_, csr_low_;                                                                             \
        do {                                                                                                           \
            csr_high_ = csr_read((csr) + 0x80);                                                                        \
            csr_low_ = csr_read(csr);                                                                                  \
        } while (csr_high_ != csr_read((csr) + 0x80));                                                                 \
        (uint64_t) csr_high_ << 32 | csr_low_;                                                                         \
    })
#define csr_write_counter(csr, value)                                                                                  \
    do {                                                                                                               \
        uint64_t csr_wide_ = (value);                                                                                  \
        csr_write(csr, 0);                                                                                             \
        csr_write((csr) + 0x80, (uint32_t)(csr_wide_ >> 32));                                                          \
        csr_write(csr, (uint32_t)csr_wide_);                                                                           \
    } while (0)
#endif

// stimecmp and vstimecmp: on RV32 the order keeps the comparison from firing in between.
#if XLEN == 64
#define csr_write_timecmp(csr, value) csr_write(csr, value)
#else
#define csr_write_timecmp(csr, value)                                                                                  \
    do {                                                                                                               \
        uint64_t csr_wide_ = (value);                                                                                  \
        csr_write(csr, ~0UL);                                                                                          \
        csr_write((csr) + 0x10, (uint32_t)(csr_wide_ >> 32));                                                          \
        csr_write(csr, (uint32_t)csr_wide_);                                                                           \
    } while (0)
#endif

// The `time` CSR, on harts that have it.
static inline uint64_t csr_read_time(void)
{
#if XLEN == 64
    return csr_read(CSR_TIME);
#else
    unsigned long high, low;
    do {
        high = csr_read(CSR_TIMEH);
        low = csr_read(CSR_TIME);
    } while (high != csr_read(CSR_TIMEH));
    return (uint64_t)high << 32 | low;
#endif
}

// mstatus with its upper half, as one 64-bit value on both widths.
#define mstatus_read64() csr_read64(CSR_MSTATUS)

// Puts one row into the table that own_trap consults: a fault at `insn` continues at `cure`.
#define FIXUP(insn, cure)                                                                                              \
    ".pushsection .fixups, \"a\"\n"                                                                                    \
    ".balign 4\n"                                                                                                      \
    ".word " insn " - .\n"                                                                                             \
    ".word " cure " - .\n"                                                                                             \
    ".popsection\n"

// Reads a CSR that may not exist: false, and value untouched, if the access trapped.
#define csr_probe(csr, value)                                                                                          \
    ({                                                                                                                 \
        unsigned long probe_value_ = 0, probe_ok_;                                                                     \
        __asm__ volatile("li %1, 0\n"                                                                                  \
                         "1: csrr %0, %2\n"                                                                            \
                         "li %1, 1\n"                                                                                  \
                         "2:\n" FIXUP("1b", "2b")                                                                      \
                         : "+r"(probe_value_), "=&r"(probe_ok_)                                                        \
                         : "i"(csr)                                                                                    \
                         : "memory");                                                                                  \
        *(value) = probe_value_;                                                                                       \
        probe_ok_ != 0;                                                                                                \
    })

#endif // __ASSEMBLER__
