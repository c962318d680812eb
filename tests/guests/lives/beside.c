// Looking on from beside: a capsule of the bundle, not a child, whose Linux says `READY number.` and then waits for a
// line, or works on for ever. To see it at all takes the terminal.
#include "lives.h"

#define PHASES 5u

static uint32_t neighbour(void)
{
    uint32_t own = status_of(0).id, id = 0;

    if (manage(DIOSIX_KEEP, 1, 0, 0).error)
        return 0;
    do
        id = (uint32_t)manage(DIOSIX_NEXT, id, 0, 0).value;
    while (id == own);
    return id;
}

bool beside_works(void)
{
    uint32_t id = neighbour();

    bool works = id && child_says(id, "READY", 1);
    (void)manage(DIOSIX_KEEP, 0, 0, 0);
    return works;
}

// What the phases of its work, each of as many requests, added to its exits. The first phase has none: it is what
// waking up, saying READY and sleeping takes, which is not theirs.
void measure_exits(void)
{
    static const char *const phases[PHASES] = {"", "read_4k_sequential", "read_4k_random", "write_4k_sequential",
                                               "write_4k_random"};
    static const char *const kinds[DIOSIX_EXIT_KINDS] = {"timer",  "ipi",  "fence",     "call",
                                                         "device", "wait", "interrupt", "other"};
    static struct diosix_status seen[PHASES + 1];
    uint32_t id = neighbour();

    for (unsigned i = 0; i <= PHASES; i++) {
        if (!id || child_says(id, "READY", i + 1) != i + 1)
            return;
        sleep_ms(100); // until it sleeps
        seen[i] = status_of(id);
        (void)sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_INPUT, id, 1, "\r", 0, 0, 0);
        sleep_ms(500); // undisturbed
    }
    (void)manage(DIOSIX_KEEP, 0, 0, 0);
    for (unsigned i = 1; i < PHASES; i++)
        for (unsigned kind = 0; kind < DIOSIX_EXIT_KINDS; kind++) {
            unsigned long nothing = (unsigned long)(seen[1].exits[kind] - seen[0].exits[kind]);
            unsigned long all = (unsigned long)(seen[i + 1].exits[kind] - seen[i].exits[kind]);
            print("LIVES %s_%s %lu\n", phases[i], kinds[kind], all > nothing ? all - nothing : 0);
        }
}
