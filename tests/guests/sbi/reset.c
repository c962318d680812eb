// SRST: refusals only; each payload's end and the `ends` payload do the rest.
#include "suite.h"

void srst_bad(void)
{
    check_error(sbi_call3(SBI_SRST, 0, RESET_WARM_REBOOT + 1, REASON_NONE, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_SRST, 0, 0xefffffff, REASON_NONE, 0), SBI_INVALID_PARAM);
    only_diosix(); // OpenSBI shuts down with any reason
    check_error(sbi_call3(SBI_SRST, 0, 0xf0000000, REASON_NONE, 0), SBI_INVALID_PARAM); // the platform's own
    check_error(sbi_call3(SBI_SRST, 0, RESET_SHUTDOWN, 0xf0000000, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_SRST, 0, RESET_SHUTDOWN, REASON_FAILURE + 1, 0), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_SRST, 0, RESET_COLD_REBOOT, 0xdfffffff, 0), SBI_INVALID_PARAM);
}
