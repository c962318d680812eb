// BASE, and what must not exist.
#include "suite.h"

void base_version(void)
{
    struct sbi_result r = sbi_call0(SBI_BASE, BASE_SPEC_VERSION);
    check(r.error == 0, "error %ld", r.error);
    check(r.value >= (sbi_is_diosix() ? 0x03000000 : 0x02000000) && r.value < 0x80000000, "version %lx", r.value);
}

void base_implementation(void)
{
    struct sbi_result id = sbi_call0(SBI_BASE, BASE_IMPLEMENTATION_ID);
    struct sbi_result version = sbi_call0(SBI_BASE, BASE_IMPLEMENTATION_VERSION);
    check(id.error == 0 && version.error == 0, "errors %ld %ld", id.error, version.error);
    char wanted[8];
    if (tree_option("implementation", wanted, sizeof wanted))
        check(id.value == tree_number("implementation", 0), "implementation %lu", id.value);
}

void base_probe(void)
{
    static const unsigned long wanted[] = {SBI_BASE, SBI_TIME, SBI_IPI,  SBI_RFENCE, SBI_HSM, SBI_SRST,
                                           SBI_DBCN, SBI_PMU,  SBI_SUSP, SBI_STA,    SBI_FWFT};
    size_t count = sizeof wanted / sizeof wanted[0];
    for (size_t i = 0; i < (sbi_is_diosix() ? count : 7); i++)
        check(sbi_has(wanted[i]), "extension %lx missing", wanted[i]);
    for (unsigned long legacy = LEGACY_SET_TIMER; legacy <= LEGACY_SHUTDOWN; legacy++)
        check(sbi_has(legacy), "legacy call %lu missing", legacy);
    check(!sbi_has(0x12345678) && !sbi_has(9) && !sbi_has(0x0f), "an extension that does not exist");
    check(!sbi_has(SBI_BASE | 0x100000), "high bits of the extension ignored");
}

void base_identity(void)
{
    for (unsigned long function = BASE_MVENDORID; function <= BASE_MIMPID; function++)
        check_error(sbi_call0(SBI_BASE, function), SBI_SUCCESS);
}

void unknown_extension(void)
{
    static const unsigned long unknown[] = {9, 0xf, 0x11, 0x08000000, 0x09ffffff, 0x0a000000, 0x12345678, -1ul};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct sbi_result r = sbi_call0(unknown[i], 0);
        check(r.error == SBI_NOT_SUPPORTED, "extension %lx: error %ld", unknown[i], r.error);
    }
}

void unknown_functions(void)
{
    static const struct {
        unsigned long extension, function;
    } beyond[] = {
        {SBI_BASE, BASE_MIMPID + 1},
        {SBI_TIME, 1},
        {SBI_IPI, 1},
        {SBI_RFENCE, RFENCE_COUNT},
        {SBI_HSM, HSM_SUSPEND + 1},
        {SBI_SRST, 1},
        {SBI_DBCN, 3},
        {SBI_PMU, PMU_EVENT_INFO + 1},
        {SBI_SUSP, 1},
        {SBI_STA, 1},
        {SBI_FWFT, 2},
    };
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
        for (int k = 0; k < 3; k++) {
            static const unsigned long more[] = {0, 0x1000, 0x7ffffff0};
            struct sbi_result r = sbi_call0(beyond[i].extension, beyond[i].function + more[k]);
            check(r.error == SBI_NOT_SUPPORTED, "extension %lx function %lx: error %ld", beyond[i].extension,
                  beyond[i].function + more[k], r.error);
        }
}

// Whatever is probed as absent must also answer as absent.
void absent_extensions(void)
{
    static const unsigned long optional[] = {SBI_PMU,  SBI_SUSP, SBI_CPPC, SBI_NACL, SBI_STA,
                                             SBI_FWFT, SBI_SSE,  SBI_DBTR, SBI_MPXY};
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        if (sbi_has(optional[i]))
            continue;
        struct sbi_result r = sbi_call0(optional[i], 0);
        check(r.error == SBI_NOT_SUPPORTED, "extension %lx: error %ld", optional[i], r.error);
    }
}
