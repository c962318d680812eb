// Creating, restarting, forking, and how many fit.
#include "lives.h"

#define ROUNDS 20u
#define FORKS 10u

static const struct child idle = {.role = "idle", .memory = 16 << 20, .vcores = 1};

static void measure_create_call(void)
{
    unsigned long sum = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned long begin = csr_read(cycle);
        uint32_t id = child_create(&idle);
        sum += csr_read(cycle) - begin;
        if (!id)
            return;
        child_destroy(id);
    }
    print("LIVES create_call %lu\n", sum / ROUNDS);
}

// From before its creation to its first instruction.
static unsigned long time_to_create(const struct child *c)
{
    unsigned long sum = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned long begin = (unsigned long)time_now();
        uint32_t id = child_start(c);
        unsigned long when = id ? child_says(id, "ENTERED", 1) : 0;
        if (!when)
            return 0;
        sum += when - begin;
        child_destroy(id);
    }
    return ns(sum) / ROUNDS;
}

static struct diosix_image image_of(unsigned n)
{
    struct diosix_image image = {0};

    (void)sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_IMAGE, n, sizeof image, &image, 0, 0, 0);
    return image;
}

// With and without an initial file system, for what the copy of an image costs.
static void measure_create(void)
{
    struct diosix_image kernel = image_of(0), initrd = image_of(1);
    struct child full = idle;

    full.initrd = initrd.name;
    unsigned long without = time_to_create(&idle), with = time_to_create(&full);
    if (!without || !with || !initrd.size)
        return;
    unsigned long kib = (with - without) / (unsigned long)(initrd.size >> 10);
    unsigned long copy = (unsigned long)((uint64_t)(with - without) * kernel.size / initrd.size);
    print("LIVES create_to_first_instruction %lu\n", without);
    print("LIVES image_copy_%lu_kib %lu\n", (unsigned long)(kernel.size + 1023) >> 10, copy);
    print("LIVES create_without_copy %lu\n", without - copy);
    print("LIVES image_copy_per_kib %lu\n", kib);
}

static unsigned long time_to_restart(uint64_t memory)
{
    struct child c = idle;
    unsigned long sum = 0;

    c.memory = memory;
    uint32_t id = child_start(&c);
    if (!id || !child_says(id, "ENTERED", 1))
        return 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned long begin = (unsigned long)time_now();
        (void)manage(DIOSIX_RESTART, id, 0, 0);
        unsigned long when = child_says(id, "ENTERED", i + 2);
        if (!when)
            return 0;
        sum += when - begin;
    }
    child_destroy(id);
    return ns(sum) / ROUNDS;
}

static void measure_restart(void)
{
    unsigned long small = time_to_restart(16 << 20), big = time_to_restart(48 << 20);

    if (!small || !big)
        return;
    print("LIVES restart_16_mib %lu\n", small);
    print("LIVES restart_per_further_mib %lu\n", (big - small) / 32);
}

// --- clones --------------------------------------------------------------------------------------------------

// Forks itself: when its clone went on, and when it did itself; false if there is no clone.
static bool fork_once(unsigned long *child, unsigned long *parent, unsigned long *private)
{
    unsigned long begin = (unsigned long)time_now();
    struct sbi_result r = manage(DIOSIX_FORK, 0, 0, 0);
    unsigned long now = (unsigned long)time_now();

    if (r.error == 0 && r.value == 0) {
        print("ENTERED %lu.\n", now);
        for (;;)
            wfi();
    }
    if (r.error) {
        print("no clone: error %ld, lack %lu\n", r.error, r.value);
        return false;
    }
    *parent += now - begin;
    *child += child_says((uint32_t)r.value, "ENTERED", 1) - begin;
    *private = (unsigned long)status_of((uint32_t)r.value).memory_private;
    child_destroy((uint32_t)r.value);
    return true;
}

// With all of its memory touched, which the command line has the manifest give it.
static void measure_forks(void)
{
    unsigned long first = 0, child = 0, parent = 0, private = 0;
    unsigned long end = (unsigned long)(tree.ram_base + tree.ram_size) - (8ul << 20);

    for (unsigned long at = (unsigned long)tree.ram_base + (8ul << 20); at < end; at += 4096)
        *(volatile unsigned long *)at = at;
    if (!fork_once(&first, &parent, &private))
        return;
    parent = 0;
    for (unsigned i = 0; i < FORKS; i++)
        if (!fork_once(&child, &parent, &private))
            return;
    print("LIVES fork_first %lu\n", ns(first));
    print("LIVES fork %lu\n", ns(child) / FORKS);
    print("LIVES fork_until_parent_goes_on %lu\n", ns(parent) / FORKS);
    print("LIVES clone_private_bytes %lu\n", private);
}

// --- how many ------------------------------------------------------------------------------------------------

// As many children of the smallest memory as can be, all of them running at the end.
static void measure_most(void)
{
    static uint32_t ids[2000]; // and no more are asked for
    struct child c = idle;
    unsigned count = 0, running = 0, most = (unsigned)tree_number("most", 2000);

    c.memory = (uint64_t)tree_number("mib", 4) << 20;
    while (count < most && (ids[count] = child_start(&c)))
        count++;
    for (unsigned i = 0; i < count; i++)
        running += child_says(ids[i], "ENTERED", 1) != 0;
    print("LIVES minimal_capsules %u\n", running);
}

static void role_idle(void)
{
    print("ENTERED %lu.\n", entered_at);
    for (;;)
        wfi();
}

int payload_main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } roles[] = {
        {"idle", role_idle},
        {"spin", role_spin},
        {"turns", role_turns},
        {"call", measure_create_call},
        {"create", measure_create},
        {"restart", measure_restart},
        {"forks", measure_forks},
        {"shares", measure_shares},
        {"wakes", measure_wakes},
        {"most", measure_most},
        {"linux", measure_linux},
        {"linux-fork", measure_linux_fork},
        {"switches", measure_switches},
        {"exits", measure_exits},
        {"wakes-beside", measure_wakes_beside},
    };
    char role[16] = "";

    csr_set(sie, 1ul << INTERRUPT_TIMER);
    tree_option("lives", role, sizeof role);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (!strcmp(role, roles[i].name))
            roles[i].run();
    print("LIVES done 0\n");
    return 0;
}
