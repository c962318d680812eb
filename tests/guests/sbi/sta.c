// STA: the page each hart gives for its stolen time.
#include <string.h>

#include "suite.h"

struct steal_page {
    volatile uint32_t sequence, flags;
    volatile uint64_t steal;
    volatile uint8_t preempted, pad[47];
};

static struct steal_page pages[HARTS_MAX] __attribute__((aligned(64)));

static struct sbi_result set(const void *page, unsigned long high, unsigned long flags)
{
    return sbi_call3(SBI_STA, 0, page, high, flags);
}
static struct sbi_result off(void)
{
    return sbi_call3(SBI_STA, 0, -1ul, -1ul, 0);
}

void sta_bad(void)
{
    only_diosix();
    const char *page = (const char *)&pages[0];
    check_error(set(page, 0, 1), SBI_INVALID_PARAM);
    check_error(sbi_call3(SBI_STA, 0, -1ul, -1ul, 1), SBI_INVALID_PARAM);
    check_error(set(page + 8, 0, 0), SBI_INVALID_PARAM);
    check_error(set(page + 63, 0, 0), SBI_INVALID_PARAM);
    check_error(set(NULL, 0, 0), SBI_INVALID_ADDRESS);
    check_error(set(page, 0x7f, 0), SBI_INVALID_ADDRESS);
    check_error(sbi_call3(SBI_STA, 0, -64ul, 0, 0), SBI_INVALID_ADDRESS);
    check_error(sbi_call3(SBI_STA, 0, tree.ram_base - 64, 0, 0), SBI_INVALID_ADDRESS);
    check_error(sbi_call3(SBI_STA, 0, tree.ram_base + tree.ram_size, 0, 0), SBI_INVALID_ADDRESS);
    check_error(sbi_call3(SBI_STA, 0, tree.uart.base, 0, 0), SBI_INVALID_ADDRESS);
    check_error(off(), SBI_SUCCESS);
}

// The page is zeroed, whatever was in it, and left alone once it is given back.
void sta_set(void)
{
    only_diosix();
    struct steal_page *p = &pages[0];
    memset(p, 0xff, sizeof *p);
    struct sbi_result r = set(p, 0, 0);
    check(r.error == 0 && r.value == 0, "error %ld value %lu", r.error, r.value);
    check(!p->flags && !p->preempted && !p->pad[0] && !p->pad[46], "not zeroed");
    check_error(off(), SBI_SUCCESS);
    memset(p, 0xa5, sizeof *p);
    for (int i = 0; i < 5; i++)
        (void)!wait_for(false, 2);
    check(p->sequence == 0xa5a5a5a5 && p->preempted == 0xa5 && p->steal == 0xa5a5a5a5a5a5a5a5, "written after the end");
}

static volatile bool busy_stop;
static struct sbi_result busy_error;

static void busy(void *argument)
{
    busy_error = set(argument, 0, 0);
    while (!busy_stop)
        if (busy_error.error)
            break;
}

static uint64_t steal_of(const struct steal_page *p)
{
    uint32_t before;
    uint64_t steal;
    do {
        before = p->sequence;
        fence_all();
        steal = p->steal;
        fence_all();
    } while (before & 1 || before != p->sequence);
    return steal;
}

// All harts are busy for a while: where there are fewer real ones, or others want them, time is stolen. It
// never goes back, and there is never more of it than time.
void sta_counts(void)
{
    only_diosix();
    uint64_t tick_ns = 1000000000 / timebase, begin = time_now(), last[HARTS_MAX] = {0}, sum = 0;
    busy_stop = false;
    for (unsigned i = 1; i < harts_online; i++)
        hart_run(&harts[i], busy, &pages[i]);
    check_error(set(&pages[0], 0, 0), SBI_SUCCESS);
    for (int round = 0; round < 50; round++) {
        (void)!wait_for(false, 3);
        for (unsigned i = 0; i < harts_online; i++) {
            uint64_t steal = steal_of(&pages[i]), most = (time_now() - begin) * tick_ns;
            if (steal < last[i] || steal > most)
                test_fail("hart %u: stolen %llu ns, then %llu, of %llu", i, (long long unsigned)last[i],
                          (long long unsigned)steal, (long long unsigned)most);
            last[i] = steal;
        }
        if (pages[0].preempted)
            test_fail("preempted, and runs");
    }
    busy_stop = true;
    for (unsigned i = 1; i < harts_online; i++)
        if (!hart_wait(&harts[i]) || busy_error.error)
            test_fail("hart %u: error %ld", i, busy_error.error);
    for (unsigned i = 0; i < harts_online; i++)
        sum += last[i];
    if (tree_number("shared", 0) && sum == 0)
        test_fail("nothing stolen, though harts are shared");
    off();
}
