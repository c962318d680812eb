// Children with Linux, the bundle's second kernel: how many there can be, and when a clone of one answers.
#include "lives.h"

#define LINUX_MOST 500u
#define WELCOME "Welcome to" // the bundled guests' last word before their prompt

static uint32_t linux_start(uint64_t memory)
{
    const struct child c = {
        .role = "console=ttyS0 quiet", .kernel = "kernel-2", .initrd = "ramdisk-1", .memory = memory, .vcores = 1};

    return child_start(&c);
}

// As many as can be, each with so little memory that it just starts; those count that get to their prompt.
void measure_linux(void)
{
    static uint32_t ids[LINUX_MOST];
    unsigned long mib = tree_number("mib", 4);
    unsigned count = 0, running = 0;

    while (count < LINUX_MOST && (ids[count] = linux_start((uint64_t)mib << 20)))
        count++;
    for (unsigned i = 0; i < count; i++)
        running += child_prints(ids[i], WELCOME);
    print("LIVES linux_capsules_of_%lu_mib %u\n", mib, running);
}

// When it has computed something: the answer is not in the question, which comes back as an echo.
static bool ask(uint32_t id, const char *question, const char *answer)
{
    size_t length = strlen(question);

    (void)sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_INPUT, id, length, question, 0, 0, 0);
    return child_prints(id, answer);
}

// A booted one is asked, then cloned, and then the clone is.
void measure_linux_fork(void)
{
    uint32_t id = linux_start((uint64_t)128 << 20);

    if (!id || !child_prints(id, WELCOME))
        return;
    sleep_ms(10000); // until it waits at its prompt, and has nothing else to do
    unsigned long asked = (unsigned long)time_now();
    if (!ask(id, "echo $((40+2))-is-it\r", "42-is-it"))
        return;
    print("LIVES linux_answers %lu\n", ns((unsigned long)time_now() - asked));
    sleep_ms(1000);
    unsigned long begin = (unsigned long)time_now();
    struct sbi_result clone = manage(DIOSIX_FORK, id, 0, 0);
    if (clone.error)
        return;
    while (status_of((uint32_t)clone.value).state == DIOSIX_FORKING)
        sleep_us(10);
    unsigned long forked = (unsigned long)time_now();
    if (!ask((uint32_t)clone.value, "echo $((50+3))-is-it\r", "53-is-it"))
        return;
    print("LIVES fork_linux %lu\n", ns(forked - begin));
    print("LIVES fork_linux_until_it_answers %lu\n", ns((unsigned long)time_now() - begin));
    print("LIVES clone_private_bytes %lu\n", (unsigned long)status_of((uint32_t)clone.value).memory_private);
}
