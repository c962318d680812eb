#include "memory_map.h"

#include <libfdt.h>
#include <string.h>

#include "bits.h"
#include "frames.h"
#include "isolation.h"
#include "log.h"
#include "placement.h"

extern uint8_t image_start[], image_end[];

// The hypervisor's memory ends at a large page, so that capsules begin at one.
#define ZONE_ALIGN ((uint64_t)FRAME_SIZE * (FRAME_SIZE / sizeof(uintptr_t)))

static struct ranges free_ranges; // too large for the stack

static void free_compute(const struct machine *m)
{
    free_ranges.count = 0;
    for (size_t i = 0; i < m->ram_count && free_ranges.count < RANGES_MAX; i++)
        free_ranges.list[free_ranges.count++] = m->ram[i];
    for (size_t i = 0; i < m->reserved_count; i++)
        ranges_subtract(&free_ranges, m->reserved[i]);
}

static struct range page_outwards(struct range r)
{
    uint64_t start = align_down(r.start, FRAME_SIZE);
    return (struct range){start, align_up(range_end(r), FRAME_SIZE) - start};
}

// Moves `what` to the highest free place; false if there is none better.
static bool move_up(struct range *what)
{
    uint64_t start;

    if (!ranges_highest(&free_ranges, what->size, &start))
        return false;
    memmove(hpa_pointer(hpa(start)), hpa_pointer(hpa(what->start)), (size_t)what->size);
    what->start = start;
    return true;
}

static void tree_set_bundle(void *tree, struct range bundle)
{
    int chosen = fdt_path_offset(tree, "/chosen"), size;
    const char *names[] = {"linux,initrd-start", "linux,initrd-end"};
    uint64_t values[] = {bundle.start, range_end(bundle)};

    for (unsigned i = 0; i < 2; i++) {
        // In place, so that the tree keeps its size: as many cells as there were.
        if (!fdt_getprop(tree, chosen, names[i], &size))
            continue;
        if (size == 8)
            fdt_setprop_inplace_u64(tree, chosen, names[i], values[i]);
        else if (size == 4)
            fdt_setprop_inplace_u32(tree, chosen, names[i], (uint32_t)values[i]);
    }
}

struct zone {
    struct range all;    // from the image on
    struct range table;  // of frames
    struct range heap;   // frames for the hypervisor's own use
    struct range tables; // second-stage tables
};

static struct zone zone_layout(const struct machine *m, const struct memory_needs *needs)
{
    struct zone z;
    uint64_t start = hpa_of(image_start).value;
    uint64_t table = align_up(hpa_of(image_end).value, FRAME_SIZE);
    uint64_t table_size = align_up(frames_table_size(m->ram, m->ram_count), FRAME_SIZE);
    uint64_t tables = align_up(needs->tables, 4 * FRAME_SIZE);
    uint64_t end = align_up(table + table_size + needs->hypervisor + tables, ZONE_ALIGN);

    z.all = (struct range){start, end - start};
    z.table = (struct range){table, table_size};
    z.tables = (struct range){end - tables, tables};
    z.heap = (struct range){table + table_size, z.tables.start - (table + table_size)};
    return z;
}

static bool in_ram(const struct machine *m, struct range r)
{
    for (size_t i = 0; i < m->ram_count; i++)
        if (range_contains(m->ram[i], r.start, r.size))
            return true;
    return false;
}

static void zone_check(const struct machine *m, struct range zone)
{
    if (!in_ram(m, zone))
        panic("not enough RAM behind the image for the hypervisor: %u KiB needed", (unsigned)(zone.size >> 10));
    for (size_t i = 0; i < m->reserved_count; i++)
        if (range_overlaps(m->reserved[i], zone))
            panic("reserved memory lies within %u KiB behind the image", (unsigned)(zone.size >> 10));
}

// Where the loader put them is fine unless the hypervisor's own memory or a contiguous capsule needs
// the place.
static bool must_move_bundle(const struct memory_needs *needs, struct range zone, struct range bundle)
{
    if (range_overlaps(zone, bundle))
        return true;
    struct ranges left = free_ranges;
    ranges_subtract(&left, bundle);
    return !ranges_fit(&left, needs->runs, needs->run_count, ZONE_ALIGN);
}

// The hypervisor's memory can grow into this much behind it, as long as others find enough elsewhere.
#define ROOM_SHARE 32 // of all RAM

// Not where contiguous capsules of the bundle need the place.
static uint64_t room_for(const struct memory_needs *needs, struct range zone)
{
    struct ranges left = free_ranges;
    uint64_t room = align_up(frames_total_bytes() / ROOM_SHARE, ZONE_ALIGN);

    ranges_subtract(&left, (struct range){range_end(zone), room});
    return ranges_fit(&left, needs->runs, needs->run_count, ZONE_ALIGN) ? room : 0;
}

static void frames_start(const struct machine *m, const struct memory_needs *needs, const struct zone *z)
{
    frames_init(hpa_pointer(hpa(z->table.start)), m->ram, m->ram_count);
    frames_set_hypervisor_range(z->all, room_for(needs, z->all));
    frames_release(z->heap);
    for (size_t i = 0; i < free_ranges.count; i++)
        frames_release(free_ranges.list[i]);
}

const void *memory_place(struct machine *m, const struct memory_needs *needs, const void *tree, bool scrub)
{
    struct zone zone = zone_layout(m, needs);
    struct range tree_at = {hpa_of(tree).value, fdt_totalsize(tree)};
    struct range bundle = m->bundle;

    zone_check(m, zone.all);
    free_compute(m);
    ranges_subtract(&free_ranges, zone.all);
    // The tree first, to the top, and never over the bundle; then the bundle below it.
    struct ranges all = free_ranges;
    ranges_subtract(&free_ranges, page_outwards(bundle));
    tree_at.size = align_up(tree_at.size, 8);
    if (!move_up(&tree_at))
        panic("no room to keep the device tree");
    free_ranges = all;
    ranges_subtract(&free_ranges, page_outwards(tree_at));
    if (bundle.size && must_move_bundle(needs, zone.all, bundle) && !move_up(&bundle))
        panic("no room to keep the bundle (%u MiB)", (unsigned)(bundle.size >> 20));
    ranges_subtract(&free_ranges, page_outwards(bundle));
    tree_set_bundle(hpa_pointer(hpa(tree_at.start)), bundle);
    if (scrub)
        for (size_t i = 0; i < free_ranges.count; i++)
            memset(hpa_pointer(hpa(free_ranges.list[i].start)), 0, (size_t)free_ranges.list[i].size);
    frames_start(m, needs, &zone);
    if (isolation_init(zone.all, zone.tables) != STATUS_OK)
        panic("physical memory protection can't close the hypervisor's memory");
    return hpa_pointer(hpa(tree_at.start));
}
