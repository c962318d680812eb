// Measures devices in a Linux guest: prints `BENCH name figure` lines, in the instructions that the hart has retired,
// whoever's they are (the guest's, firmware's, the hypervisor's, a neighbour's), for each operation. It is started by
// devices-init, and told on the kernel's command line what to do.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK 4096u
#define DISK_BLOCKS (16u << 8) // of 16 MiB
#define REQUESTS 400u
#define PORT 5201
#define MIB (1u << 20)
#define STREAM_MIB 8u
#define ROUND_TRIPS 200u

static _Noreturn void end(const char *trouble)
{
    if (trouble)
        perror(trouble);
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

// The lower 32 bits on RV32: what is measured is less.
static unsigned long retired(void)
{
    unsigned long count;
    __asm__ volatile("rdinstret %0" : "=r"(count));
    return count;
}

// Linux lets programs read the counter if it is asked to. Firmware may let it count only while Linux makes use of it;
// where it counts anyway Linux is left out of it, as that could make it this guest's own.
static void counter_open(void)
{
    struct perf_event_attr instructions = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof instructions, .config = PERF_COUNT_HW_INSTRUCTIONS};
    int setting = open("/proc/sys/kernel/perf_user_access", O_WRONLY);
    if (setting < 0 || write(setting, "2", 1) != 1)
        end("perf_user_access");
    close(setting);
    unsigned long before = retired();
    if (retired() == before && syscall(SYS_perf_event_open, &instructions, -1, 0, -1, 0) < 0)
        end("perf_event_open");
}

static void tell(const char *name, unsigned long begin, unsigned operations)
{
    printf("BENCH %s %.1f\n", name, (double)(retired() - begin) / operations);
}

// --- disks ---------------------------------------------------------------------------------------------------------

static void *block;

static void transfer(int disk, unsigned number, int writes)
{
    off_t at = (off_t)(number % DISK_BLOCKS) * BLOCK;
    ssize_t done = writes ? pwrite(disk, block, BLOCK, at) : pread(disk, block, BLOCK, at);
    if (done != BLOCK)
        end(writes ? "write" : "read");
}

static void requests(int disk, int writes, int anywhere)
{
    uint32_t at = 1;
    for (unsigned i = 0; i < REQUESTS; i++) {
        at = anywhere ? at * 1664525 + 1013904223 : at + 1;
        transfer(disk, anywhere ? at >> 12 : at, writes);
    }
}

static void requests_measure(const char *name, int disk, int writes, int anywhere)
{
    for (unsigned i = 0; i < 20; i++) // warms up
        transfer(disk, i, writes);
    unsigned long begin = retired();
    requests(disk, writes, anywhere);
    tell(name, begin, REQUESTS);
}

static int disk_open(const char *path)
{
    int disk = open(path, O_RDWR | O_DIRECT);
    if (disk < 0 || posix_memalign(&block, BLOCK, BLOCK))
        end(path);
    memset(block, 1, BLOCK);
    return disk;
}

// Says that it is ready, with a number, and waits for a line; a neighbour counts its exits meanwhile.
static void ready(void)
{
    static unsigned number;
    char line[16];
    printf("READY %u.\n", ++number);
    if (read(0, line, sizeof line) <= 0)
        end("read");
}

static void disk_phases(const char *path)
{
    int disk = disk_open(path);
    for (unsigned i = 0; i < 20; i++) // warms up
        transfer(disk, i, 0);
    ready();
    for (int phase = 0; phase < 4; phase++) {
        ready();
        requests(disk, phase >= 2, phase & 1);
    }
    ready();
}

// Keeps the disk busy for ever, a neighbour being told that it begins: half reads, half writes.
static void disk_busy(const char *path, size_t size)
{
    int disk = disk_open(path);
    char *big = NULL;
    if (!size || size > DISK_BLOCKS * BLOCK || posix_memalign((void **)&big, BLOCK, size))
        end("size");
    memset(big, 1, size);
    printf("READY 1.\n");
    for (size_t at = 0;; at = at + 2 * size > DISK_BLOCKS * BLOCK ? 0 : at + size)
        if (pwrite(disk, big, size, (off_t)at) != (ssize_t)size || pread(disk, big, size, (off_t)at) != (ssize_t)size)
            end("busy");
}

static void disk_measure(const char *path)
{
    int disk = disk_open(path);
    requests_measure("read_4k_sequential", disk, 0, 0);
    requests_measure("read_4k_random", disk, 0, 1);
    requests_measure("write_4k_sequential", disk, 1, 0);
    requests_measure("write_4k_random", disk, 1, 1);
    close(disk);
}

// --- networks ------------------------------------------------------------------------------------------------------

static char bytes[64 << 10];

static void all_of(int to, size_t size, int sends)
{
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof bytes ? size - done : sizeof bytes;
        ssize_t now = sends ? send(to, bytes, part, 0) : recv(to, bytes, part, 0);
        if (now <= 0)
            end(sends ? "send" : "recv");
        done += (size_t)now;
    }
}

static int called(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int one = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    if (door < 0 || bind(door, (struct sockaddr *)&any, sizeof any) || listen(door, 1))
        end("listen");
    printf("BENCH serves 0\n");
    int peer = accept(door, NULL, NULL);
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return peer;
}

// Takes STREAM_MIB, answers one byte, then sends back each byte that comes.
static void serve(void)
{
    int peer = called();
    all_of(peer, STREAM_MIB * MIB, 0);
    while (send(peer, bytes, 1, 0) == 1 && recv(peer, bytes, 1, 0) == 1) {
    }
    end(NULL);
}

static int reach(const char *address, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    for (int tries = 0; tries < 100; tries++) {
        int peer = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(peer, (struct sockaddr *)&to, sizeof to) == 0)
            return peer;
        close(peer);
        usleep(100000);
    }
    end("connect");
}

// A stream without end: who takes it, and who sends it, a neighbour being told that it begins.
static void sink(void)
{
    for (int peer = called();;)
        all_of(peer, MIB, 0);
}

static void flood(const char *address, int port)
{
    int peer = reach(address, port);
    all_of(peer, MIB, 1);
    printf("READY 1.\n");
    for (;;)
        all_of(peer, MIB, 1);
}

static void network_measure(const char *address, int port)
{
    int one = 1, peer = reach(address, port);
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    unsigned long begin = retired();
    all_of(peer, STREAM_MIB * MIB, 1);
    all_of(peer, 1, 0);
    tell("tcp_mib", begin, STREAM_MIB);
    begin = retired();
    for (unsigned i = 0; i < ROUND_TRIPS; i++) {
        all_of(peer, 1, 1);
        all_of(peer, 1, 0);
    }
    tell("tcp_round_trip", begin, ROUND_TRIPS);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    counter_open();
    if (argc == 3 && !strcmp(argv[1], "disk"))
        disk_measure(argv[2]);
    else if (argc == 3 && !strcmp(argv[1], "phases"))
        disk_phases(argv[2]);
    else if (argc == 4 && !strcmp(argv[1], "busy"))
        disk_busy(argv[2], (size_t)atoi(argv[3]) << 10);
    else if (argc == 4 && !strcmp(argv[1], "send"))
        network_measure(argv[2], atoi(argv[3]));
    else if (argc == 4 && !strcmp(argv[1], "flood"))
        flood(argv[2], atoi(argv[3]));
    else if (argc == 2 && !strcmp(argv[1], "serve"))
        serve();
    else if (argc == 2 && !strcmp(argv[1], "sink"))
        sink();
    else
        fprintf(
            stderr,
            "devices: disk PATH, phases PATH, busy PATH KIB, send ADDRESS PORT, flood ADDRESS PORT, serve, or sink\n");
    printf("BENCH done 0\n");
    end(NULL);
}
