// RFENCE: error codes and arguments; that fences really fence is the state suite's business.
#include "suite.h"

void rfence_local(void)
{
    unsigned long id = hart_self()->id;
    for (unsigned long function = RFENCE_FENCE_I; function <= RFENCE_SFENCE_VMA_ASID; function++)
        check_error(sbi_fence(function, 1, id), SBI_SUCCESS);
    check_error(sbi_fence(RFENCE_FENCE_I, 0, 0), SBI_SUCCESS);
}

void rfence_remote(void)
{
    for (unsigned long function = RFENCE_FENCE_I; function <= RFENCE_SFENCE_VMA_ASID; function++) {
        check_error(sbi_fence(function, hart_mask(), 0), SBI_SUCCESS);
        check_error(sbi_fence(function, 0, -1ul), SBI_SUCCESS);
        check_error(sbi_fence(function, 0x55, -1ul), SBI_SUCCESS);
    }
}

void rfence_ranges(void)
{
    static const struct {
        unsigned long start, size;
    } ranges[] = {{0, 0}, {0, -1ul}, {0x1000, 1}, {0x1fff, 0x2001}, {0x40000000, 0x40000000}, {0, 0x100000}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        for (unsigned long f = RFENCE_SFENCE_VMA; f <= RFENCE_SFENCE_VMA_ASID; f++) {
            struct sbi_result r = sbi_call6(SBI_RFENCE, f, hart_mask(), 0, ranges[i].start, ranges[i].size, 3, 0);
            check(r.error == SBI_SUCCESS, "range %lx+%lx: error %ld", ranges[i].start, ranges[i].size, r.error);
        }
    // A range that wraps may be refused, and must not take long.
    struct sbi_result r = sbi_fence_range(RFENCE_SFENCE_VMA, 1, hart_self()->id, -4096ul, 8192);
    check(r.error == SBI_SUCCESS || r.error == SBI_INVALID_ADDRESS, "wrapping: error %ld", r.error);
}

void rfence_bad_hart(void)
{
    only_diosix();
    for (unsigned long function = RFENCE_FENCE_I; function <= RFENCE_SFENCE_VMA_ASID; function++) {
        check_error(sbi_fence(function, -1ul, 0), SBI_INVALID_PARAM);
        check_error(sbi_fence(function, 1, harts_count), SBI_INVALID_PARAM);
        check_error(sbi_fence(function, 2, -2ul), SBI_INVALID_PARAM);
    }
}

// No nested virtualization: the hypervisor fences are not for us.
void rfence_hypervisor(void)
{
    only_diosix();
    for (unsigned long function = RFENCE_HFENCE_GVMA_VMID; function <= RFENCE_HFENCE_VVMA; function++)
        check_error(sbi_fence(function, 1, hart_self()->id), SBI_NOT_SUPPORTED);
}
