// SBI calls and other plain exits.
#include "micro.h"

static void null_call(void)
{
    sbi_call0(SBI_BASE, BASE_SPEC_VERSION);
}
static void set_timer(void)
{
    sbi_set_timer((uint64_t)1 << 60);
}
static void unknown_extension(void)
{
    sbi_call0(0x12345678, 0);
}
static void fence_self(void)
{
    sbi_call3(SBI_RFENCE, RFENCE_FENCE_I, 1, hart_self()->id, 0);
}
static void sfence_self(void)
{
    sbi_fence(RFENCE_SFENCE_VMA, 1, hart_self()->id);
}
static void hart_status(void)
{
    sbi_call3(SBI_HSM, HSM_STATUS, hart_self()->id, 0, 0);
}
static void time_read(void)
{
    (void)csr_read(time);
}
static void sfence_local(void)
{
    fence_vma();
}

void micro_calls(void)
{
    measure("null_call", null_call, 1000);
    measure("set_timer", set_timer, 1000);
    measure("unknown_extension", unknown_extension, 1000);
    measure("remote_fence_i_self", fence_self, 1000);
    measure("remote_sfence_self", sfence_self, 1000);
    measure("hart_status", hart_status, 1000);
    measure("rdtime", time_read, 1000);
    measure("sfence_vma", sfence_local, 1000);
}
