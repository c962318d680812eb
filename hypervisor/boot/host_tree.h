// A walk over the host's device tree, once from front to back, because libfdt finds everything by
// searching from the start and looks at each property three times on the way. Each node comes with the
// properties we know.
#pragma once

#include <libfdt.h>

#include "types.h"

// Nodes further down are passed over: what we look for is never so deep.
#define HOST_TREE_DEPTH_MAX 8

// The properties that are collected. X(constant, name).
#define HOST_TREE_PROPERTIES(X)                                                                                        \
    X(BOOTARGS, "bootargs")                                                                                            \
    X(STDOUT, "stdout-path")                                                                                           \
    X(STDOUT_OLD, "linux,stdout-path")                                                                                 \
    X(INITRD_START, "linux,initrd-start")                                                                              \
    X(INITRD_END, "linux,initrd-end")                                                                                  \
    X(ADDRESS_CELLS, "#address-cells")                                                                                 \
    X(SIZE_CELLS, "#size-cells")                                                                                       \
    X(RANGES, "ranges")                                                                                                \
    X(REG, "reg")                                                                                                      \
    X(COMPATIBLE, "compatible")                                                                                        \
    X(STATUS, "status")                                                                                                \
    X(PHANDLE, "phandle")                                                                                              \
    X(PHANDLE_OLD, "linux,phandle")                                                                                    \
    X(DEVICE_TYPE, "device_type")                                                                                      \
    X(MODEL, "model")                                                                                                  \
    X(INTERRUPT_PARENT, "interrupt-parent")                                                                            \
    X(INTERRUPTS, "interrupts")                                                                                        \
    X(INTERRUPTS_EXTENDED, "interrupts-extended")                                                                      \
    X(TIMEBASE, "timebase-frequency")                                                                                  \
    X(ISA, "riscv,isa")                                                                                                \
    X(ISA_BASE, "riscv,isa-base")                                                                                      \
    X(ISA_EXTENSIONS, "riscv,isa-extensions")                                                                          \
    X(MMU_TYPE, "mmu-type")                                                                                            \
    X(CBOM_SIZE, "riscv,cbom-block-size")                                                                              \
    X(CBOP_SIZE, "riscv,cbop-block-size")                                                                              \
    X(CBOZ_SIZE, "riscv,cboz-block-size")                                                                              \
    X(NDEV, "riscv,ndev")                                                                                              \
    X(REG_SHIFT, "reg-shift")                                                                                          \
    X(REG_OFFSET, "reg-offset")                                                                                        \
    X(REG_IO_WIDTH, "reg-io-width")                                                                                    \
    X(CLOCK, "clock-frequency")                                                                                        \
    X(SPEED, "current-speed")                                                                                          \
    X(REGMAP, "regmap")                                                                                                \
    X(OFFSET, "offset")                                                                                                \
    X(VALUE, "value")                                                                                                  \
    X(MASK, "mask")

#define HOST_TREE_CONSTANT(constant, name) HOST_TREE_##constant,
enum host_tree_property { HOST_TREE_PROPERTIES(HOST_TREE_CONSTANT) HOST_TREE_PROPERTY_COUNT };
#undef HOST_TREE_CONSTANT

struct host_tree_value {
    const uint8_t *data; // null if the node does not have the property
    uint32_t length;
};

// What a node means to the nodes below it.
struct host_tree_level {
    const char *name;
    uint32_t address_cells;
    uint32_t size_cells;
    uint32_t interrupt_parent; // phandle, 0 if none was named up to here
    bool enabled;              // it and all nodes above are
    struct host_tree_value ranges;
};

struct host_tree {
    const void *fdt;
    int next;    // where the walk goes on
    bool broken; // there it is no tree
    // The current node, or the last one:
    int offset;
    int depth;
    const char *name;
    struct host_tree_value values[HOST_TREE_PROPERTY_COUNT];
    struct host_tree_level levels[HOST_TREE_DEPTH_MAX]; // [depth] is the node's own
};

// The tree's header was checked.
void host_tree_start(struct host_tree *tree, const void *fdt);

// Goes to the next node; the first is the root. False at the end, or where the tree is `broken`.
must_check bool host_tree_next(struct host_tree *tree);

static inline const struct host_tree_level *host_tree_level(const struct host_tree *tree)
{
    return &tree->levels[tree->depth];
}

static inline struct host_tree_value host_tree_value(const struct host_tree *tree, enum host_tree_property property)
{
    return tree->values[property];
}

static inline bool host_tree_has(const struct host_tree *tree, enum host_tree_property property)
{
    return tree->values[property].data != NULL;
}

// The first cell of a property, or `otherwise` if there is none.
uint32_t host_tree_cell(const struct host_tree *tree, enum host_tree_property property, uint32_t otherwise);

// A number that fills the property: one cell or two. False if it is missing or of another size.
must_check bool host_tree_number(struct host_tree_value value, uint64_t *number);

// The first string of a property, null if there is none, or none that ends.
const char *host_tree_string(struct host_tree_value value);
must_check bool host_tree_string_is(const struct host_tree *tree, enum host_tree_property property, const char *text);

// The node's phandle, 0 if it has none.
uint32_t host_tree_phandle(const struct host_tree *tree);

// Entry `index` of `reg`, as the parent's bus counts, and as the harts do: translated by the `ranges`
// of all buses above. False if there is none, it wraps, or no bus passes it on.
must_check bool host_tree_reg_raw(const struct host_tree *tree, unsigned index, struct range *range);
must_check bool host_tree_reg(const struct host_tree *tree, unsigned index, struct range *range);
