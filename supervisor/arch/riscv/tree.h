// What the device tree says of the machine.
#pragma once

#include "kernel.h"

#define TREE_RANGES_MAX 16

struct tree {
    struct range ram[TREE_RANGES_MAX];
    unsigned ram_count;
    struct range reserved[TREE_RANGES_MAX * 2]; // with the archive; who boots adds tree and image
    unsigned reserved_count;
    struct range archive; // size 0: there is none
    uintptr_t harts[HARTS_MAX];
    unsigned hart_count, harts_left_out;
    uint64_t ticks_per_second;
    bool has_sstc, has_zkr; // all harts
    const char *options;
    const uint8_t *seed;
    unsigned seed_size;

    struct range uart; // size 0: there is none that can interrupt
    unsigned uart_shift, uart_interrupt;
    struct range plic;
    unsigned plic_context; // of the hart that boots
    uint32_t interrupts[INTERRUPTS_MAX / 32];
};

// Reads what lies there. NULL if that worked, else why not, for people.
const char *tree_read(const void *blob, uintptr_t boot_hart, struct tree *out);

// Bytes of it.
size_t tree_size(const void *blob);

// There is room for two more than the tree has.
void tree_reserve(struct tree *t, struct range r);

// What of RAM is in 'view' and not reserved: at most 'most' ranges. How many.
unsigned tree_usable(const struct tree *t, struct range view, struct range *out, unsigned most);
