// What many who want the hart cost: shares, wake-ups, switches.
#include "lives.h"

#define SPINNERS_MAX 60u // vcores of one capsule that spins

// Children with so many vcores in all; the first one's id.
static uint32_t spinners_start(const char *role, unsigned count)
{
    uint32_t first = 0;

    while (count) {
        unsigned vcores = count < SPINNERS_MAX ? count : SPINNERS_MAX;
        uint32_t id = child_start(&(struct child){.role = role, .memory = CHILD_MEMORY_LEAST, .vcores = vcores});
        if (!id)
            return 0;
        first = first ? first : id;
        count -= vcores;
    }
    return first;
}

// Weights 1:2:4: how far the worst is off what it should have had, in millionths.
void measure_shares(void)
{
    static const uint32_t weights[] = {100, 200, 400};
    unsigned seconds = (unsigned)tree_number("seconds", 10);
    uint32_t ids[3];
    uint64_t had[3], all = 0;
    unsigned long worst = 0;

    for (unsigned i = 0; i < 3; i++)
        ids[i] = child_start(
            &(struct child){.role = "spin", .memory = CHILD_MEMORY_LEAST, .vcores = 1, .weight = weights[i]});
    sleep_ms(500);
    for (unsigned i = 0; i < 3; i++)
        had[i] = status_of(ids[i]).hart_time;
    sleep_ms(1000 * seconds);
    for (unsigned i = 0; i < 3; i++)
        all += had[i] = status_of(ids[i]).hart_time - had[i];
    for (unsigned i = 0; i < 3; i++) {
        uint64_t due = all * weights[i] / 700, off = had[i] > due ? had[i] - due : due - had[i];
        unsigned long millionths = (unsigned long)(off * 1000000 / due);
        worst = millionths > worst ? millionths : worst;
    }
    print("LIVES share_error_millionths %lu\n", worst);
}

struct lateness {
    unsigned long mean, worst;
};

// How late is one that sleeps until its timer is due, which is at another point of what others do each time?
static struct lateness lateness_of(unsigned wakes)
{
    unsigned long sum = 0, worst = 0;

    for (unsigned i = 0; i < wakes; i++) {
        uint64_t due = time_now() + ticks(5000) + i * 7;
        (void)sbi_set_timer(due);
        while (csr_read(sip) == 0)
            wfi();
        unsigned long late = (unsigned long)(time_now() - due);
        sum += late;
        worst = late > worst ? late : worst;
    }
    return (struct lateness){ns(sum) / wakes, ns(worst)};
}

// So many vcores that spin on the hart: how late does one that sleeps go on?
void measure_wakes(void)
{
    unsigned spinning = (unsigned)tree_number("spinning", 1);

    if (spinning && !spinners_start("spin", spinning))
        return;
    sleep_ms(100 + 11 * spinning); // all of them had their first turn
    struct lateness late = lateness_of(50);
    print("LIVES wake_beside_%u %lu\n", spinning, late.mean);
    print("LIVES wake_beside_%u_worst %lu\n", spinning, late.worst);
}

// Beside what others of the bundle work on, if there are any, or one that spins.
void measure_wakes_beside(void)
{
    if (tree_number("others", 0) && !beside_works())
        return;
    if (tree_number("spinning", 0) && !spinners_start("spin", 1))
        return;
    sleep_ms(111);
    struct lateness late = lateness_of(150);
    print("LIVES wake %lu\n", late.mean);
    print("LIVES wake_worst %lu\n", late.worst);
}

extern char spin_for_ever[], take_turns[]; // spin.S

_Noreturn void role_spin(void)
{
    for (unsigned long i = 1; sbi_call3(SBI_HSM, HSM_START, i, spin_for_ever, 0).error == 0; i++) {
    }
    ((void (*)(void))spin_for_ever)();
    __builtin_unreachable();
}

// --- switches ------------------------------------------------------------------------------------------------

// spin.S; the sum of what switches took, and how many.
struct turns {
    volatile unsigned long last, sum, count;
};

// A round of all: a slice is 4 ms.
static unsigned round_ms(void)
{
    return 50 + 4 * (unsigned)tree_number("spinning", 10);
}

// Vcore 0 looks on, and sleeps meanwhile: who wakes up would count as part of a switch.
_Noreturn void role_turns(void)
{
    static struct turns turns;

    for (unsigned long i = 1; sbi_call3(SBI_HSM, HSM_START, i, take_turns, &turns).error == 0; i++) {
    }
    sleep_ms(round_ms());                     // in the first, all are still being started
    turns.sum = turns.count = turns.last = 0; // and we are nobody's switch
    sleep_ms(round_ms());
    print("TURNS %lu.\n", turns.count ? turns.sum / turns.count : 0);
    for (;;)
        wfi();
}

// Between so many vcores that spin, some of which take notes.
void measure_switches(void)
{
    unsigned spinning = (unsigned)tree_number("spinning", 10);
    unsigned noting = spinning < SPINNERS_MAX ? spinning : SPINNERS_MAX;
    const char *role = spinning < 100 ? "turns spinning=10" : "turns spinning=1000";
    uint32_t id = child_start(&(struct child){.role = role, .memory = CHILD_MEMORY_LEAST, .vcores = noting + 1});

    if (!id || (spinning > noting && !spinners_start("spin", spinning - noting)))
        return;
    sleep_ms(2 * round_ms() + 100);
    unsigned long cost = child_says(id, "TURNS", 1);
    if (cost)
        print("LIVES switch_among_%u %lu\n", spinning, cost);
}
