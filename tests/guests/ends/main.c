// Ends its capsule in the way that the boot argument end= names.
#include <string.h>

#include "test.h"

static void stop_self(void *argument)
{
    (void)argument;
    sbi_call0(SBI_HSM, HSM_STOP);
}

static void stop_all(void)
{
    for (unsigned i = 1; i < harts_online; i++)
        hart_run(&harts[i], stop_self, NULL);
    stop_self(NULL);
}

static void finisher(uint32_t code)
{
    *(volatile uint32_t *)(unsigned long)tree.finisher.base = code;
}
static void finisher_pass(void)
{
    finisher(0x5555);
}
static void finisher_fail(void)
{
    finisher(0x3333 | 7 << 16);
}
static void finisher_reset(void)
{
    finisher(0x7777);
}
static void shutdown(void)
{
    sbi_reset(RESET_SHUTDOWN, REASON_NONE);
}
static void failure(void)
{
    sbi_reset(RESET_SHUTDOWN, REASON_FAILURE);
}
static void reboot_cold(void)
{
    sbi_reset(RESET_COLD_REBOOT, REASON_NONE);
}
static void reboot_warm(void)
{
    sbi_reset(RESET_WARM_REBOOT, REASON_NONE);
}
static void legacy_shutdown(void)
{
    sbi_call0(LEGACY_SHUTDOWN, 0);
}
static void never(void)
{
    for (;;)
        wfi();
}

static const struct {
    const char *name;
    void (*end)(void);
} ends[] = {
    {"shutdown", shutdown},           {"failure", failure},
    {"reboot-cold", reboot_cold},     {"reboot-warm", reboot_warm},
    {"legacy", legacy_shutdown},      {"finisher-pass", finisher_pass},
    {"finisher-fail", finisher_fail}, {"finisher-reset", finisher_reset},
    {"stop-all", stop_all},           {"never", never},
};

int payload_main(void)
{
    char wanted[24] = "shutdown";
    tree_option("end", wanted, sizeof wanted);
    harts_start();
    print("START ends: %s, %u harts, time %llu\n", wanted, harts_online, (long long unsigned)time_now());
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (!strcmp(ends[i].name, wanted))
            ends[i].end();
    print("FAIL ends: %s came back\n", wanted);
    return REASON_FAILURE;
}
