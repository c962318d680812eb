// A system call on RISC-V: supervisor.h says which registers hold what.
#pragma once

#include "supervisor.h"

#if __riscv_xlen == 64
#define HANDLE_REGISTERS "+r"(h0), "+r"(h1)
#define HANDLE_CLOBBERS , "a4", "a5"
#else
#define HANDLE_REGISTERS "+r"(h0), "+r"(h1), "+r"(h2), "+r"(h3)
#define HANDLE_CLOBBERS
#endif

// An argument, or whatever the register holds.
#define ECALL_ARGUMENT(n, name)                                                                                        \
    register sv_word a##n __asm__(name);                                                                               \
    if (count > n)                                                                                                     \
        a##n = a[n];                                                                                                   \
    else                                                                                                               \
        __asm__ volatile("" : "=r"(a##n))

// Makes the call that acts by *handle with the first 'count' (a constant) of the arguments in 'a'. Values 1 to 4 are
// then there, and a new handle in *handle. Inlined, so that neither array has to be in memory.
static inline __attribute__((always_inline)) enum sv_status sv_ecall(enum sv_call call, struct sv_handle *handle,
                                                                     sv_word *a, const unsigned count)
{
    ECALL_ARGUMENT(0, "t3");
    ECALL_ARGUMENT(1, "t4");
    ECALL_ARGUMENT(2, "t5");
    ECALL_ARGUMENT(3, "t6");
    ECALL_ARGUMENT(4, "t1");
    ECALL_ARGUMENT(5, "t2");
    register sv_word status __asm__("a0");
    register sv_word number __asm__("a1") = call;
#if __riscv_xlen == 64
    sv_word words[2];
    __builtin_memcpy(words, handle, sizeof(words));
    register sv_word h0 __asm__("a2") = words[0];
    register sv_word h1 __asm__("a3") = words[1];
#else
    register sv_word h0 __asm__("a2") = handle->word[0];
    register sv_word h1 __asm__("a3") = handle->word[1];
    register sv_word h2 __asm__("a4") = handle->word[2];
    register sv_word h3 __asm__("a5") = handle->word[3];
#endif
    __asm__ volatile("ecall"
                     : "=r"(status), "+r"(number), HANDLE_REGISTERS, "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4),
                       "+r"(a5)
                     :
                     : "memory", "ra", "a6", "a7", "t0" HANDLE_CLOBBERS);
    a[1] = a0, a[2] = a1, a[3] = a2, a[4] = a3;
#if __riscv_xlen == 64
    words[0] = h0, words[1] = h1;
    __builtin_memcpy(handle, words, sizeof(words));
#else
    *handle = (struct sv_handle){{(uint32_t)h0, (uint32_t)h1, (uint32_t)h2, (uint32_t)h3}};
#endif
    return (enum sv_status)status;
}
