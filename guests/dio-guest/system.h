// Linux's system calls, as far as they are needed, for both widths of RISC-V.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum system {
    SYSTEM_IOCTL = 29,
    SYSTEM_OPENAT = 56,
    SYSTEM_READ = 63,
    SYSTEM_WRITE = 64,
    SYSTEM_EXIT = 94,
    SYSTEM_SOCKET = 198,
    SYSTEM_BIND = 200,
    SYSTEM_LISTEN = 201,
    SYSTEM_ACCEPT = 202,
    SYSTEM_CONNECT = 203,
    SYSTEM_SENDTO = 206,
    SYSTEM_SHUTDOWN = 210,
#if __riscv_xlen == 64
    SYSTEM_PPOLL = 73,
    SYSTEM_CLOCK_GETTIME = 113,
#else
    SYSTEM_PPOLL = 414, // with 64-bit time
    SYSTEM_CLOCK_GETTIME = 403,
#endif
};

#define STDIN 0
#define STDOUT 1
#define STDERR 2
#define AT_FDCWD -100
#define AF_VSOCK 40
#define SOCK_STREAM 1
#define SHUTDOWN_WRITE 1
#define MSG_NOSIGNAL 0x4000
#define CID_ANY 0xffffffffu
#define GET_LOCAL_CID 0x7b9
#define GET_TERMINAL 0x5401
#define SET_TERMINAL 0x5402
#define CLOCK_MONOTONIC 1
#define POLL_IN 1

struct sockaddr_vm {
    uint16_t family, reserved;
    uint32_t port, cid;
    uint8_t flags, zero[3];
};

struct pollfd {
    int fd;
    short events, revents;
};

// A time, for both widths.
struct timespec64 {
    int64_t seconds, nanoseconds;
};

// The kernel's own, not a libc's.
struct terminal {
    uint32_t input, output, control, local;
    uint8_t line, keys[19];
};
enum {
    INPUT_CR_TO_LF = 0x100,
    INPUT_FLOW = 0x400,
    LOCAL_SIGNALS = 1,
    LOCAL_LINES = 2,
    LOCAL_ECHO = 8,
};

static inline long system_call(long number, long first, long second, long third, long fourth, long fifth)
{
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = first, a1 __asm__("a1") = second,
                     a2 __asm__("a2") = third, a3 __asm__("a3") = fourth, a4 __asm__("a4") = fifth;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
    return a0;
}

static inline bool system_write_all(int fd, const char *from, size_t count)
{
    while (count) {
        long done = system_call(SYSTEM_WRITE, fd, (long)from, (long)count, 0, 0);
        if (done <= 0)
            return false;
        from += done;
        count -= (size_t)done;
    }
    return true;
}

static inline _Noreturn void system_exit(int status)
{
    for (;;)
        system_call(SYSTEM_EXIT, status, 0, 0, 0, 0);
}

static inline bool system_is_terminal(int fd)
{
    struct terminal settings;
    return system_call(SYSTEM_IOCTL, fd, GET_TERMINAL, (long)&settings, 0, 0) == 0;
}

static inline uint64_t system_milliseconds(void)
{
    struct timespec64 now;
    system_call(SYSTEM_CLOCK_GETTIME, CLOCK_MONOTONIC, (long)&now, 0, 0, 0);
    return (uint64_t)now.seconds * 1000 + (uint64_t)now.nanoseconds / 1000000;
}

// Waits until one of the files has something, or so many milliseconds.
static inline long system_poll(struct pollfd *files, unsigned count, uint64_t milliseconds)
{
    struct timespec64 time = {(int64_t)(milliseconds / 1000), (int64_t)(milliseconds % 1000) * 1000000};
    return system_call(SYSTEM_PPOLL, (long)files, count, (long)&time, 0, 0);
}
