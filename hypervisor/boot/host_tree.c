#include "host_tree.h"

#include <string.h>

// The names as bytes, one after the other, without padding or pointers: a length, then the letters.
#define NAME_TYPE(constant, name)                                                                                      \
    struct {                                                                                                           \
        uint8_t length;                                                                                                \
        char letters[sizeof(name) - 1];                                                                                \
    } constant;
#define NAME(constant, name) {sizeof(name) - 1, name},
static const struct {
    HOST_TREE_PROPERTIES(NAME_TYPE)
} names = {HOST_TREE_PROPERTIES(NAME)};
#undef NAME_TYPE
#undef NAME

// The property at an offset that libfdt has found to be one.
static void property_collect(struct host_tree *tree, int offset)
{
    const struct fdt_property *property = fdt_offset_ptr(tree->fdt, offset, sizeof(*property));
    int name_length;
    const char *name = fdt_get_string(tree->fdt, (int)fdt32_ld(&property->nameoff), &name_length);
    if (!name)
        return;
    const uint8_t *at = (const uint8_t *)&names;
    for (unsigned i = 0; i < HOST_TREE_PROPERTY_COUNT; at += 1 + *at, i++)
        if (*at == name_length && !memcmp(at + 1, name, *at))
            tree->values[i] = (struct host_tree_value){(const uint8_t *)property->data, fdt32_ld(&property->len)};
}

static bool node_enabled(const struct host_tree *tree)
{
    return !host_tree_has(tree, HOST_TREE_STATUS) || host_tree_string_is(tree, HOST_TREE_STATUS, "okay") ||
           host_tree_string_is(tree, HOST_TREE_STATUS, "ok");
}

static void level_set(struct host_tree *tree)
{
    static const struct host_tree_level above_root = {.enabled = true};
    const struct host_tree_level *parent = tree->depth ? &tree->levels[tree->depth - 1] : &above_root;
    tree->levels[tree->depth] = (struct host_tree_level){
        .name = tree->name,
        .address_cells = host_tree_cell(tree, HOST_TREE_ADDRESS_CELLS, 2),
        .size_cells = host_tree_cell(tree, HOST_TREE_SIZE_CELLS, 1),
        .interrupt_parent = host_tree_cell(tree, HOST_TREE_INTERRUPT_PARENT, parent->interrupt_parent),
        .enabled = parent->enabled && node_enabled(tree),
        .ranges = host_tree_value(tree, HOST_TREE_RANGES),
    };
}

void host_tree_start(struct host_tree *tree, const void *fdt)
{
    memset(tree, 0, sizeof(*tree));
    tree->fdt = fdt;
    tree->depth = -1;
}

// Reads the node that begins at `offset`, up to its first subnode or its end.
static void node_load(struct host_tree *tree, int offset)
{
    tree->offset = offset;
    tree->name = fdt_offset_ptr(tree->fdt, offset + (int)FDT_TAGSIZE, 1);
    memset(tree->values, 0, sizeof(tree->values));
    for (int next;; tree->next = next) {
        uint32_t tag = fdt_next_tag(tree->fdt, tree->next, &next);
        if (tag == FDT_PROP)
            property_collect(tree, tree->next);
        else if (tag != FDT_NOP)
            break;
    }
    level_set(tree);
}

bool host_tree_next(struct host_tree *tree)
{
    int depth = tree->depth;
    for (;;) {
        int offset = tree->next;
        uint32_t tag = fdt_next_tag(tree->fdt, offset, &tree->next);
        if (tag == FDT_END) { // or something that is none, or cut short
            tree->broken = true;
            return false;
        }
        if (tag == FDT_END_NODE && --depth < 0)
            return false;
        if (tag == FDT_BEGIN_NODE && ++depth < HOST_TREE_DEPTH_MAX) {
            tree->depth = depth;
            node_load(tree, offset);
            return true;
        }
    }
}

uint32_t host_tree_cell(const struct host_tree *tree, enum host_tree_property property, uint32_t otherwise)
{
    struct host_tree_value value = tree->values[property];
    return value.length >= sizeof(fdt32_t) ? fdt32_ld((const fdt32_t *)(const void *)value.data) : otherwise;
}

// False if there are more cells than fit, and they are not zero.
static bool cells_read(const uint8_t *data, uint32_t cells, uint64_t *number)
{
    *number = 0;
    for (; cells; cells--, data += sizeof(fdt32_t)) {
        if (*number >> 32)
            return false;
        *number = *number << 32 | fdt32_ld((const fdt32_t *)(const void *)data);
    }
    return true;
}

bool host_tree_number(struct host_tree_value value, uint64_t *number)
{
    if (!value.data || (value.length != 4 && value.length != 8))
        return false;
    return cells_read(value.data, value.length / 4, number);
}

const char *host_tree_string(struct host_tree_value value)
{
    bool ends = value.data && memchr(value.data, 0, value.length);
    return ends ? (const char *)value.data : NULL;
}

bool host_tree_string_is(const struct host_tree *tree, enum host_tree_property property, const char *text)
{
    const char *string = host_tree_string(tree->values[property]);
    return string && !strcmp(string, text);
}

uint32_t host_tree_phandle(const struct host_tree *tree)
{
    return host_tree_cell(tree, HOST_TREE_PHANDLE, host_tree_cell(tree, HOST_TREE_PHANDLE_OLD, 0));
}

// The specification knows no more than 4 cells for an address (PCI has 3).
static bool cells_sane(const struct host_tree_level *level)
{
    return level->address_cells <= 4 && level->size_cells <= 4;
}

bool host_tree_reg_raw(const struct host_tree *tree, unsigned index, struct range *range)
{
    if (!tree->depth || !cells_sane(&tree->levels[tree->depth - 1]))
        return false;
    const struct host_tree_level *bus = &tree->levels[tree->depth - 1];
    struct host_tree_value reg = tree->values[HOST_TREE_REG];
    uint32_t entry = 4 * (bus->address_cells + bus->size_cells);
    if (!entry || reg.length / entry <= index)
        return false;
    const uint8_t *data = reg.data + index * entry;
    return cells_read(data, bus->address_cells, &range->start) &&
           cells_read(data + 4 * bus->address_cells, bus->size_cells, &range->size) &&
           range->start + range->size >= range->start;
}

// One step up: an address below `bus` as the bus above it counts.
static bool range_translate(const struct host_tree_level *bus, const struct host_tree_level *above, struct range *range)
{
    if (!bus->ranges.data || !cells_sane(bus) || !cells_sane(above))
        return false;
    if (!bus->ranges.length)
        return true; // one to one
    uint32_t entry = 4 * (bus->address_cells + above->address_cells + bus->size_cells);
    for (uint32_t at = 0; entry && bus->ranges.length - at >= entry; at += entry) {
        const uint8_t *data = bus->ranges.data + at;
        struct range window;
        uint64_t target;
        if (!cells_read(data, bus->address_cells, &window.start) ||
            !cells_read(data + 4 * bus->address_cells, above->address_cells, &target) ||
            !cells_read(data + 4 * (bus->address_cells + above->address_cells), bus->size_cells, &window.size))
            continue; // of another kind, or not for us
        if (!range_contains(window, range->start, range->size))
            continue;
        range->start = target + (range->start - window.start);
        return range->start >= target && range->start + range->size >= range->start;
    }
    return false;
}

bool host_tree_reg(const struct host_tree *tree, unsigned index, struct range *range)
{
    if (!host_tree_reg_raw(tree, index, range))
        return false;
    for (int depth = tree->depth - 1; depth > 0; depth--)
        if (!range_translate(&tree->levels[depth], &tree->levels[depth - 1], range))
            return false;
    return true;
}
