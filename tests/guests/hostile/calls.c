// SBI calls with arguments from a madhouse.
#include "hostile.h"

// A value that is likely to lie near some edge.
static unsigned long nasty(void)
{
    uint64_t edges[] = {
        0,          1,          -1ull,      tree.ram_base,   tree.ram_base + tree.ram_size, tree.uart.base,
        1ull << 31, 1ull << 63, 0x80000000, attack_random(), attack_random() & 0xffffffff,  attack_random() & 0xff};
    uint64_t value = edges[attack_random() % (sizeof edges / sizeof edges[0])];
    return value + attack_random() % 9 - 4;
}

// An address range that is not all ours, or is of no size: what it names must never be printed.
static void dbcn_one(void)
{
    unsigned long bytes = nasty(), low = nasty(), high = attack_random() & 1 ? 0 : nasty();
    uint64_t address = XLEN == 64 ? low : (uint64_t)high << 16 << 16 | low;
    bool inside = address >= tree.ram_base && address - tree.ram_base < tree.ram_size;
    if (inside && bytes <= tree.ram_base + tree.ram_size - address && (XLEN == 32 || !high))
        bytes = (unsigned long)(tree.ram_base + tree.ram_size - address + 1);
    struct sbi_result r = sbi_console(attack_random() & 1, bytes, low, high);
    if (r.error == 0 && r.value)
        print("FAIL dbcn-wild: %lx bytes at %lx %lx: %lu taken\n", bytes, low, high, r.value);
}

void dbcn_wild(void *argument)
{
    (void)argument;
    for (;;)
        dbcn_one();
}

static bool is_harmful(unsigned long extension, unsigned long function, const unsigned long *x)
{
    function = (uint32_t)function; // as the firmware may well see it
    if (extension == SBI_HSM)
        return function != HSM_STATUS && !(function == HSM_START && x[0] > HARTS_MAX);
    if (extension == SBI_SRST)
        return (uint32_t)x[0] <= RESET_WARM_REBOOT;
    return extension == LEGACY_SHUTDOWN || extension == LEGACY_PUTCHAR || extension == SBI_DBCN;
}

static void wild_one(void *argument)
{
    (void)argument;
    static const unsigned long extensions[] = {SBI_BASE, SBI_TIME, SBI_IPI, SBI_RFENCE, SBI_HSM, SBI_SRST, SBI_PMU,
                                               SBI_SUSP, SBI_NACL, SBI_STA, 0x0a000005, 0,       1,        2,
                                               3,        4,        5,       6,          7,       9,        0x09000000};
    unsigned long extension = extensions[attack_random() % (sizeof extensions / sizeof extensions[0])];
    unsigned long function = attack_random() & 3 ? attack_random() % 10 : nasty();
    unsigned long x[6];
    for (int i = 0; i < 6; i++)
        x[i] = nasty();
    if (!is_harmful(extension, function, x))
        sbi_call6(extension, function, x[0], x[1], x[2], x[3], x[4], x[5]);
}

void wild_sbi(void *argument)
{
    (void)argument;
    for (;;)
        guard_call(wild_one, NULL);
}

// Every register garbage, the stack pointer and thread pointer among them.
void stack_bomb(void)
{
    static const unsigned long calls[][2] = {{SBI_BASE, 0},   {SBI_TIME, 0}, {SBI_RFENCE, 0}, {SBI_RFENCE, 1},
                                             {0x12345678, 0}, {SBI_IPI, 0},  {SBI_DBCN, 0},   {LEGACY_SEND_IPI, 0}};
    unsigned long in[32], out[32];
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 32; i++)
            in[i] = nasty();
        size_t which = attack_random() % (sizeof calls / sizeof calls[0]);
        in[17] = calls[which][0];
        in[16] = calls[which][1];
        if (in[17] == SBI_DBCN)
            in[10] = 0;
        if (in[17] == LEGACY_SEND_IPI)
            in[10] = 0;
        registers_call(hart_self(), in, out);
        if (out[2] != in[2] || out[4] != in[4])
            print("FAIL stack-bomb: sp or tp changed\n");
    }
    csr_clear(sip, 1ul << INTERRUPT_SOFTWARE);
    print("PASS stack-bomb\n");
}
