// The capsules' SBI firmware (RISC-V SBI specification 2.0). One file for each group of extensions.
#pragma once

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

#define SBI_VERSION 0x02000000UL
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

// a0 to a7 of a call.
#define ARGUMENT(v, n) ((v)->context.x[10 + (n)])

// Answers the call: error in a0, value in a1.
static inline enum exit sbi_return(struct vcore *v, long error, unsigned long value)
{
    v->context.x[10] = (unsigned long)error;
    v->context.x[11] = value;
    return EXIT_RESUME;
}

// Serves the call that trapped; mepc is moved on. The context has caller-saved registers only.
enum exit sbi_call(struct vcore *v);

enum exit sbi_time(struct vcore *v, unsigned long function);
enum exit sbi_ipi(struct vcore *v, unsigned long function);
enum exit sbi_rfence(struct vcore *v, unsigned long function);
enum exit sbi_hsm(struct vcore *v, unsigned long function);
enum exit sbi_srst(struct vcore *v, unsigned long function);
enum exit sbi_dbcn(struct vcore *v, unsigned long function);
enum exit sbi_legacy(struct vcore *v, unsigned long extension);

// The vcores that a mask and its base name; false if one of them does not exist.
bool sbi_harts(const struct vcore *v, unsigned long mask, unsigned long base, uint64_t *vcores);
void sbi_set_timer(struct vcore *v, uint64_t guest_time);
void sbi_send_ipi(struct vcore *v, uint64_t vcores);
enum exit sbi_shutdown(struct vcore *v);
// The call is made again: what it needs is not there yet.
static inline enum exit sbi_again(void)
{
    csr_write(CSR_MEPC, csr_read(CSR_MEPC) - 4);
    return EXIT_RESUME;
}
