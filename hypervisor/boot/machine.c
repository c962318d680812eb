#include "machine.h"

#include <string.h>

#include "bits.h"
#include "discovery.h"

// The device tree's format since 2007. libfdt need not know older ones.
#define FDT_VERSION 17u

// ---- Errors and notes ----

static void error_set(struct machine_error *error, const char *node, const char *text)
{
    memcpy(error->node, node, strlen(node) + 1);
    error->text = text;
}

// The current node's path, or as much of its end as there is room for.
static void error_set_here(const struct discovery *d, struct machine_error *error, const char *text)
{
    char *at = error->node + sizeof(error->node) - 1;
    *at = 0;
    if (d->tree.depth <= 0)
        *--at = '/';
    for (int depth = d->tree.depth; depth > 0; depth--) {
        size_t length = strlen(d->tree.levels[depth].name);
        if ((size_t)(at - error->node) <= length)
            break;
        memcpy(at -= length, d->tree.levels[depth].name, length);
        *--at = '/';
    }
    memmove(error->node, at, strlen(at) + 1);
    error->text = text;
}

// Where the next note goes; the last one is written over when they are too many.
static struct machine_error *note_next(struct machine *m)
{
    return &m->notes[m->note_count < MACHINE_NOTES_MAX ? m->note_count++ : MACHINE_NOTES_MAX - 1];
}

enum status discovery_fail(struct discovery *d, const char *node, const char *text)
{
    error_set(d->why, node, text);
    return STATUS_INVALID;
}

void discovery_note(struct discovery *d, const char *node, const char *text)
{
    error_set(note_next(d->machine), node, text);
}

enum status discovery_fail_here(struct discovery *d, const char *text)
{
    error_set_here(d, d->why, text);
    return STATUS_INVALID;
}

void discovery_note_here(struct discovery *d, const char *text)
{
    error_set_here(d, note_next(d->machine), text);
}

// ---- Memory ----

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// Adds to a sorted list, joining what touches. False if the list is full.
static bool ranges_add(struct range *list, size_t *count, size_t max, struct range added)
{
    size_t first = 0;
    while (first < *count && range_end(list[first]) < added.start)
        first++;
    size_t last = first;
    for (; last < *count && list[last].start <= range_end(added); last++) {
        uint64_t end = larger(range_end(added), range_end(list[last]));
        added.start = smaller(added.start, list[last].start);
        added.size = end - added.start;
    }
    if (first == last && *count == max)
        return false;
    memmove(&list[first + 1], &list[last], (*count - last) * sizeof(*list));
    *count = *count - (last - first) + 1;
    list[first] = added;
    return true;
}

static bool reserved_add(struct machine *m, struct range range)
{
    uint64_t start = align_down(range.start, FRAME_SIZE);
    uint64_t end = align_up(smaller(range_end(range), align_down(UINT64_MAX, FRAME_SIZE)), FRAME_SIZE);
    struct range frames = {start, end - start};
    return !range.size || ranges_add(m->reserved, &m->reserved_count, MACHINE_RESERVED_MAX, frames);
}

static enum status memory_visit(struct discovery *d)
{
    struct machine *m = d->machine;
    struct range range;
    unsigned index = 0;
    for (; host_tree_reg_raw(&d->tree, index, &range); index++)
        if (range.size && !ranges_add(m->ram, &m->ram_count, MACHINE_RAM_MAX, range))
            discovery_note_here(d, "too many memory ranges: one is not used");
    return index ? STATUS_OK : discovery_fail_here(d, "has no sound reg");
}

// A node without reg asks for memory from wherever there is some; that is for systems that use it.
static enum status reserved_visit(struct discovery *d)
{
    struct range range;
    for (unsigned index = 0; host_tree_reg_raw(&d->tree, index, &range); index++)
        if (!reserved_add(d->machine, range))
            return discovery_fail_here(d, "too many reserved ranges");
    return STATUS_OK;
}

static enum status reserved_visit_header(struct discovery *d)
{
    int count = fdt_num_mem_rsv(d->tree.fdt);
    bool good = count >= 0;
    for (int i = 0; good && i < count; i++) {
        struct range range;
        good = !fdt_get_mem_rsv(d->tree.fdt, i, &range.start, &range.size) && range_end(range) >= range.start &&
               reserved_add(d->machine, range);
    }
    return good ? STATUS_OK : discovery_fail(d, "/", "the header's list of reserved memory is broken or too long");
}

static bool ram_contains(const struct machine *m, struct range range)
{
    for (size_t i = 0; i < m->ram_count; i++)
        if (range_contains(m->ram[i], range.start, range.size))
            return true;
    return false;
}

// ---- /chosen and the root ----

static void chosen_visit(struct discovery *d)
{
    const struct host_tree_value *values = d->tree.values;
    const char *bootargs = host_tree_string(values[HOST_TREE_BOOTARGS]);
    if (bootargs)
        d->machine->bootargs = bootargs;
    d->stdout_path = host_tree_string(values[HOST_TREE_STDOUT]);
    if (!d->stdout_path)
        d->stdout_path = host_tree_string(values[HOST_TREE_STDOUT_OLD]);
    uint64_t start, end;
    if (host_tree_number(values[HOST_TREE_INITRD_START], &start) &&
        host_tree_number(values[HOST_TREE_INITRD_END], &end))
        d->machine->bundle = (struct range){start, end - start}; // checked when all RAM is known
}

static void root_visit(struct discovery *d)
{
    const char *model = host_tree_string(d->tree.values[HOST_TREE_MODEL]);
    const char *compatible = host_tree_string(d->tree.values[HOST_TREE_COMPATIBLE]);
    d->machine->model = model ? model : compatible ? compatible : "unnamed machine";
}

// ---- The walk ----

static bool named(const struct discovery *d, const char *name)
{
    return !strcmp(d->tree.name, name);
}

static enum status top_visit(struct discovery *d)
{
    d->section = named(d, "cpus") ? SECTION_CPUS : named(d, "reserved-memory") ? SECTION_RESERVED : SECTION_DEVICES;
    if (host_tree_string_is(&d->tree, HOST_TREE_DEVICE_TYPE, "memory"))
        return host_tree_level(&d->tree)->enabled ? memory_visit(d) : STATUS_OK;
    if (d->section == SECTION_CPUS)
        harts_visit_cpus(d);
    else if (named(d, "chosen"))
        chosen_visit(d);
    else
        devices_visit(d);
    return STATUS_OK;
}

static enum status node_visit(struct discovery *d)
{
    if (d->tree.depth == 0)
        root_visit(d);
    else if (d->tree.depth == 1)
        return top_visit(d);
    else if (d->section == SECTION_CPUS)
        harts_visit(d);
    else if (d->section == SECTION_DEVICES)
        devices_visit(d);
    else if (d->tree.depth == 2 && host_tree_level(&d->tree)->enabled)
        return reserved_visit(d);
    return STATUS_OK;
}

static enum status walk(struct discovery *d)
{
    while (host_tree_next(&d->tree)) {
        enum status status = node_visit(d);
        if (status != STATUS_OK)
            return status;
    }
    return d->tree.broken ? discovery_fail_here(d, "the device tree is broken after this node") : STATUS_OK;
}

static enum status tree_check(struct discovery *d, const void *fdt)
{
    if (!fdt || (uintptr_t)fdt % 8)
        return discovery_fail(d, "/", "no device tree in a1, or not at a multiple of 8");
    if (fdt_magic(fdt) != FDT_MAGIC)
        return discovery_fail(d, "/", "no device tree in a1: wrong magic number");
    // libfdt is built to assume the version.
    if (fdt_version(fdt) < FDT_VERSION || fdt_last_comp_version(fdt) > FDT_VERSION || fdt_check_header(fdt) ||
        fdt_off_dt_struct(fdt) % 4 || fdt_off_mem_rsvmap(fdt) % 8)
        return discovery_fail(d, "/", "the device tree's header is broken, or of another version than 17");
    return STATUS_OK;
}

static enum status finish(struct discovery *d)
{
    struct machine *m = d->machine;
    if (!m->ram_count)
        return discovery_fail(d, "/", "no memory node with memory in it");
    devices_finish(d);
    enum status status = harts_finish(d);
    if (status != STATUS_OK)
        return status;
    if (!m->bundle.size || ram_contains(m, m->bundle))
        return STATUS_OK;
    discovery_note(d, "/chosen", "linux,initrd-start/end give no range of RAM: no bundle");
    m->bundle.size = 0;
    return STATUS_OK;
}

// Apart from what holds `d` on its stack, or the compiler reaches for each field there the long way.
static __attribute__((noinline)) enum status discover(struct discovery *d, const void *fdt)
{
    enum status status = tree_check(d, fdt);
    if (status != STATUS_OK)
        return status;
    host_tree_start(&d->tree, fdt);
    status = reserved_visit_header(d);
    if (status == STATUS_OK)
        status = walk(d);
    return status == STATUS_OK ? finish(d) : status;
}

enum status machine_discover(const void *fdt, struct machine *machine, struct machine_error *why)
{
    struct discovery d = {.machine = machine, .why = why};
    memset(machine, 0, sizeof(*machine));
    machine->bootargs = "";
    return discover(&d, fdt);
}

// ---- What the caller asks afterwards ----

enum status machine_check_image(const struct machine *machine, struct range image, struct machine_error *why)
{
    if (!ram_contains(machine, image)) {
        error_set(why, "/memory", "the image is not in RAM: load it there");
        return STATUS_INVALID;
    }
    for (size_t i = 0; i < machine->reserved_count; i++) {
        if (!range_overlaps(machine->reserved[i], image))
            continue;
        error_set(why, "/reserved-memory", "the image is in reserved memory: load it elsewhere");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

uint64_t machine_trim_ram(struct machine *machine, uint64_t limit)
{
    uint64_t trimmed = 0;
    size_t kept = 0;
    for (size_t i = 0; i < machine->ram_count; i++) {
        struct range range = machine->ram[i];
        uint64_t end = smaller(range_end(range), larger(limit, range.start));
        trimmed += range_end(range) - end;
        if (end > range.start)
            machine->ram[kept++] = (struct range){range.start, end - range.start};
    }
    machine->ram_count = kept;
    return trimmed;
}
