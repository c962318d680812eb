// What the payload wants to know from its device tree.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_device {
    uint64_t base, size;
    uint32_t interrupt;
};

struct tree {
    const void *fdt;
    uint64_t ram_base, ram_size;
    struct tree_device uart, plic, finisher;
    uint32_t plic_sources;
    const char *bootargs;
    const char *isa; // riscv,isa of the first hart
};

extern struct tree tree;

// Fills `tree`, and the hart table. False if the tree is unusable.
bool tree_read(const void *fdt, unsigned long boot_hart);
bool tree_has_extension(const char *name);
// The value of `key=` in the boot arguments, copied; false if it is not there.
bool tree_option(const char *key, char *value, size_t size);
// The same as a number, or the default.
unsigned long tree_number(const char *key, unsigned long otherwise);
