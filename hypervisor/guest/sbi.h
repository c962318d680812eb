// The capsules' SBI firmware (RISC-V SBI specification 3.0). One file for each group of extensions.
#pragma once

#include "diosix.h"
#include "vcore.h"

#define SBI_SUCCESS 0L
#define SBI_ERR_FAILED (-1L)
#define SBI_ERR_NOT_SUPPORTED (-2L)
#define SBI_ERR_INVALID_PARAM (-3L)
#define SBI_ERR_DENIED (-4L)
#define SBI_ERR_INVALID_ADDRESS (-5L)
#define SBI_ERR_ALREADY_AVAILABLE (-6L)
#define SBI_ERR_ALREADY_STARTED (-7L)
#define SBI_ERR_ALREADY_STOPPED (-8L)
#define SBI_ERR_NO_SHMEM (-9L)
#define SBI_ERR_INVALID_STATE (-10L)
#define SBI_ERR_DENIED_LOCKED (-14L)

#define SBI_VERSION 0x03000000UL
#define SBI_IMPLEMENTATION_ID 5UL // assigned to Diosix
#define SBI_IMPLEMENTATION_VERSION 0x00010000UL

#define SBI_EXT_LEGACY_LAST 0x08UL // 0x00 to 0x08
#define SBI_EXT_BASE 0x10UL
#define SBI_EXT_TIME 0x54494d45UL
#define SBI_EXT_IPI 0x735049UL
#define SBI_EXT_RFENCE 0x52464e43UL
#define SBI_EXT_HSM 0x48534dUL
#define SBI_EXT_SRST 0x53525354UL
#define SBI_EXT_DBCN 0x4442434eUL
#define SBI_EXT_SUSP 0x53555350UL
#define SBI_EXT_PMU 0x504d55UL
#define SBI_EXT_STA 0x535441UL
#define SBI_EXT_FWFT 0x46574654UL

// a0 to a7 of a call.
#define ARGUMENT(v, n) ((v)->context.x[10 + (n)])

// Answers the call: error in a0, value in a1.
static inline enum exit sbi_return(struct vcore *v, long error, unsigned long value)
{
    v->context.x[10] = (unsigned long)error;
    v->context.x[11] = value;
    return EXIT_RESUME;
}

// A 64-bit value in a0 and up: one register on RV64, two on RV32, the low one first.
static inline uint64_t sbi_wide(const struct vcore *v, unsigned n)
{
    return XLEN == 64 ? ARGUMENT(v, n) : (uint64_t)ARGUMENT(v, n + 1) << 32 | ARGUMENT(v, n);
}

// A physical address in two registers, the low one first; what doesn't fit is the last byte of all.
static inline struct gpa sbi_address(const struct vcore *v, unsigned n)
{
    if (XLEN == 64)
        return gpa(ARGUMENT(v, n + 1) ? UINT64_MAX : ARGUMENT(v, n));
    return gpa(sbi_wide(v, n));
}

// Serves the call that trapped; mepc is moved on. The context has caller-saved registers only.
enum exit sbi_call(struct vcore *v);

enum exit sbi_time(struct vcore *v, unsigned long function);
enum exit sbi_ipi(struct vcore *v, unsigned long function);
enum exit sbi_rfence(struct vcore *v, unsigned long function);
enum exit sbi_hsm(struct vcore *v, unsigned long function);
enum exit sbi_srst(struct vcore *v, unsigned long function);
enum exit sbi_dbcn(struct vcore *v, unsigned long function);
enum exit sbi_susp(struct vcore *v, unsigned long function);
enum exit sbi_pmu(struct vcore *v, unsigned long function);
enum exit sbi_sta(struct vcore *v, unsigned long function);
enum exit sbi_fwft(struct vcore *v, unsigned long function);
enum exit sbi_legacy(struct vcore *v, unsigned long extension);

// Diosix's own extension, in manage/ above this folder.
enum exit sbi_diosix(struct vcore *v, unsigned long function);

// The vcores that a mask and its base name; false if one of them does not exist.
bool sbi_harts(const struct vcore *v, unsigned long mask, unsigned long base, uint64_t *vcores);
void sbi_set_timer(struct vcore *v, uint64_t guest_time);
void sbi_send_ipi(struct vcore *v, uint64_t vcores);
enum exit sbi_shutdown(struct vcore *v);

// The firmware counters of `v`, a copy of those of `from`, go on with the events of `v`, which count from 0.
void sbi_pmu_rebase(struct vcore *v, const struct vcore *from);

// How many ticks a second of hart_time() has: STA reports nanoseconds. Once, before any guest runs.
void sbi_sta_init(uint32_t timebase_hz);
// STA, of a vcore whose guest has asked for it (v->reports_steal): it is about to run (again), or makes way
// though it could go on. It is not loaded, and the caller's.
void sbi_sta_running(struct vcore *v);
void sbi_sta_preempted(struct vcore *v);

// The call is made again: what it needs is not there yet.
static inline enum exit sbi_again(void)
{
    csr_write(CSR_MEPC, csr_read(CSR_MEPC) - 4);
    return EXIT_RESUME;
}
