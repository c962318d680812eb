// An architecture for the host: registers that a test reads and writes, page tables that can be checked.
#pragma once

#include <stdint.h>

#include "kernel.h"

#define ARCH_ELF_MACHINE 243
#define ARCH_USER_START 0x100000ul
#define ARCH_USER_END 0x40000000ul

struct hart *kernel_hart(unsigned number);

struct frame {
    sv_word argument[7];
    struct sv_handle handle;
    sv_word answer, value[5];
    // What frame_enter() says.
    uintptr_t entry, code;
    sv_word entered_with, words[SV_MESSAGE_WORDS];
    enum sv_event event;
    unsigned handle_count;
    uintptr_t handles;
    unsigned entered; // times
};

// A list of mapped pages, in a frame that stands for the tables.
struct fake_page {
    uintptr_t address;
    uint64_t frame;
    unsigned access;
};
#define FAKE_PAGES (FRAME_SIZE / sizeof(struct fake_page) - 1)
struct fake_table {
    struct fake_table *next;
    uint64_t physical;
    unsigned count;
    struct fake_page page[FAKE_PAGES];
};

struct space {
    struct budget *pays;
    struct fake_table *tables;
};

extern unsigned fake_hart;
static inline struct hart *this_hart(void)
{
    return kernel_hart(fake_hart);
}

static inline uintptr_t frame_pc(const struct frame *f)
{
    return f->entry;
}
static inline sv_word frame_argument(const struct frame *f, unsigned n)
{
    return f->argument[n];
}
static inline const sv_word *frame_arguments(const struct frame *f)
{
    return f->argument;
}
static inline void frame_answer(struct frame *f, enum sv_status status)
{
    f->answer = status;
}
static inline void frame_value(struct frame *f, unsigned n, sv_word value)
{
    f->value[n] = value;
}
static inline void frame_give(struct frame *f, struct sv_handle handle)
{
    f->handle = handle;
}

static inline void frame_enter(struct frame *f, uintptr_t entry, uintptr_t code, sv_word argument, enum sv_event event,
                               const sv_word words[SV_MESSAGE_WORDS], unsigned handle_count, uintptr_t handles)
{
    unsigned entered = f->entered + 1;

    *f = (struct frame){.entry = entry,
                        .code = code,
                        .entered_with = argument,
                        .event = event,
                        .handle_count = handle_count,
                        .handles = handles,
                        .entered = entered};
    for (unsigned i = 0; i < SV_MESSAGE_WORDS; i++)
        f->words[i] = words[i];
}

extern unsigned char *fake_memory; // physical address 0x80000000
#define FAKE_BASE 0x80000000ull
static inline void *physical_pointer(uint64_t address)
{
    return fake_memory + (address - FAKE_BASE);
}
static inline uint64_t physical_address(const void *pointer)
{
    return (uint64_t)((const unsigned char *)pointer - fake_memory) + FAKE_BASE;
}
