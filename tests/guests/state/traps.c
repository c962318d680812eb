// The guest's own exceptions are its own: causes and values as the hart would give them.
#include "suite.h"

void user_run(void *entry);

static void run_code(void *code)
{
    ((void (*)(void))code)();
}

// Two instructions: one to trap, then a return.
static uint32_t code[2] __attribute__((aligned(16))) = {0, 0x00008067};

// stval is not looked at: QEMU leaves a stale one for instructions that its helpers refuse.
static bool instruction_traps(uint32_t instruction, unsigned long cause)
{
    ((volatile uint32_t *)code)[0] = instruction;
    fence_i();
    if (guard_call(run_code, code)) {
        struct trap_info *t = &hart_self()->trap;
        if (t->cause == cause && t->epc == (unsigned long)code)
            return true;
        test_fail("instruction %lx: cause %lu, not %lu, tval %lx epc %lx", (unsigned long)instruction, t->cause, cause,
                  t->tval, t->epc);
        return false;
    }
    test_fail("instruction %lx did not trap", (unsigned long)instruction);
    return false;
}

void trap_illegal(void)
{
    // Reserved encodings; M-mode's CSRs; MRET; EBREAK.
    static const uint32_t illegal[] = {0xffffffff, 0x0000000b, 0x30002573, 0x34051073, 0x30200073, 0xf1402573};
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++)
        if (!instruction_traps(illegal[i], CAUSE_ILLEGAL))
            return;
    if (!instruction_traps(0x00100073, CAUSE_BREAKPOINT) || !sbi_is_diosix())
        return;
    // What only a hypervisor may: hstatus, vsstatus, hgatp; HFENCE.VVMA, HFENCE.GVMA, HLV.W.
    static const uint32_t hypervisor[] = {0x60002573, 0x20002573, 0x68002573, 0x22000073, 0x62000073, 0x6805c573};
    for (size_t i = 0; i < sizeof hypervisor / sizeof hypervisor[0]; i++)
        if (!instruction_traps(hypervisor[i], CAUSE_ILLEGAL))
            return;
}

static void expect_trap(const char *what, bool trapped, unsigned long cause, unsigned long tval)
{
    struct trap_info *t = &hart_self()->trap;
    if (!trapped || t->cause != cause || t->tval != tval)
        test_fail("%s: trapped %d cause %lu tval %lx, not %lu %lx", what, trapped, t->cause, t->tval, cause, tval);
}

void trap_pages(void)
{
    uint64_t value;
    page_tables_init();
    skip_if(!paging_on(PAGING_DEFAULT), "no paging");
    unsigned long at = PAGE_WINDOW + 0x3008;
    expect_trap("load", guard_load((void *)at, 4, &value), CAUSE_LOAD_PAGE, at);
    expect_trap("store", guard_store((void *)at, 4, 0), CAUSE_STORE_PAGE, at);
    expect_trap("fetch", guard_call(run_code, (void *)at), CAUSE_FETCH_PAGE, at);
    page_map(at, (unsigned long)code, PAGE_READ);
    fence_vma();
    expect_trap("read-only", guard_store((void *)at, 4, 0), CAUSE_STORE_PAGE, at);
    expect_trap("no execute", guard_call(run_code, (void *)at), CAUSE_FETCH_PAGE, at);
    paging_off();
}

// Where nothing is: the guest's access fault, with its own virtual address.
void trap_access(void)
{
    uint64_t value;
    unsigned long nothing = (unsigned long)(tree.ram_base + tree.ram_size) + 0x10000;
    skip_if(!sbi_is_diosix() && tree_number("ram-end-mapped", 0), "not empty");
    expect_trap("load", guard_load((void *)nothing, 4, &value), CAUSE_LOAD_ACCESS, nothing);
    expect_trap("store", guard_store((void *)nothing, 4, 0), CAUSE_STORE_ACCESS, nothing);
    expect_trap("fetch", guard_call(run_code, (void *)nothing), CAUSE_FETCH_ACCESS, nothing);
    page_tables_init();
    page_map(PAGE_WINDOW + 0x5000, nothing, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE);
    skip_if(!paging_on(PAGING_DEFAULT), "no paging");
    unsigned long at = PAGE_WINDOW + 0x5010;
    expect_trap("paged load", guard_load((void *)at, 4, &value), CAUSE_LOAD_ACCESS, at);
    expect_trap("paged store", guard_store((void *)at, 4, 0), CAUSE_STORE_ACCESS, at);
    expect_trap("paged fetch", guard_call(run_code, (void *)at), CAUSE_FETCH_ACCESS, at);
    paging_off();
}

// A user program of one page: its ECALL is the guest's, and so is its use of what it may not.
void trap_user(void)
{
    static const struct {
        uint32_t instruction;
        unsigned long cause;
    } tries[] = {{0x00000073, CAUSE_USER_ECALL}, {0x10002573, CAUSE_ILLEGAL}, {0x10200073, CAUSE_ILLEGAL},
                 {0x00100073, CAUSE_BREAKPOINT}, {0x12000073, CAUSE_ILLEGAL}, {0xffffffff, CAUSE_ILLEGAL},
                 {0x60002573, CAUSE_ILLEGAL},    {0x22000073, CAUSE_ILLEGAL}};
    static uint32_t page[PAGE_SIZE / 4] __attribute__((aligned(4096)));
    page_tables_init();
    page_map(PAGE_WINDOW, (unsigned long)page, PAGE_READ | PAGE_EXECUTE | PAGE_USER);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        ((volatile uint32_t *)page)[0] = tries[i].instruction;
        fence_i();
        skip_if(!paging_on(PAGING_DEFAULT), "no paging");
        bool trapped = guard_call((void (*)(void *))user_run, (void *)PAGE_WINDOW);
        paging_off();
        struct trap_info *t = &hart_self()->trap;
        check(trapped && t->cause == tries[i].cause && t->epc == PAGE_WINDOW, "%lx: cause %lu epc %lx tval %lx",
              (unsigned long)tries[i].instruction, t->cause, t->epc, t->tval);
    }
}

// In RAM, misaligned accesses work: by the hart, or emulated.
void trap_misaligned(void)
{
    static uint8_t bytes[32] __attribute__((aligned(16)));
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 17);
    for (unsigned at = 1; at < 8; at++) {
        uint64_t value;
        check(!guard_load(bytes + at, 4, &value), "load trapped, cause %lu", hart_self()->trap.cause);
        uint32_t wanted = 0;
        for (unsigned i = 0; i < 4; i++)
            wanted |= (uint32_t)bytes[at + i] << (8 * i);
        check((uint32_t)value == wanted, "load at +%u: %lx", at, (unsigned long)value);
        check(!guard_store(bytes + 16 + at, 2, 0xbeef), "store trapped");
        check(bytes[16 + at] == 0xef && bytes[17 + at] == 0xbe, "store at +%u", at);
    }
}
