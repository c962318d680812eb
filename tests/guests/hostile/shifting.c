// The ground moves while an access to a device is being emulated.
#include "hostile.h"

#include "page.h"

#define CODE_PAGE (PAGE_WINDOW + 0x1000)
#define DEVICE_PAGE (PAGE_WINDOW + 0x2000)

// lw a0, 4(a0); ret — with its alternatives, all harmless whatever they hit.
static uint32_t code[1024] __attribute__((aligned(4096))) = {0x00452503, 0x00008067};
static volatile bool prepared;

#define CAUSES_POSSIBLE                                                                                                \
    (1ul << CAUSE_LOAD_PAGE | 1ul << CAUSE_FETCH_PAGE | 1ul << CAUSE_STORE_PAGE | 1ul << CAUSE_LOAD_ACCESS |           \
     1ul << CAUSE_FETCH_ACCESS | 1ul << CAUSE_STORE_ACCESS | 1ul << CAUSE_ILLEGAL | 1ul << CAUSE_BREAKPOINT)

static void code_call(void *argument)
{
    ((unsigned long (*)(unsigned long))CODE_PAGE)((unsigned long)argument);
}

// The same tables for all harts: the second hart prepares, the others change what it made.
static void shared_paging(struct hart *h)
{
    if (h->index == 1) {
        page_tables_init();
        page_map(CODE_PAGE, (unsigned long)code, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE);
        page_map(DEVICE_PAGE, (unsigned long)tree.plic.base, PAGE_READ | PAGE_WRITE);
        fence_i();
        prepared = true;
    }
    while (!prepared) {
    }
    paging_on(PAGING_DEFAULT);
}

static _Noreturn void access_forever(void)
{
    unsigned long last = 0;
    for (;;) {
        if (guard_call(code_call, (void *)DEVICE_PAGE) && hart_self()->trap.cause != last) {
            last = hart_self()->trap.cause;
            if (!(1ul << last & CAUSES_POSSIBLE))
                print("FAIL shifting: cause %lu tval %lx\n", last, hart_self()->trap.tval);
        }
        fence_vma();
        fence_i();
    }
}

// One entry at a time goes away, points at nothing, or comes back.
static _Noreturn void entries_change(void)
{
    unsigned long *entries[] = {page_entry(CODE_PAGE), page_entry(DEVICE_PAGE), page_identity_entry(PAGE_WINDOW)};
    unsigned long good[3] = {*entries[0], *entries[1], *entries[2]};
    for (;;) {
        unsigned which = attack_random() % 3;
        unsigned long bad[] = {0,
                               PAGE_VALID,
                               good[which] & ~(unsigned long)PAGE_READ,
                               -1ul,
                               ((unsigned long)tree.ram_base >> 13 << 10) | PAGE_VALID,
                               ((unsigned long)tree.uart.base >> 12 << 10) | PAGE_VALID};
        *(volatile unsigned long *)entries[which] = bad[attack_random() % 6];
        for (unsigned i = attack_random() & 63; i; i--)
            fence_all();
        *(volatile unsigned long *)entries[which] = good[which];
        for (unsigned i = attack_random() & 63; i; i--)
            fence_all();
    }
}

void pte_unmap_mmio(void *argument)
{
    struct hart *h = argument;
    shared_paging(h);
    if (h->index & 1)
        access_forever();
    entries_change();
}

// Another hart writes other instructions over the load while it is being emulated.
void self_modify(void *argument)
{
    static const uint32_t others[] = {0x00452503, 0x00008067, 0,          0xffffffff, 0x00a52223, 0x00453507,
                                      0x00c52027, 0x4148,     0x1005252f, 0x00100073, 0x0000a503, 0x00450503};
    struct hart *h = argument;
    shared_paging(h);
    if (h->index & 1)
        access_forever();
    for (;;) {
        ((volatile uint32_t *)code)[0] = others[attack_random() % (sizeof others / sizeof others[0])];
        for (unsigned i = attack_random() & 63; i; i--)
            fence_all();
        ((volatile uint32_t *)code)[0] = others[0];
    }
}

// Alone: page tables that lie in devices, or nowhere.
void pte_wild(void)
{
    const uint64_t tables[] = {tree.uart.base,
                               tree.plic.base,
                               tree.finisher.base,
                               tree.ram_base + tree.ram_size,
                               0,
                               XLEN == 64 ? 1ull << 55 : 0xfffff000};
    unsigned wrong = 0;
    uint64_t value;
    page_tables_init();
    if (!paging_on(PAGING_DEFAULT))
        return;
    unsigned long *entry = page_identity_entry(PAGE_WINDOW), kept = *entry;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        *(volatile unsigned long *)entry = (unsigned long)(tables[i] >> 12 << 10) | PAGE_VALID;
        fence_vma();
        bool trapped = guard_load((void *)PAGE_WINDOW, 4, &value);
        unsigned long cause = hart_self()->trap.cause;
        if (trapped && (cause == CAUSE_LOAD_ACCESS || cause == CAUSE_LOAD_PAGE))
            continue;
        print("FAIL pte-wild: table at %llx: trapped %d, cause %lu\n", (long long unsigned)tables[i], trapped, cause);
        wrong++;
    }
    *(volatile unsigned long *)entry = kept;
    paging_off();
    if (!wrong)
        print("PASS pte-wild\n");
}
