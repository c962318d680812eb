// SBI calls, as RISC-V SBI Specification 3.0 numbers them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "csr.h"

enum sbi_extension {
    SBI_BASE = 0x10,
    SBI_TIME = 0x54494D45,
    SBI_IPI = 0x735049,
    SBI_RFENCE = 0x52464E43,
    SBI_HSM = 0x48534D,
    SBI_SRST = 0x53525354,
    SBI_DBCN = 0x4442434E,
    SBI_PMU = 0x504D55,
    SBI_SUSP = 0x53555350,
    SBI_CPPC = 0x43505043,
    SBI_NACL = 0x4E41434C,
    SBI_STA = 0x535441,
    SBI_FWFT = 0x46574654,
    SBI_SSE = 0x535345,
    SBI_DBTR = 0x44425452,
    SBI_MPXY = 0x4D505859,
};

enum sbi_legacy {
    LEGACY_SET_TIMER,
    LEGACY_PUTCHAR,
    LEGACY_GETCHAR,
    LEGACY_CLEAR_IPI,
    LEGACY_SEND_IPI,
    LEGACY_FENCE_I,
    LEGACY_SFENCE_VMA,
    LEGACY_SFENCE_VMA_ASID,
    LEGACY_SHUTDOWN,
};

enum {
    BASE_SPEC_VERSION,
    BASE_IMPLEMENTATION_ID,
    BASE_IMPLEMENTATION_VERSION,
    BASE_PROBE,
    BASE_MVENDORID,
    BASE_MARCHID,
    BASE_MIMPID,
};

enum {
    RFENCE_FENCE_I,
    RFENCE_SFENCE_VMA,
    RFENCE_SFENCE_VMA_ASID,
    RFENCE_HFENCE_GVMA_VMID,
    RFENCE_HFENCE_GVMA,
    RFENCE_HFENCE_VVMA_ASID,
    RFENCE_HFENCE_VVMA,
    RFENCE_COUNT,
};

enum { HSM_START, HSM_STOP, HSM_STATUS, HSM_SUSPEND };
enum { HART_STARTED, HART_STOPPED, HART_START_PENDING, HART_STOP_PENDING, HART_SUSPENDED, HART_SUSPEND_PENDING };
#define SUSPEND_RETENTIVE 0u
#define SUSPEND_NON_RETENTIVE 0x80000000u

enum { RESET_SHUTDOWN, RESET_COLD_REBOOT, RESET_WARM_REBOOT };
enum { REASON_NONE, REASON_FAILURE };

enum { DBCN_WRITE, DBCN_READ, DBCN_WRITE_BYTE };

enum {
    PMU_NUM_COUNTERS,
    PMU_GET_INFO,
    PMU_CONFIG_MATCHING,
    PMU_START,
    PMU_STOP,
    PMU_FW_READ,
    PMU_FW_READ_HI,
    PMU_SNAPSHOT,
    PMU_EVENT_INFO,
};
enum { PMU_CONFIG_SKIP_MATCH = 1, PMU_CONFIG_CLEAR = 2, PMU_CONFIG_START = 4 };
enum { PMU_START_SET_VALUE = 1, PMU_START_SNAPSHOT = 2 };
enum { PMU_STOP_RESET = 1, PMU_STOP_SNAPSHOT = 2 };

enum { FWFT_SET, FWFT_GET };
enum { FWFT_LOCK = 1 };

enum sbi_error {
    SBI_SUCCESS = 0,
    SBI_FAILED = -1,
    SBI_NOT_SUPPORTED = -2,
    SBI_INVALID_PARAM = -3,
    SBI_DENIED = -4,
    SBI_INVALID_ADDRESS = -5,
    SBI_ALREADY_AVAILABLE = -6,
    SBI_ALREADY_STARTED = -7,
    SBI_ALREADY_STOPPED = -8,
    SBI_NO_SHMEM = -9,
    SBI_DENIED_LOCKED = -14,
};

#define IMPLEMENTATION_DIOSIX 5

struct sbi_result {
    long error;
    unsigned long value;
};

// The general call: six arguments, function and extension.
#define sbi_call6(extension, function, x0, x1, x2, x3, x4, x5)                                                         \
    ({                                                                                                                 \
        register unsigned long a0_ __asm__("a0") = (unsigned long)(x0);                                                \
        register unsigned long a1_ __asm__("a1") = (unsigned long)(x1);                                                \
        register unsigned long a2_ __asm__("a2") = (unsigned long)(x2);                                                \
        register unsigned long a3_ __asm__("a3") = (unsigned long)(x3);                                                \
        register unsigned long a4_ __asm__("a4") = (unsigned long)(x4);                                                \
        register unsigned long a5_ __asm__("a5") = (unsigned long)(x5);                                                \
        register unsigned long a6_ __asm__("a6") = (unsigned long)(function);                                          \
        register unsigned long a7_ __asm__("a7") = (unsigned long)(extension);                                         \
        __asm__ volatile("ecall"                                                                                       \
                         : "+r"(a0_), "+r"(a1_)                                                                        \
                         : "r"(a2_), "r"(a3_), "r"(a4_), "r"(a5_), "r"(a6_), "r"(a7_)                                  \
                         : "memory");                                                                                  \
        (struct sbi_result){(long)a0_, a1_};                                                                           \
    })
#define sbi_call3(extension, function, x0, x1, x2) sbi_call6(extension, function, x0, x1, x2, 0, 0, 0)
#define sbi_call0(extension, function) sbi_call6(extension, function, 0, 0, 0, 0, 0, 0)

// A 64-bit argument takes two registers on RV32.
struct sbi_result sbi_set_timer(uint64_t when);
bool sbi_has(unsigned long extension);
bool sbi_is_diosix(void);
void sbi_send_ipi(unsigned long mask, unsigned long base);
// Masks start at `base`; the range is virtual.
struct sbi_result sbi_fence(unsigned long function, unsigned long mask, unsigned long base);
struct sbi_result sbi_fence_range(unsigned long function, unsigned long mask, unsigned long base, unsigned long start,
                                  unsigned long size);
struct sbi_result sbi_console(unsigned long function, unsigned long bytes, unsigned long low, unsigned long high);
_Noreturn void sbi_reset(unsigned long type, unsigned long reason);
