// CSR access, fences and the numbers of supervisor CSRs that old assemblers don't know by name.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define csr_read(csr)                                                                                                  \
    ({                                                                                                                 \
        unsigned long value_;                                                                                          \
        __asm__ volatile("csrr %0, " #csr : "=r"(value_)::"memory");                                                   \
        value_;                                                                                                        \
    })
#define csr_write(csr, value) __asm__ volatile("csrw " #csr ", %0" ::"r"((unsigned long)(value)) : "memory")
#define csr_set(csr, bits) __asm__ volatile("csrs " #csr ", %0" ::"r"((unsigned long)(bits)) : "memory")
#define csr_clear(csr, bits) __asm__ volatile("csrc " #csr ", %0" ::"r"((unsigned long)(bits)) : "memory")

#define XLEN (8 * sizeof(unsigned long))

#define SSTATUS_SIE (1ul << 1)
#define SSTATUS_SPIE (1ul << 5)
#define SSTATUS_VS (3ul << 9)
#define SSTATUS_SPP (1ul << 8)
#define SSTATUS_FS (3ul << 13)
#define SSTATUS_SUM (1ul << 18)

#define CAUSE_INTERRUPT (1ul << (XLEN - 1))
#define INTERRUPT_SOFTWARE 1
#define INTERRUPT_TIMER 5
#define INTERRUPT_EXTERNAL 9

enum cause {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_USER_ECALL = 8,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
};

static inline void fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}
static inline void fence_vma(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}
static inline void fence_all(void)
{
    __asm__ volatile("fence" ::: "memory");
}
static inline void wfi(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

static inline uint64_t time_now(void)
{
    if (XLEN == 64)
        return csr_read(time);
    unsigned long high, low;
    do {
        high = csr_read(0xc81);
        low = csr_read(time);
    } while (high != csr_read(0xc81));
    return ((uint64_t)high << 16 << 16) | low;
}
