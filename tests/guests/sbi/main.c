// Conformance of the firmware: everything that SBI 2.0 asks of the extensions it offers.
#include "suite.h"

static const struct test tests[] = {
    {"base.version", base_version},
    {"base.implementation", base_implementation},
    {"base.probe", base_probe},
    {"base.identity", base_identity},
    {"unknown.extension", unknown_extension},
    {"unknown.functions", unknown_functions},
    {"unknown.absent", absent_extensions},
    {"time.future", timer_future},
    {"time.past", timer_past},
    {"time.cancel", timer_cancel},
    {"time.pending-cleared", timer_pending_cleared},
    {"time.accuracy", timer_accuracy},
    {"ipi.self", ipi_self},
    {"ipi.all", ipi_all},
    {"ipi.mask", ipi_mask},
    {"ipi.none", ipi_none},
    {"ipi.bad-hart", ipi_bad_hart},
    {"ipi.bad-base", ipi_bad_base},
    {"rfence.local", rfence_local},
    {"rfence.remote", rfence_remote},
    {"rfence.ranges", rfence_ranges},
    {"rfence.bad-hart", rfence_bad_hart},
    {"rfence.hypervisor", rfence_hypervisor},
    {"hsm.status", hsm_status},
    {"hsm.start-stop", hsm_start_stop},
    {"hsm.start-state", hsm_start_state},
    {"hsm.started-twice", hsm_started_twice},
    {"hsm.bad", hsm_bad},
    {"hsm.bad-address", hsm_bad_address},
    {"hsm.suspend-retentive", hsm_suspend_retentive},
    {"hsm.suspend-non-retentive", hsm_suspend_other},
    {"hsm.suspend-bad", hsm_suspend_bad},
    {"srst.bad", srst_bad},
    {"dbcn.write", dbcn_write},
    {"dbcn.write-byte", dbcn_write_byte},
    {"dbcn.read", dbcn_read},
    {"dbcn.zero", dbcn_zero},
    {"dbcn.outside", dbcn_outside},
    {"dbcn.wrap", dbcn_wrap},
    {"dbcn.devices", dbcn_devices},
    {"dbcn.large", dbcn_large},
    {"legacy.timer", legacy_timer},
    {"legacy.ipi", legacy_ipi},
    {"legacy.fences", legacy_fences},
    {"legacy.console", legacy_console},
    {"legacy.mask-virtual", legacy_mask_virtual},
    {"legacy.mask-fault", legacy_mask_fault},
    {"registers.kept", registers_kept},
    {"registers.kept-legacy", registers_kept_legacy},
};

int payload_main(void)
{
    if (!harts_start())
        print("FAIL start: not all harts came up\n");
    return suite_run("sbi", tests, sizeof tests / sizeof tests[0]);
}
