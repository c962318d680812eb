// What harts do to each other: interrupts, atomics, and fences that must really fence.
#include "suite.h"

static volatile unsigned ring_at;
static unsigned ring_end;

static const char *ring_check(struct hart *h)
{
    csr_write(sie, SOFT_BIT);
    for (;;) {
        if (ring_at % harts_online == h->index) {
            bool last = ++ring_at >= ring_end;
            fence_all();
            sbi_send_ipi(1, harts[(h->index + 1) % harts_online].id);
            if (last)
                return NULL;
            continue;
        }
        // The predecessor's IPI, or the one of a hart that has finished.
        uint64_t until = time_now() + ticks(10000000);
        while (!(csr_read(sip) & SOFT_BIT))
            if (time_now() > until)
                return "an IPI got lost";
            else if (harts_online > 1)
                wfi();
        csr_clear(sip, SOFT_BIT);
        if (ring_at >= ring_end) {
            sbi_send_ipi(1, harts[(h->index + 1) % harts_online].id);
            return NULL;
        }
    }
}

// One token goes round, each step an IPI and a wake-up.
void ipi_ring(void)
{
    ring_at = 0;
    ring_end = 200 * harts_online;
    on_all_harts(ring_check);
    check(ring_at >= ring_end, "stopped at %u of %u", ring_at, ring_end);
}

static volatile unsigned long amo_count, lrsc_count;

static const char *atomics_check(struct hart *h)
{
    (void)h;
    for (int i = 0; i < 50000; i++) {
        __atomic_fetch_add(&amo_count, 1, __ATOMIC_RELAXED);
        unsigned long value = lrsc_count;
        while (
            !__atomic_compare_exchange_n(&lrsc_count, &value, value + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        }
    }
    return NULL;
}

void atomics(void)
{
    amo_count = lrsc_count = 0;
    on_all_harts(atomics_check);
    check(amo_count == 50000ul * harts_online && lrsc_count == amo_count, "%lu and %lu of %lu", amo_count, lrsc_count,
          50000ul * harts_online);
}

// ---- Code written by one hart, run by another

static uint32_t code[2] __attribute__((aligned(64)));
static volatile unsigned long round_now, round_seen[HARTS_MAX], value_seen[HARTS_MAX];
static volatile bool watchers_stop;
// With fewer harts than vcores every round waits for its turn, so rounds are bounded by time too.
static uint64_t rounds_until;

static void code_watch(void *argument)
{
    struct hart *h = argument;
    while (!watchers_stop) {
        unsigned long now = round_now;
        fence_all();
        if (now == round_seen[h->index])
            continue;
        value_seen[h->index] = ((unsigned long (*)(void))code)();
        fence_all();
        round_seen[h->index] = now;
    }
}

static void watchers_start(void (*watch)(void *))
{
    watchers_stop = false;
    rounds_until = time_now() + ticks(tree_number("milliseconds", 300) * 4000);
    round_now = 0;
    for (unsigned i = 0; i < HARTS_MAX; i++)
        round_seen[i] = 0;
    for (unsigned i = 1; i < harts_online; i++)
        hart_run(&harts[i], watch, &harts[i]);
}

static void watchers_end(void)
{
    watchers_stop = true;
    for (unsigned i = 1; i < harts_online; i++)
        if (!hart_wait(&harts[i]))
            test_fail("hart %lu hangs", harts[i].id);
}

// True if every watcher saw what it should in this round.
static bool round_check(unsigned long round, unsigned long wanted)
{
    fence_all();
    round_now = round;
    for (unsigned i = 1; i < harts_online; i++)
        if (!wait_for(round_seen[i] == round, 5000) || value_seen[i] != wanted) {
            test_fail("round %lu: hart %lu saw %lx, not %lx", round, harts[i].id, value_seen[i], wanted);
            return false;
        }
    return true;
}

void fence_code(void)
{
    skip_if(harts_online < 2, "one hart");
    code[1] = 0x00008067; // ret
    code[0] = 0x00000513; // li a0, 0
    fence_i();
    sbi_fence(RFENCE_FENCE_I, 0, -1ul);
    watchers_start(code_watch);
    for (unsigned long round = 1; round < 500 && time_now() < rounds_until; round++) {
        ((volatile uint32_t *)code)[0] = (uint32_t)round << 20 | 0x513;
        sbi_fence(RFENCE_FENCE_I, 0, -1ul);
        if (!round_check(round, round))
            break;
    }
    watchers_end();
}

// ---- Page table entries changed by one hart, used by another

static unsigned long pages[2][PAGE_SIZE / sizeof(long)] __attribute__((aligned(4096)));

static void page_watch(void *argument)
{
    struct hart *h = argument;
    if (!paging_on(PAGING_DEFAULT))
        return;
    while (!watchers_stop) {
        unsigned long now = round_now;
        fence_all();
        // Keeps the translation in use all the time.
        unsigned long value = *(volatile unsigned long *)PAGE_WINDOW;
        if (now == round_seen[h->index])
            continue;
        value_seen[h->index] = value;
        fence_all();
        round_seen[h->index] = now;
    }
    paging_off();
}

static void pages_change(bool narrow)
{
    pages[0][0] = 0x1111;
    pages[1][0] = 0x2222;
    page_tables_init();
    page_map(PAGE_WINDOW, (unsigned long)pages[0], PAGE_READ);
    watchers_start(page_watch);
    for (unsigned long round = 1; round < 500 && time_now() < rounds_until; round++) {
        unsigned long function = round & 2 ? RFENCE_SFENCE_VMA : RFENCE_SFENCE_VMA_ASID;
        page_map(PAGE_WINDOW, (unsigned long)pages[round & 1], PAGE_READ);
        if (narrow)
            sbi_fence_range(function, hart_mask(), 0, PAGE_WINDOW, PAGE_SIZE);
        else
            sbi_fence(function, 0, -1ul);
        if (!round_check(round, pages[round & 1][0]))
            break;
    }
    watchers_end();
}

void fence_pages(void)
{
    skip_if(harts_online < 2, "one hart");
    pages_change(false);
}

void fence_ranges(void)
{
    skip_if(harts_online < 2, "one hart");
    pages_change(true);
}
