// What the tests use of mmap(): zeroed memory by the page, which is not touched before it is used. It is the
// machine's, fresh, and never given back.
#pragma once

#include <stdint.h>
#include <unistd.h>

#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_FAILED ((void *)-1)

static inline void *mmap(void *where, size_t size, int rights, int flags, int file, long offset)
{
    (void)where, (void)rights, (void)flags, (void)file, (void)offset;
    uintptr_t end = (uintptr_t)sbrk((long)size + 4096);
    return end + 1 ? (void *)((end + 4095) & ~(uintptr_t)4095) : MAP_FAILED;
}
