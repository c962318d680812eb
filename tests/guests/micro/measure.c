#include "micro.h"

static bool is_wall(void)
{
    static int wall = -1;
    char text[8];
    if (wall < 0)
        wall = tree_option("clock", text, sizeof text);
    return wall;
}

uint64_t fine_now(void)
{
    uint64_t tick_ns = 1000000000 / timebase;
    if (is_wall())
        return time_now() * tick_ns;
    unsigned long before = csr_read(time), after, rounds;
    __asm__ volatile("li %1, 0\n"
                     "1: csrr %0, time\n"
                     "addi %1, %1, 1\n"
                     "beq %0, %2, 1b"
                     : "=&r"(after), "=&r"(rounds)
                     : "r"(before)
                     : "memory");
    return after * tick_ns - 3 * rounds;
}

void report(const char *name, uint64_t value)
{
    print("MICRO %s %llu\n", name, (long long unsigned)value);
}

static void empty(void)
{
    __asm__ volatile("");
}

static uint64_t total(void (*volatile operation)(void), unsigned rounds)
{
    uint64_t start = fine_now();
    for (unsigned i = 0; i < rounds; i++)
        operation();
    return fine_now() - start;
}

void measure(const char *name, void (*operation)(void), unsigned rounds)
{
    operation(); // caches, translations and the other side's first-time work
    uint64_t cost = total(operation, rounds), base = total(empty, rounds);
    report(name, cost < base ? 0 : (cost - base + rounds / 2) / rounds);
}
