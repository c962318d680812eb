// The tables of tests of each SBI extension.
#pragma once

#include "test.h"

void base_version(void), base_implementation(void), base_probe(void), base_identity(void);
void unknown_extension(void), unknown_functions(void), absent_extensions(void);
void timer_future(void), timer_past(void), timer_cancel(void), timer_pending_cleared(void), timer_accuracy(void);
void ipi_self(void), ipi_all(void), ipi_mask(void), ipi_none(void), ipi_bad_hart(void), ipi_bad_base(void);
void rfence_local(void), rfence_remote(void), rfence_ranges(void), rfence_bad_hart(void), rfence_hypervisor(void);
void hsm_status(void), hsm_start_stop(void), hsm_start_state(void), hsm_bad(void), hsm_bad_address(void);
void hsm_suspend_retentive(void), hsm_suspend_other(void), hsm_suspend_bad(void), hsm_started_twice(void);
void srst_bad(void);
void susp_bad(void), susp_sleep_and_resume(void);
void fwft_unknown(void), fwft_set(void), fwft_lock(void), fwft_delegates(void);
void pmu_counters(void), pmu_bad(void), pmu_events(void), pmu_hardware(void), pmu_wide(void), pmu_firmware(void);
void pmu_received(void), pmu_event_info(void);
void sta_bad(void), sta_set(void), sta_counts(void);
void dbcn_write(void), dbcn_write_byte(void), dbcn_read(void), dbcn_zero(void), dbcn_outside(void), dbcn_wrap(void);
void dbcn_devices(void), dbcn_large(void);
void legacy_timer(void), legacy_ipi(void), legacy_fences(void), legacy_console(void), legacy_mask_fault(void);
void legacy_mask_virtual(void);
void registers_kept(void), registers_kept_legacy(void);
