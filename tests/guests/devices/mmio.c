// Every way to reach a device register.
#include "suite.h"

#include <string.h>

#define RETURN_X5 0x00028067u // jr x5

static uint32_t code[8] __attribute__((aligned(64)));

static void code_set(uint32_t first)
{
    code[0] = first;
    code[1] = RETURN_X5;
    fence_i();
}

static void code_set_short(uint16_t first)
{
    uint16_t *c = (uint16_t *)code;
    c[0] = first;
    c[1] = 0x0001; // c.nop
    code[1] = RETURN_X5;
    fence_i();
}

static void registers_fill(unsigned long in[32])
{
    for (unsigned i = 0; i < 32; i++)
        in[i] = (unsigned long)0x9e3779b97f4a7c15ull * (i + 3);
    in[31] = (unsigned long)code;
}

// Everything but one register, and x5, the link, as it was.
static bool registers_same(const unsigned long in[32], const unsigned long out[32], unsigned but)
{
    for (unsigned i = 1; i < 32; i++)
        if (i != but && i != 5 && in[i] != out[i]) {
            test_fail("x%u changed: %lx, was %lx", i, out[i], in[i]);
            return false;
        }
    return true;
}

enum { LB, LH, LW, LD, LBU, LHU, LWU };
static uint32_t load(unsigned width, unsigned rd, unsigned rs)
{
    return rs << 15 | width << 12 | rd << 7 | 0x03;
}
static uint32_t store(unsigned width, unsigned value, unsigned base)
{
    return value << 20 | base << 15 | width << 12 | 0x23;
}

static void load_into(unsigned rd)
{
    unsigned long in[32], out[32];
    unsigned rs = rd % 2 ? rd : (rd + 1) % 30 + 1; // odd ones: base and destination are the same
    if (rs == 5 || rs == 31)                       // the link, and the way into the code
        rs = 6;
    registers_fill(in);
    in[rs] = (unsigned long)plic(4);
    code_set(load(LW, rd, rs));
    *plic(4) = 3;
    registers_code(hart_self(), in, out);
    if (rd && out[rd] != 3)
        test_fail("lw x%u, (x%u): %lx", rd, rs, out[rd]);
    (void)registers_same(in, out, rd);
}

static void store_from(unsigned rs)
{
    unsigned long in[32], out[32];
    unsigned base = rs == 10 ? 11 : 10;
    registers_fill(in);
    in[base] = (unsigned long)plic(4);
    if (rs)
        in[rs] = (in[rs] & ~0xfffffffful) | 6;
    if (rs == 31)
        in[31] = (unsigned long)code;
    code_set(store(2, rs, base));
    *plic(4) = 1;
    registers_code(hart_self(), in, out);
    if (rs != 5 && rs != 31 && *plic(4) != (rs ? 6u : 0u))
        test_fail("sw x%u, (x%u): %lx", rs, base, (unsigned long)*plic(4));
    (void)registers_same(in, out, 0);
}

void mmio_registers(void)
{
    for (unsigned i = 0; i < 32; i++) {
        if (i != 5)
            load_into(i);
        store_from(i);
    }
    *plic(4) = 0;
}

// c.lw/c.sw x8..x15, c.lwsp/c.swsp.
void mmio_compressed(void)
{
    unsigned long in[32], out[32];
    for (unsigned r = 0; r < 8; r++) {
        unsigned base = (r + 1) % 8;
        registers_fill(in);
        in[8 + base] = (unsigned long)plic(0);
        code_set_short((uint16_t)(0x4000 | base << 7 | 1 << 6 | r << 2)); // c.lw r, 4(base)
        *plic(4) = 5;
        registers_code(hart_self(), in, out);
        check(out[8 + r] == 5, "c.lw x%u: %lx", 8 + r, out[8 + r]);
        check(registers_same(in, out, 8 + r), "c.lw");
        in[8 + r] = 2;
        code_set_short((uint16_t)(0xc000 | base << 7 | 1 << 6 | r << 2)); // c.sw r, 4(base)
        registers_code(hart_self(), in, out);
        check(*plic(4) == 2, "c.sw x%u", 8 + r);
        check(registers_same(in, out, 0), "c.sw");
    }
    registers_fill(in);
    in[2] = (unsigned long)plic(0);
    code_set_short(0x4000 | 9 << 7 | 1 << 4 | 2); // c.lwsp x9, 4(sp)
    registers_code(hart_self(), in, out);
    check(out[9] == 2, "c.lwsp: %lx", out[9]);
    in[9] = 7;
    code_set_short((uint16_t)(0xc002 | 1 << 9 | 9 << 2)); // c.swsp x9, 4(sp)
    registers_code(hart_self(), in, out);
    check(*plic(4) == 7, "c.swsp");
    *plic(4) = 0;
}

static const char *widths(void)
{
    unsigned long in[32], out[32];
    registers_fill(in);
    in[10] = (unsigned long)uart(UART_SCR);
    *uart(UART_SCR) = 0x9c;
    code_set(load(LB, 11, 10));
    registers_code(hart_self(), in, out);
    if (out[11] != (unsigned long)(long)(int8_t)0x9c)
        return "lb: not sign-extended";
    code_set(load(LBU, 11, 10));
    registers_code(hart_self(), in, out);
    if (out[11] != 0x9c)
        return "lbu";
    in[11] = 0x12345600 | 0x21;
    code_set(store(0, 11, 10));
    registers_code(hart_self(), in, out);
    return *uart(UART_SCR) == 0x21 ? NULL : "sb";
}

// Widths that a register has no meaning for: a value or an access fault, and then all is well.
static void widths_odd(void)
{
    static const unsigned odd[] = {1, 2, 8};
    uint64_t value;
    *plic(4) = 4;
    for (int i = 0; i < 3; i++) {
        unsigned long cause = 0;
        if (guard_load(plic(4 + (odd[i] == 8 ? 4 : 0)), odd[i], &value))
            cause = hart_self()->trap.cause;
        check(!cause || cause == CAUSE_LOAD_ACCESS, "PLIC, %u bytes: cause %lu", odd[i], cause);
        cause = 0;
        if (guard_store(plic(4 + (odd[i] == 8 ? 4 : 0)), odd[i], 0))
            cause = hart_self()->trap.cause;
        check(!cause || cause == CAUSE_STORE_ACCESS, "PLIC, %u bytes: cause %lu", odd[i], cause);
    }
    *plic(4) = 0;
    for (int i = 0; i < 3; i++) {
        unsigned long cause = 0;
        if (odd[i] != 1 && guard_load(uart(0), odd[i], &value))
            cause = hart_self()->trap.cause;
        check(!cause || cause == CAUSE_LOAD_ACCESS, "UART, %u bytes: cause %lu", odd[i], cause);
    }
}

void mmio_widths(void)
{
    with_uart(widths);
    widths_odd();
}

struct code_registers {
    unsigned long in[32], out[32];
};

static void code_job(void *argument)
{
    struct code_registers *r = argument;
    registers_code(hart_self(), r->in, r->out);
}

// Runs the code with a device's address in x10; true if it trapped.
static bool code_traps(struct code_registers *r, volatile void *device)
{
    registers_fill(r->in);
    r->in[10] = (unsigned long)device;
    r->in[11] = 0;
    return guard_call(code_job, r);
}

// The value, or an access fault.
static void float_try(uint32_t instruction, bool is_store)
{
    struct code_registers r;
    code_set(instruction);
    bool trapped = code_traps(&r, plic(4));
    unsigned long cause = hart_self()->trap.cause, wanted = is_store ? CAUSE_STORE_ACCESS : CAUSE_LOAD_ACCESS;
    if (trapped && cause != wanted)
        test_fail("%lx: cause %lu", (unsigned long)instruction, cause);
}

void mmio_float(void)
{
    skip_if(!tree_has_extension("f"), "no F");
    csr_set(sstatus, SSTATUS_FS);
    float_try(0x00052007, false); // flw f0, 0(x10)
    float_try(0x00052027, true);  // fsw f0, 0(x10)
    if (tree_has_extension("d")) {
        float_try(0x00453007, false); // fld f0, 4(x10): aligned to 8
        float_try(0x00453027, true);  // fsd f0, 4(x10)
    }
    csr_clear(sstatus, SSTATUS_FS);
    *plic(4) = 0;
}

// Registers are not memory: no atomics.
void mmio_atomics(void)
{
    static const struct {
        uint32_t instruction;
        unsigned long cause;
    } tries[] = {{0x08b525af, CAUSE_STORE_ACCESS}, // amoswap.w x11, x11, (x10)
                 {0x00b525af, CAUSE_STORE_ACCESS}, // amoadd.w
                 {0x100525af, CAUSE_LOAD_ACCESS}}; // lr.w x11, (x10)
    only_diosix();
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        struct code_registers r;
        code_set(tries[i].instruction);
        bool trapped = code_traps(&r, plic(4));
        struct trap_info *t = &hart_self()->trap;
        check(trapped && t->cause == tries[i].cause, "%lx: trapped %d cause %lu", (unsigned long)tries[i].instruction,
              trapped, t->cause);
        check(t->epc == (unsigned long)code && t->tval == (unsigned long)plic(4), "epc %lx tval %lx", t->epc, t->tval);
    }
}

static void refused(unsigned long address, unsigned bytes, unsigned long load_cause, unsigned long store_cause)
{
    uint64_t value;
    struct trap_info *t = &hart_self()->trap;
    bool trapped = guard_load((void *)address, bytes, &value);
    if (!trapped || (t->cause != load_cause && t->cause != CAUSE_LOAD_ACCESS))
        test_fail("load of %u at %lx: trapped %d cause %lu", bytes, address, trapped, t->cause);
    trapped = guard_store((void *)address, bytes, 0);
    if (!trapped || (t->cause != store_cause && t->cause != CAUSE_STORE_ACCESS))
        test_fail("store of %u at %lx: trapped %d cause %lu", bytes, address, trapped, t->cause);
}

void mmio_misaligned(void)
{
    only_diosix();
    for (unsigned at = 1; at < 4; at++)
        refused((unsigned long)plic(4) + at, 4, CAUSE_LOAD_MISALIGNED, CAUSE_STORE_MISALIGNED);
    refused((unsigned long)plic(5), 2, CAUSE_LOAD_MISALIGNED, CAUSE_STORE_MISALIGNED);
    // Half a register, half nothing at all.
    refused((unsigned long)tree.uart.base - 2, 4, CAUSE_LOAD_MISALIGNED, CAUSE_STORE_MISALIGNED);
    refused((unsigned long)(tree.plic.base + tree.plic.size) - 2, 4, CAUSE_LOAD_MISALIGNED, CAUSE_STORE_MISALIGNED);
}

void mmio_unmapped(void)
{
    only_diosix();
    static const unsigned long holes[] = {0,          0x3000,     0x02000000, 0x0200bff8, 0x02004000, 0x03000000,
                                          0x20000000, 0x28000000, 0x30000000, 0x40000000, 0x0fff0000, 0x18000000};
    for (size_t i = 0; i < sizeof holes / sizeof holes[0]; i++)
        for (unsigned bytes = 1; bytes <= sizeof(long); bytes *= 2)
            refused(holes[i], bytes, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS);
}

static void fetch(void *argument)
{
    ((void (*)(void))argument)();
}

void mmio_fetch(void)
{
    const uint64_t devices[] = {tree.uart.base, tree.plic.base, tree.finisher.base};
    only_diosix();
    for (size_t i = 0; i < 3; i++) {
        check(guard_call(fetch, (void *)(unsigned long)devices[i]), "ran code");
        struct trap_info *t = &hart_self()->trap;
        check(t->cause == CAUSE_FETCH_ACCESS && t->tval == (unsigned long)devices[i], "cause %lu tval %lx", t->cause,
              t->tval);
    }
}

// ---- Under translation

#define DEVICE_AT (PAGE_WINDOW + 0x7000)
#define CODE_AT (PAGE_WINDOW + 0x9000)
static uint32_t pages[2][PAGE_SIZE / 4] __attribute__((aligned(4096)));

static bool paged(enum paging mode)
{
    page_tables_init();
    page_map(DEVICE_AT, (unsigned long)tree.plic.base, PAGE_READ | PAGE_WRITE);
    page_map(CODE_AT, (unsigned long)pages[0], PAGE_READ | PAGE_EXECUTE);
    page_map(CODE_AT + PAGE_SIZE, (unsigned long)pages[1], PAGE_READ | PAGE_EXECUTE);
    return paging_on(mode);
}

void mmio_paged(void)
{
    static const enum paging modes[] = {PAGING_SV32, PAGING_SV39, PAGING_SV48, PAGING_SV57};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if ((XLEN == 32) != (modes[i] == PAGING_SV32) || !paged(modes[i]))
            continue;
        volatile uint32_t *priority = (volatile uint32_t *)(DEVICE_AT + 4);
        *priority = 5;
        uint32_t seen = *priority;
        uint64_t value;
        page_map(DEVICE_AT, (unsigned long)tree.plic.base, PAGE_READ);
        fence_vma();
        bool trapped = guard_store((void *)(DEVICE_AT + 4), 4, 2);
        unsigned long cause = hart_self()->trap.cause;
        bool load_trapped = guard_load((void *)(DEVICE_AT + 4), 4, &value);
        paging_off();
        check(seen == 5 && !load_trapped && (uint32_t)value == 5, "mode %d: read %lx %lx", modes[i],
              (unsigned long)seen, (unsigned long)value);
        check(trapped && cause == CAUSE_STORE_PAGE, "mode %d: read-only page: %d cause %lu", modes[i], trapped, cause);
    }
    *plic(4) = 0;
}

// An instruction of four bytes on two pages that lie apart.
void mmio_straddle(void)
{
    uint32_t instruction = 0x00452583; // lw x11, 4(x10)
    memset(pages, 0, sizeof pages);
    // The second page first, so that physical neighbours would be wrong.
    ((uint16_t *)pages[1])[PAGE_SIZE / 2 - 1] = (uint16_t)instruction;
    ((uint16_t *)pages[0])[0] = (uint16_t)(instruction >> 16);
    ((uint16_t *)pages[0])[1] = (uint16_t)RETURN_X5;
    ((uint16_t *)pages[0])[2] = (uint16_t)(RETURN_X5 >> 16);
    fence_i();
    *plic(4) = 6;
    if (!paged(PAGING_DEFAULT)) {
        test_skip("no paging");
        return;
    }
    page_map(CODE_AT, (unsigned long)pages[1], PAGE_READ | PAGE_EXECUTE);
    page_map(CODE_AT + PAGE_SIZE, (unsigned long)pages[0], PAGE_READ | PAGE_EXECUTE);
    fence_vma();
    struct code_registers r;
    registers_fill(r.in);
    r.in[10] = DEVICE_AT;
    r.in[31] = CODE_AT + PAGE_SIZE - 2;
    bool trapped = guard_call(code_job, &r);
    paging_off();
    *plic(4) = 0;
    check(!trapped, "cause %lu tval %lx", hart_self()->trap.cause, hart_self()->trap.tval);
    check(r.out[11] == 6, "read %lx", r.out[11]);
}

static void user_enter(void *argument)
{
    csr_write(sepc, argument);
    csr_clear(sstatus, SSTATUS_SPP);
    __asm__ volatile("mv a0, %0\nsret" ::"r"(DEVICE_AT) : "a0", "memory");
}

// A driver in U-mode: the page's permissions are checked as its own.
void mmio_user(void)
{
    memset(pages, 0, sizeof pages);
    pages[0][0] = 0x00452583; // lw x11, 4(x10)
    pages[0][1] = 0x00000073; // ecall
    fence_i();
    *plic(4) = 3;
    for (int allowed = 0; allowed < 2; allowed++) {
        if (!paged(PAGING_DEFAULT)) {
            test_skip("no paging");
            return;
        }
        page_map(DEVICE_AT, (unsigned long)tree.plic.base, PAGE_READ | (allowed ? PAGE_USER : 0));
        page_map(CODE_AT, (unsigned long)pages[0], PAGE_READ | PAGE_EXECUTE | PAGE_USER);
        fence_vma();
        bool trapped = guard_call(user_enter, (void *)CODE_AT);
        paging_off();
        struct hart *h = hart_self();
        check(trapped && h->trap.cause == (allowed ? CAUSE_USER_ECALL : CAUSE_LOAD_PAGE), "cause %lu tval %lx",
              h->trap.cause, h->trap.tval);
        check(!allowed || h->frame[11] == 3, "read %lx", h->frame[11]);
    }
    *plic(4) = 0;
}

static volatile bool parallel_wrong;

static void parallel_job(void *argument)
{
    struct hart *h = argument;
    unsigned source = 1 + h->index;
    for (uint32_t i = 0; i < 500; i++) {
        *plic(4 * source) = i & 7;
        if (*plic(4 * source) != (i & 7))
            parallel_wrong = true;
    }
    *plic(4 * source) = 0;
}

void mmio_parallel(void)
{
    parallel_wrong = false;
    for (unsigned i = 1; i < harts_online; i++)
        hart_run(&harts[i], parallel_job, &harts[i]);
    parallel_job(&harts[0]);
    for (unsigned i = 1; i < harts_online; i++)
        check(hart_wait(&harts[i]), "hart %lu hangs", harts[i].id);
    check(!parallel_wrong, "a register did not keep its value");
}

// Values without a meaning end nothing.
void finisher_ignores(void)
{
    static const uint32_t values[] = {0, 1, 0xffffffff, 0x5554, 0x7770, 0x3332};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        *(volatile uint32_t *)(unsigned long)tree.finisher.base = values[i];
    (void)*(volatile uint32_t *)(unsigned long)tree.finisher.base;
}
