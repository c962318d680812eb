// Every register but a0 and a1 (a0 alone for legacy calls) is the caller's.
#include "suite.h"

struct call {
    unsigned long extension, function, a0, a1, a2, a3;
};

static void registers_try(const struct call *c, unsigned changed)
{
    unsigned long in[32], out[32];
    for (unsigned i = 0; i < 32; i++)
        in[i] = (unsigned long)0x9e3779b97f4a7c15ull * (i + 1);
    in[10] = c->a0;
    in[11] = c->a1;
    in[12] = c->a2;
    in[13] = c->a3;
    in[16] = c->function;
    in[17] = c->extension;
    registers_call(hart_self(), in, out);
    for (unsigned i = 1; i < 32; i++)
        if (out[i] != in[i] && !(i >= 10 && i < 10 + changed))
            test_fail("extension %lx function %lu: x%u %lx became %lx", c->extension, c->function, i, in[i], out[i]);
}

void registers_kept(void)
{
    static char byte[1] = "\n";
    const struct call calls[] = {
        {SBI_BASE, BASE_SPEC_VERSION, 0, 0, 0, 0},
        {SBI_BASE, BASE_PROBE, SBI_TIME, 0, 0, 0},
        {SBI_BASE, 99, 0, 0, 0, 0},
        {0x12345678, 0, 1, 2, 3, 4},
        {SBI_TIME, 0, -1ul, -1ul, 0, 0},
        {SBI_IPI, 0, hart_mask(), 0, 0, 0},
        {SBI_RFENCE, RFENCE_FENCE_I, 1, hart_self()->id, 0, 0},
        {SBI_RFENCE, RFENCE_FENCE_I, hart_mask(), 0, 0, 0},
        {SBI_RFENCE, RFENCE_SFENCE_VMA, hart_mask(), 0, 0, -1ul},
        {SBI_RFENCE, RFENCE_COUNT, 0, 0, 0, 0},
        {SBI_HSM, HSM_STATUS, hart_self()->id, 0, 0, 0},
        {SBI_HSM, HSM_START, 4000, 0, 0, 0},
        {SBI_SRST, 0, 3, 0, 0, 0},
        {SBI_DBCN, DBCN_WRITE, 1, (unsigned long)byte, 0, 0},
        {SBI_DBCN, DBCN_READ, 0, (unsigned long)byte, 0, 0},
        {SBI_DBCN, DBCN_WRITE_BYTE, '\n', 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        registers_try(&calls[i], 2);
}

void registers_kept_legacy(void)
{
    const struct call calls[] = {
        {LEGACY_SET_TIMER, 0, -1ul, -1ul, 0, 0}, {LEGACY_PUTCHAR, 0, '\n', 7, 0, 0}, {LEGACY_GETCHAR, 0, 0, 7, 0, 0},
        {LEGACY_CLEAR_IPI, 0, 0, 7, 0, 0},       {LEGACY_SEND_IPI, 0, 0, 7, 0, 0},   {LEGACY_FENCE_I, 0, 0, 7, 0, 0},
        {LEGACY_SFENCE_VMA, 0, 0, 0, -1ul, 0},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        registers_try(&calls[i], 1);
}
