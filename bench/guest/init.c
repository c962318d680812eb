// The only program of a measured Linux guest: prints `BENCH name least mean` lines, in
// nanoseconds by the guest's own clock, then powers off. It is the kernel's init, so nothing runs beside it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define MIB (1u << 20)

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    reboot(RB_POWER_OFF);
}

// The clock as the hart shows it, in ticks.
static unsigned long clock_ticks(void)
{
    unsigned long ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return ticks;
}

// A debugger of the machine stops here, to see how far that clock is set off from the machine's.
__attribute__((noinline)) void init_reached(void)
{
    __asm__ volatile("" ::: "memory");
}

static void null_call(int rounds)
{
    for (int i = 0; i < rounds; i++)
        syscall(SYS_getppid);
}

static void fork_exit(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
}

static void fork_exec(int rounds)
{
    for (int i = 0; i < rounds; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/init", "/init", "exit", NULL);
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
}

// Per page.
static void map_touch(int pages)
{
    const int chunk = 256;
    for (; pages > 0; pages -= chunk) {
        volatile char *p = mmap(NULL, chunk * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            fail("mmap");
        for (int i = 0; i < chunk; i++)
            p[i * PAGE] = 1;
        munmap((void *)p, chunk * PAGE);
    }
}

static char *from, *to;

// Late, for what a process has mapped is what fork copies; the turn that warms up pays for it.
static void memory_prepare(void)
{
    if (from)
        return;
    from = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    to = malloc(MIB);
    if (from == MAP_FAILED || !to)
        fail("memory");
    memset(from, 1, 16 * MIB);
}

static void copy(int rounds)
{
    memory_prepare();
    for (int i = 0; i < rounds; i++) {
        memcpy(to, from, MIB);
        __asm__ volatile("" ::: "memory");
    }
}

// Reads all over 16 MiB: what the depth of page walks does.
static void walk(int rounds)
{
    static uint32_t at = 1;
    memory_prepare();
    volatile char *memory = from;
    for (int i = 0; i < rounds; i++) {
        at = at * 1664525 + 1013904223;
        (void)memory[at >> 8];
    }
}

static int there[2], back[2];

static void pipe_partner(void)
{
    char byte;
    while (read(there[0], &byte, 1) == 1)
        if (write(back[1], &byte, 1) != 1)
            break;
    _exit(0);
}

static void ping_pong(int rounds)
{
    char byte = 0;
    for (int i = 0; i < rounds; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            fail("pipe");
}

static void sleeps(int rounds)
{
    struct timespec millisecond = {0, 1000000};
    for (int i = 0; i < rounds; i++)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &millisecond, NULL);
}

static volatile unsigned long sink;

static void compute(int rounds)
{
    unsigned long x = 2463534242u;
    for (int i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    sink = x;
}

static void compute_float(int rounds)
{
    double x = 1;
    for (int i = 0; i < rounds; i++)
        x = x * 1.0000001 + 0.5 / x;
    sink = (unsigned long)x;
}

static void console(int rounds)
{
    static const char line[65] = "................................................................";
    for (int i = 0; i < rounds; i += 64)
        if (write(STDOUT_FILENO, line, 64) != 64)
            fail("write");
    tcdrain(STDOUT_FILENO);
}

static const struct {
    const char *name;
    void (*run)(int rounds);
    int rounds;
} benches[] = {
    {"null_syscall", null_call, 20000},  {"fork_exit", fork_exit, 50},
    {"fork_exec", fork_exec, 20},        {"mmap_touch_page", map_touch, 2048},
    {"pipe_round_trip", ping_pong, 500}, {"sleep_1ms", sleeps, 20},
    {"compute", compute, 1000000},       {"compute_float", compute_float, 300000},
    {"console_byte", console, 256},      {"memcpy_mib", copy, 16},
    {"random_read", walk, 100000},
};

static void partner_start(void)
{
    if (pipe(there) || pipe(back))
        fail("pipe");
    if (fork() == 0)
        pipe_partner();
}

#define TURNS 10

// Least and mean of several turns after one that warms up: the least where the host is busy with other
// things, the mean where it can't matter.
static void bench(const char *name, void (*run)(int), int rounds)
{
    int64_t least = INT64_MAX, all = 0;
    run(rounds);
    for (int i = 0; i < TURNS; i++) {
        int64_t start = now();
        run(rounds);
        int64_t took = now() - start;
        all += took;
        if (took < least)
            least = took;
    }
    if (run == console)
        printf("\n");
    printf("BENCH %s %.2f %.2f\n", name, (double)least / rounds, (double)all / TURNS / rounds);
}

static void print_uptime(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    printf("BENCH kernel_to_init %lld\n", t.tv_sec * 1000000000ll + t.tv_nsec);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "exit"))
        return 0;
    unsigned long reached = clock_ticks();
    init_reached();
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("\nBENCH init_clock %lu\n", reached);
    print_uptime();
    if (getenv("bench") && !strcmp(getenv("bench"), "boot"))
        reboot(RB_POWER_OFF);
    partner_start();
    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++)
        bench(benches[i].name, benches[i].run, benches[i].rounds);
    printf("BENCH done 0\n");
    reboot(RB_POWER_OFF);
    return 0;
}
