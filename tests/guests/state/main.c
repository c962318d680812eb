#include "suite.h"

static const struct test tests[] = {
    {"trap.illegal", trap_illegal},
    {"trap.pages", trap_pages},
    {"trap.access", trap_access},
    {"trap.user", trap_user},
    {"trap.misaligned", trap_misaligned},
    {"clock.near-zero", clock_near_zero},
    {"clock.monotone", clock_monotone},
    {"timer.sbi-and-direct", timer_both},
    {"timer.direct", timer_direct},
    {"wfi.timer", wfi_timer},
    {"wfi.ipi", wfi_ipi},
    {"registers.preempted", registers_preempted},
    {"float.preempted", float_preempted},
    {"float.off-kept", float_off_kept},
    {"float.off-traps", float_off_traps},
    {"vector.preempted", vector_preempted},
    {"vector.asleep", vector_asleep},
    {"controls.preempted", controls_preempted},
    {"csrs.preempted", csrs_preempted},
    {"all.preempted", all_preempted},
    {"ipi.ring", ipi_ring},
    {"atomics", atomics},
    {"fence.code", fence_code},
    {"fence.pages", fence_pages},
    {"fence.ranges", fence_ranges},
};

int payload_main(void)
{
    if (!harts_start())
        print("FAIL start: not all harts came up\n");
    return suite_run("state", tests, sizeof tests / sizeof tests[0]);
}
