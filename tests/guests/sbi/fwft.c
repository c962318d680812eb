// FWFT, on the last hart: locks stay until it is stopped and started.
#include "hsm.h"
#include "suite.h"

enum { MISALIGNED_DELEGATION, LANDING_PAD, SHADOW_STACK, DOUBLE_TRAP, AD_UPDATING, POINTER_MASKING, RESERVED };

static struct sbi_result set(unsigned long feature, unsigned long value, unsigned long flags)
{
    return sbi_call3(SBI_FWFT, FWFT_SET, feature, value, flags);
}
static struct sbi_result get(unsigned long feature)
{
    return sbi_call3(SBI_FWFT, FWFT_GET, feature, 0, 0);
}

void fwft_unknown(void)
{
    only_diosix();
    static const unsigned long reserved[] = {RESERVED, 0x3fffffff, 0x40000000, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        check_error(set(reserved[i], 0, 0), SBI_DENIED);
        struct sbi_result r = get(reserved[i]);
        check(r.error == SBI_DENIED && r.value == 0, "error %ld value %lx", r.error, r.value);
    }
    for (unsigned long feature = LANDING_PAD; feature <= POINTER_MASKING; feature++) {
        check_error(set(feature, 0, 0), SBI_NOT_SUPPORTED);
        check_error(get(feature), SBI_NOT_SUPPORTED);
    }
}

void fwft_set(void)
{
    only_diosix();
    struct sbi_result r = get(MISALIGNED_DELEGATION);
    check(r.error == 0 && r.value == 0, "error %ld value %lx", r.error, r.value);
    check_error(set(MISALIGNED_DELEGATION, 2, 0), SBI_INVALID_PARAM);
    check_error(set(MISALIGNED_DELEGATION, 1, 2), SBI_INVALID_PARAM);
    check(get(MISALIGNED_DELEGATION).value == 0, "changed by what failed");
    check_error(set(MISALIGNED_DELEGATION, 1, 0), SBI_SUCCESS);
    check(get(MISALIGNED_DELEGATION).value == 1, "not set");
    check_error(set(MISALIGNED_DELEGATION, 0, 0), SBI_SUCCESS);
    check(get(MISALIGNED_DELEGATION).value == 0, "not cleared");
}

static struct {
    struct sbi_result lock, again, value;
} seen;

static void lock(void *argument)
{
    (void)argument;
    seen.lock = set(MISALIGNED_DELEGATION, 1, FWFT_LOCK);
    seen.again = set(MISALIGNED_DELEGATION, 0, 0);
    seen.value = get(MISALIGNED_DELEGATION);
}

static void look(void *argument)
{
    (void)argument;
    seen.value = get(MISALIGNED_DELEGATION);
    seen.again = set(MISALIGNED_DELEGATION, 0, 0);
}

void fwft_lock(void)
{
    only_diosix();
    skip_if(harts_online < 2, "one hart");
    hart_run(hsm_victim(), lock, NULL);
    check(hart_wait(hsm_victim()), "did not come back");
    check(seen.lock.error == 0 && seen.value.value == 1, "error %ld value %lu", seen.lock.error, seen.value.value);
    check(seen.again.error == SBI_DENIED_LOCKED, "error %ld", seen.again.error);
    check(get(MISALIGNED_DELEGATION).value == 0, "set on another hart");
    check(hsm_victim_stop() && hsm_victim_restart(), "did not restart");
    hart_run(hsm_victim(), look, NULL);
    check(hart_wait(hsm_victim()), "did not come back");
    check(seen.value.value == 0, "not reset with its hart: %lu", seen.value.value);
    check(seen.again.error == 0, "still locked: error %ld", seen.again.error);
}

static void atomic_misaligned(void *argument)
{
    unsigned long address = (unsigned long)argument + 1;
    __asm__ volatile("amoadd.w zero, zero, (%0)" ::"r"(address) : "memory");
}

static unsigned long misaligned_count(const unsigned long counters[2])
{
    unsigned long sum = 0;
    for (int i = 0; i < 2; i++)
        sum += sbi_call3(SBI_PMU, PMU_FW_READ, counters[i], 0, 0).value;
    return sum;
}

// Harts that do misaligned accesses themselves still refuse misaligned atomics (as a load, on a QEMU of one
// hart). The guest sees the exception either way; what differs is whether the firmware saw it, which its
// counters tell.
void fwft_delegates(void)
{
    only_diosix();
    static uint32_t words[2];
    unsigned long counters[2], counts[2], cause = 0;
    for (unsigned long i = 0; i < 2; i++)
        counters[i] =
            sbi_call6(SBI_PMU, PMU_CONFIG_MATCHING, 0, 0x7f8, PMU_CONFIG_CLEAR | PMU_CONFIG_START, 0xf0000 | i, 0, 0)
                .value;
    for (unsigned long delegated = 0; delegated < 2; delegated++) {
        (void)set(MISALIGNED_DELEGATION, delegated, 0);
        unsigned long before = misaligned_count(counters);
        bool trapped = guard_call(atomic_misaligned, words);
        cause = trapped ? hart_self()->trap.cause : 0;
        counts[delegated] = misaligned_count(counters) - before;
    }
    set(MISALIGNED_DELEGATION, 0, 0);
    for (int i = 0; i < 2; i++)
        sbi_call3(SBI_PMU, PMU_STOP, counters[i], 1, PMU_STOP_RESET);
    skip_if(cause == CAUSE_STORE_ACCESS, "no misaligned exceptions here");
    check(cause == CAUSE_STORE_MISALIGNED || cause == CAUSE_LOAD_MISALIGNED, "cause %lu", cause);
    check(counts[0] == 1 && counts[1] == 0, "%lu came undelegated, %lu delegated", counts[0], counts[1]);
}
