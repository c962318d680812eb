// Everything an address or a CSR number can name, read and written.
#include "hostile.h"

#include "page.h"

// ---- CSRs

static const uint16_t csr_allowed[][2] = {
    {0x001, 0x003}, {0x008, 0x00a}, {0x00f, 0x00f}, {0x100, 0x100}, {0x104, 0x106}, {0x10a, 0x10a}, {0x140, 0x144},
    {0x14d, 0x14d}, {0x15d, 0x15d}, {0x180, 0x180}, {0xc00, 0xc02}, {0xc20, 0xc22}, {0xc80, 0xc82},
};

static bool csr_is_allowed(unsigned csr)
{
    for (size_t i = 0; i < sizeof csr_allowed / sizeof csr_allowed[0]; i++)
        if (csr >= csr_allowed[i][0] && csr <= csr_allowed[i][1])
            return true;
    return false;
}

// csrr a0, csr; ret   or   csrrw a0, csr, a1; csrw csr, a0; ret
static uint32_t stub[4] __attribute__((aligned(16)));

static void stub_read(void *argument)
{
    *(unsigned long *)argument = ((unsigned long (*)(void))stub)();
}

static void stub_write(void *argument)
{
    ((unsigned long (*)(unsigned long, unsigned long))stub)(0, *(unsigned long *)argument);
}

static bool csr_try_read(unsigned csr)
{
    unsigned long value;
    stub[0] = csr << 20 | 2 << 12 | 10 << 7 | 0x73;
    stub[1] = 0x00008067;
    fence_i();
    return !guard_call(stub_read, &value);
}

static bool csr_try_write(unsigned csr, unsigned long value)
{
    stub[0] = csr << 20 | 11 << 15 | 1 << 12 | 10 << 7 | 0x73;
    stub[1] = csr << 20 | 10 << 15 | 1 << 12 | 0x73;
    stub[2] = 0x00008067;
    fence_i();
    return !guard_call(stub_write, &value);
}

static unsigned csr_wrong;

static void csr_judge(unsigned csr, const char *how, bool worked)
{
    unsigned long cause = hart_self()->trap.cause;
    if (worked ? csr_is_allowed(csr) : cause == CAUSE_ILLEGAL)
        return;
    print("FAIL csr-scan: %s of csr %x %s, cause %lu\n", how, csr, worked ? "worked" : "trapped oddly", cause);
    csr_wrong++;
}

void csr_scan(void)
{
    unsigned readable = 0;
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    for (unsigned csr = 0; csr < 4096; csr++) {
        bool worked = csr_try_read(csr);
        readable += worked;
        csr_judge(csr, "read", worked);
        if (csr == 0x180 || csr == 0x105)
            continue; // satp and stvec: would take the ground from under us
        for (int i = 0; i < 3; i++)
            csr_judge(csr, "write", csr_try_write(csr, i == 0 ? 0 : i == 1 ? -1ul : (unsigned long)attack_random()));
    }
    print("%s csr-scan: %u readable, %u wrong\n", csr_wrong ? "FAIL" : "PASS", readable, csr_wrong);
}

// ---- Memory

static unsigned probe_wrong;

static void probe_fetch(void *argument)
{
    ((void (*)(void))argument)();
}

static void probe_judge(const char *how, unsigned long address, bool trapped, unsigned long wanted)
{
    unsigned long cause = hart_self()->trap.cause;
    if (trapped && cause == wanted)
        return;
    if (probe_wrong++ < 10)
        print("FAIL memory-probe: %s at %lx: %s, cause %lu\n", how, address, trapped ? "trapped" : "worked", cause);
}

static bool paged;

static void probe(unsigned long address)
{
    uint64_t value;
    if (attack_is_mine(address, 8) || (paged && page_identity_entry(address) == page_identity_entry(PAGE_WINDOW)))
        return;
    probe_judge("load", address, guard_load((void *)address, 4, &value), CAUSE_LOAD_ACCESS);
    probe_judge("store", address, guard_store((void *)address, 4, 0), CAUSE_STORE_ACCESS);
    probe_judge("fetch", address, guard_call(probe_fetch, (void *)address), CAUSE_FETCH_ACCESS);
}

static void probe_all(void)
{
    uint64_t end = XLEN == 64 ? 16ull << 30 : 4ull << 30, near = 4ull << 20;
    for (uint64_t a = 0; a < end; a += 2 << 20)
        probe((unsigned long)a);
    for (uint64_t a = 0x80000000; a < 0x80000000 + near; a += 4096)
        probe((unsigned long)a);
    for (uint64_t a = 0; a < near; a += 4096) {
        probe((unsigned long)(tree.ram_base + tree.ram_size + a));
        probe((unsigned long)(tree.ram_base - 4096 - a));
    }
}

// A page-table page in memory that is not ours: the walk must fail, and as an access fault.
static void probe_walk(unsigned long table)
{
    uint64_t value;
    unsigned long *entry = page_identity_entry(PAGE_WINDOW), kept = *entry;
    if (attack_is_mine(table, 4096))
        return;
    *entry = (table >> 12 << 10) | PAGE_VALID;
    fence_vma();
    probe_judge("walk for load", table, guard_load((void *)PAGE_WINDOW, 4, &value), CAUSE_LOAD_ACCESS);
    probe_judge("walk for store", table, guard_store((void *)PAGE_WINDOW, 4, 0), CAUSE_STORE_ACCESS);
    probe_judge("walk for fetch", table, guard_call(probe_fetch, (void *)PAGE_WINDOW), CAUSE_FETCH_ACCESS);
    *entry = kept;
    fence_vma();
}

void memory_probe(void)
{
    static const enum paging modes[] = {PAGING_SV32, PAGING_SV39, PAGING_SV48, PAGING_SV57};
    unsigned tried = 1;
    probe_all();
    page_tables_init();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if ((XLEN == 32) != (modes[i] == PAGING_SV32) || !paging_on(modes[i]))
            continue;
        paged = true;
        probe_all();
        probe_walk(0);
        probe_walk(0x80000000ul);
        probe_walk((unsigned long)(tree.ram_base - 4096));
        probe_walk((unsigned long)(tree.ram_base + tree.ram_size));
        paging_off();
        tried++;
    }
    print("%s memory-probe: %u modes, %u wrong\n", probe_wrong ? "FAIL" : "PASS", tried, probe_wrong);
}

// ---- Jumps and devices

void jump_nowhere(void)
{
    const uint64_t places[] = {0,
                               2,
                               0x1000,
                               tree.uart.base,
                               tree.plic.base,
                               tree.ram_base + tree.ram_size,
                               tree.ram_base - 4,
                               -2ull,
                               -4096ull,
                               1ull << 31,
                               1ull << 38,
                               1ull << 56,
                               1ull << 63};
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        unsigned long to = (unsigned long)places[i];
        if (to >= tree.ram_base && to - tree.ram_base < tree.ram_size)
            continue;
        bool trapped = guard_call(probe_fetch, (void *)to);
        if (!trapped || hart_self()->trap.cause != CAUSE_FETCH_ACCESS || hart_self()->trap.tval != to) {
            print("FAIL jump: to %lx, cause %lu tval %lx\n", to, hart_self()->trap.cause, hart_self()->trap.tval);
            wrong++;
        }
    }
    if (!wrong)
        print("PASS jump\n");
}

// Any width at any place: a value or an access fault, never anything else.
static unsigned access_odd(unsigned long address)
{
    static const unsigned widths[] = {1, 2, 4, 8};
    unsigned odd = 0;
    uint64_t value;
    for (int i = 0; i < 4; i++) {
        if (guard_load((void *)address, widths[i], &value))
            odd += hart_self()->trap.cause != CAUSE_LOAD_ACCESS && hart_self()->trap.cause != CAUSE_LOAD_MISALIGNED;
        if (guard_store((void *)address, widths[i], attack_random()))
            odd += hart_self()->trap.cause != CAUSE_STORE_ACCESS && hart_self()->trap.cause != CAUSE_STORE_MISALIGNED;
    }
    return odd;
}

void mmio_scan(void)
{
    unsigned odd = 0;
    for (unsigned long a = 0; a < 0x80000000ul && !(a >= tree.ram_base && a - tree.ram_base < tree.ram_size);
         a += 256 << 10)
        if (a != tree.finisher.base && a != tree.uart.base)
            odd += access_odd(a);
    for (unsigned long a = 0x10001000; a < 0x10009000; a += 0x40)
        odd += access_odd(a);
    for (unsigned long a = 1; a < 0x6000; a += 0x15)
        odd += access_odd(tree.plic.base + a);
    for (unsigned long a = 0x200000; a < 0x210000; a += 0x104)
        odd += access_odd(tree.plic.base + a);
    for (unsigned long a = 1; a < 0x1000; a += 3)
        odd += access_odd(tree.uart.base + 8 + a);
    for (unsigned long a = 4; a < 0x1000; a += 5)
        odd += access_odd(tree.finisher.base + a);
    print("%s mmio-scan: %u odd\n", odd ? "FAIL" : "PASS", odd);
}

static void flood_one(void *argument)
{
    (void)argument;
    *(volatile uint32_t *)(unsigned long)(tree.plic.base + (attack_random() & 0x3fffffc)) = attack_random();
    (void)*(volatile uint8_t *)(unsigned long)(tree.uart.base + 1 + attack_random() % 7);
}

void mmio_flood(void *argument)
{
    (void)argument;
    for (;;)
        guard_call(flood_one, NULL);
}
