// RISC-V's part of arch.h: the registers of a run, what a space is, and where programs lie.
#pragma once

#include <stddef.h>

#include "kernel.h"
#include "xlen.h"

// In whole pages; nothing is at address 0. On RV64 as much as Sv39 has in its lower half, but for its last gigabyte.
#define ARCH_USER_START 0x10000
#if __riscv_xlen == 64
#define ARCH_USER_END 0x3fc0000000
#else
#define ARCH_USER_END 0x80000000
#endif
#define ARCH_ELF_MACHINE 243

struct cpu;

struct frame {
    sv_word x[32]; // x[0] is the pc
    sv_word kind;  // FRAME_WHOLE, ...
    struct cpu *cpu;
};
_Static_assert(offsetof(struct frame, kind) == FRAME_KIND && offsetof(struct frame, cpu) == FRAME_CPU, "see xlen.h");

// A page table (tables.c).
struct space {
    uint64_t root;       // physical
    struct budget *pays; // for all of its tables
    uintptr_t satp;      // as it is to be loaded in that era
    uint32_t asid, era;  // worth something in that era only
    uint32_t stale;      // harts that have to drop translations of it before they run it, a bit each
    uint32_t code;       // those that have to drop instructions that they fetched
};

// Where the kernel sees physical address 0 (which need not be in its view).
extern uintptr_t direct_offset;

static inline void *physical_pointer(uint64_t address)
{
    return (void *)((uintptr_t)address + direct_offset);
}
static inline uint64_t physical_address(const void *pointer)
{
    return (uintptr_t)pointer - direct_offset;
}

// Never another one in the course of a function.
static inline struct hart *this_hart(void)
{
    struct hart *h;
    __asm__(XLEN_TEXT(REG_L) " %0, %1(tp)" : "=r"(h) : "i"(CPU_HART));
    return h;
}

static inline uintptr_t frame_pc(const struct frame *f)
{
    return f->x[0];
}
// Arguments, four of them in a row, and values: t3 to t6, t1, t2.
static inline sv_word frame_argument(const struct frame *f, unsigned n)
{
    return f->x[n < 4 ? 28 + n : 2 + n];
}
static inline const sv_word *frame_arguments(const struct frame *f)
{
    return &f->x[28];
}
static inline void frame_answer(struct frame *f, enum sv_status status)
{
    f->x[10] = status;
}
static inline void frame_value(struct frame *f, unsigned n, sv_word value)
{
    f->x[27 + n] = value;
}

static inline void frame_enter(struct frame *f, uintptr_t entry, uintptr_t code, sv_word argument, enum sv_event event,
                               const sv_word words[SV_MESSAGE_WORDS], unsigned handle_count, uintptr_t handles)
{
    f->x[0] = entry;
    f->x[2] = handles;
    f->x[5] = code;
    f->x[10] = argument;
    f->x[11] = event;
    f->x[12] = words[0];
    f->x[13] = words[1];
    f->x[14] = words[2];
    f->x[15] = words[3];
    f->x[16] = handle_count;
    f->x[17] = handles;
    f->kind = FRAME_FRESH;
}

// On RV64 two words of it in each register, the first lower; on RV32 one.
static inline void frame_give(struct frame *f, struct sv_handle handle)
{
    __builtin_memcpy(&f->x[12], &handle, sizeof(handle));
}
