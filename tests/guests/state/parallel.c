#include "suite.h"

static hart_check current;
static const char *volatile found[HARTS_MAX];
static uint64_t check_until;

bool time_left(void)
{
    return time_now() < check_until;
}

void spin(unsigned long rounds)
{
    __asm__ volatile("1: addi %0, %0, -1\nbnez %0, 1b" : "+r"(rounds)::"memory");
}

unsigned long pattern(struct hart *h, unsigned long salt)
{
    return (unsigned long)(0x9e3779b97f4a7c15ull * (salt * 31 + h->index + 1)) ^ salt;
}

static void check_job(void *argument)
{
    struct hart *h = argument;
    found[h->index] = current(h);
}

void on_all_harts(hart_check function)
{
    current = function;
    check_until = time_now() + ticks(tree_number("milliseconds", 300) * 1000);
    for (unsigned i = 1; i < harts_online; i++)
        hart_run(&harts[i], check_job, &harts[i]);
    check_job(&harts[0]);
    for (unsigned i = 1; i < harts_online; i++)
        if (!hart_wait(&harts[i]))
            found[i] = "hangs";
    for (unsigned i = 0; i < harts_online; i++)
        if (found[i])
            test_fail("hart %lu: %s", harts[i].id, found[i]);
}
