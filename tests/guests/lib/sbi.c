#include "sbi.h"

struct sbi_result sbi_set_timer(uint64_t when)
{
    if (XLEN == 64)
        return sbi_call3(SBI_TIME, 0, when, 0, 0);
    return sbi_call3(SBI_TIME, 0, when, when >> 32, 0);
}

bool sbi_has(unsigned long extension)
{
    struct sbi_result r = sbi_call3(SBI_BASE, BASE_PROBE, extension, 0, 0);
    return r.error == SBI_SUCCESS && r.value != 0;
}

bool sbi_is_diosix(void)
{
    return sbi_call0(SBI_BASE, BASE_IMPLEMENTATION_ID).value == IMPLEMENTATION_DIOSIX;
}

void sbi_send_ipi(unsigned long mask, unsigned long base)
{
    sbi_call3(SBI_IPI, 0, mask, base, 0);
}

struct sbi_result sbi_fence_range(unsigned long function, unsigned long mask, unsigned long base, unsigned long start,
                                  unsigned long size)
{
    return sbi_call6(SBI_RFENCE, function, mask, base, start, size, 0, 0);
}

struct sbi_result sbi_fence(unsigned long function, unsigned long mask, unsigned long base)
{
    return sbi_fence_range(function, mask, base, 0, (unsigned long)-1);
}

struct sbi_result sbi_console(unsigned long function, unsigned long bytes, unsigned long low, unsigned long high)
{
    return sbi_call3(SBI_DBCN, function, bytes, low, high);
}

_Noreturn void sbi_reset(unsigned long type, unsigned long reason)
{
    sbi_call3(SBI_SRST, 0, type, reason, 0);
    sbi_call0(LEGACY_SHUTDOWN, 0);
    for (;;)
        wfi();
}
