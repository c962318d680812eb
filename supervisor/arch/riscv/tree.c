#include "tree.h"

#include <libfdt.h>
#include <string.h>

#include "bits.h"
#include "isa.h"

static const void *fdt;

static const fdt32_t *cells(int node, const char *name, int *count)
{
    int size = 0;
    const void *found = fdt_getprop(fdt, node, name, &size);
    *count = found ? size / 4 : 0;
    return found;
}

// One cell; 'otherwise' where it is not there.
static uint32_t cell(int node, const char *name, uint32_t otherwise)
{
    int count;
    const fdt32_t *value = cells(node, name, &count);
    return count ? fdt32_to_cpu(*value) : otherwise;
}

static uint64_t number(const fdt32_t *value, int count)
{
    uint64_t n = 0;
    while (count-- > 0)
        n = n << 32 | fdt32_to_cpu(*value++);
    return n;
}

// A property of one or two cells, as /chosen has them.
static uint64_t number_of(int node, const char *name)
{
    int count;
    const fdt32_t *value = cells(node, name, &count);
    return count <= 2 ? number(value, count) : 0;
}

// The n-th range of "reg".
static bool reg(int node, int n, struct range *out)
{
    int count, parent = fdt_parent_offset(fdt, node);
    int address = fdt_address_cells(fdt, parent), size = fdt_size_cells(fdt, parent);
    const fdt32_t *value = cells(node, "reg", &count);

    if (address < 1 || size < 1 || (n + 1) * (address + size) > count)
        return false;
    value += n * (address + size);
    *out = (struct range){number(value, address), number(value + address, size)};
    return out->size && out->start + out->size > out->start;
}

static bool is_type(int node, const char *type)
{
    const char *value = fdt_getprop(fdt, node, "device_type", NULL);
    return value && !strcmp(value, type);
}

static bool is_on(int node)
{
    const char *value = fdt_getprop(fdt, node, "status", NULL);
    return !value || !strcmp(value, "okay") || !strcmp(value, "ok");
}

// --- memory -----------------------------------------------------------------------------------------

void tree_reserve(struct tree *t, struct range r)
{
    if (r.size && t->reserved_count < array_length(t->reserved))
        t->reserved[t->reserved_count++] = r;
}

static const char *ram_read(struct tree *t)
{
    int node;

    fdt_for_each_subnode(node, fdt, 0)
    {
        struct range r;
        if (!is_type(node, "memory"))
            continue;
        for (int n = 0; reg(node, n, &r); n++)
            if (t->ram_count < TREE_RANGES_MAX)
                t->ram[t->ram_count++] = r;
    }
    return t->ram_count ? NULL : "the device tree names no RAM";
}

static const char *reserved_read(struct tree *t)
{
    int node, parent = fdt_subnode_offset(fdt, 0, "reserved-memory");

    for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
        struct range r;
        if (!fdt_get_mem_rsv(fdt, i, &r.start, &r.size))
            tree_reserve(t, r);
    }
    if (parent >= 0) {
        fdt_for_each_subnode(node, fdt, parent)
        {
            struct range r;
            for (int n = 0; reg(node, n, &r); n++)
                tree_reserve(t, r);
        }
    }
    return t->reserved_count < array_length(t->reserved) - 3 ? NULL : "the device tree reserves too many pieces of RAM";
}

// --- harts ------------------------------------------------------------------------------------------

static bool isa_read(int node, struct isa *isa)
{
    int size, base_size;
    const char *list = fdt_getprop(fdt, node, "riscv,isa-extensions", &size);
    const char *base = fdt_getprop(fdt, node, "riscv,isa-base", &base_size);

    if (list && base)
        return isa_parse_list(base, list, (size_t)size, isa) == STATUS_OK;
    const char *text = fdt_getprop(fdt, node, "riscv,isa", &size);
    return text && isa_parse_string(text, (size_t)size, isa) == STATUS_OK;
}

static void hart_read(struct tree *t, int node, uintptr_t boot_hart)
{
    struct isa isa = {0};
    uintptr_t id = cell(node, "reg", UINT32_MAX);

    if (!isa_read(node, &isa) || !is_on(node))
        return;
    t->has_sstc &= isa_has(&isa, ISA_SSTC);
    t->has_zkr &= isa_has(&isa, ISA_ZKR);
    if (id == boot_hart)
        t->harts[0] = id;
    else if (t->hart_count < HARTS_MAX)
        t->harts[t->hart_count++] = id;
    else
        t->harts_left_out++;
}

static const char *harts_read(struct tree *t, uintptr_t boot_hart)
{
    int node, parent = fdt_subnode_offset(fdt, 0, "cpus");

    t->has_sstc = t->has_zkr = true;
    t->hart_count = 1;
    t->harts[0] = UINTPTR_MAX;
    if (parent < 0)
        return "the device tree has no /cpus";
    t->ticks_per_second = cell(parent, "timebase-frequency", 0);
    fdt_for_each_subnode(node, fdt, parent)
    {
        if (is_type(node, "cpu"))
            hart_read(t, node, boot_hart);
    }
    if (t->harts[0] != boot_hart)
        return "the device tree does not know the hart that runs";
    return t->ticks_per_second ? NULL : "the device tree does not say how fast the clock is (timebase-frequency)";
}

// --- devices ----------------------------------------------------------------------------------------

// The interrupt controller of a hart, by phandle.
static uint32_t intc_of(uintptr_t hart)
{
    int node, parent = fdt_subnode_offset(fdt, 0, "cpus");

    fdt_for_each_subnode(node, fdt, parent)
    {
        if (is_type(node, "cpu") && cell(node, "reg", UINT32_MAX) == hart)
            return fdt_get_phandle(fdt, fdt_subnode_offset(fdt, node, "interrupt-controller"));
    }
    return 0;
}

// Its contexts are in the order of "interrupts-extended": 9 is the supervisor's external interrupt.
static int plic_read(struct tree *t)
{
    static const char *const names[] = {"sifive,plic-1.0.0", "riscv,plic0", "thead,c900-plic"};
    uint32_t intc = intc_of(t->harts[0]);
    int count, node = -1;

    for (size_t i = 0; i < array_length(names) && node < 0; i++)
        node = fdt_node_offset_by_compatible(fdt, -1, names[i]);
    if (node < 0 || !reg(node, 0, &t->plic))
        return -1;
    const fdt32_t *value = cells(node, "interrupts-extended", &count);
    for (int i = 0; i + 1 < count; i += 2)
        if (fdt32_to_cpu(value[i]) == intc && fdt32_to_cpu(value[i + 1]) == 9) {
            t->plic_context = (unsigned)i / 2;
            return node;
        }
    t->plic.size = 0;
    return -1;
}

static unsigned interrupt_parent(int node)
{
    for (; node >= 0; node = fdt_parent_offset(fdt, node)) {
        uint32_t phandle = cell(node, "interrupt-parent", 0);
        if (phandle)
            return phandle;
    }
    return 0;
}

// All interrupts of devices, and the UART.
static void devices_read(struct tree *t, int plic)
{
    uint32_t phandle = plic >= 0 ? fdt_get_phandle(fdt, plic) : 0;

    for (int node = fdt_next_node(fdt, 0, NULL); node >= 0 && phandle; node = fdt_next_node(fdt, node, NULL)) {
        int count;
        const fdt32_t *value = cells(node, "interrupts", &count);
        if (!count || !is_on(node) || interrupt_parent(node) != phandle)
            continue;
        uint32_t first = fdt32_to_cpu(value[0]);
        if (!t->uart.size && !fdt_node_check_compatible(fdt, node, "ns16550a") && reg(node, 0, &t->uart)) {
            t->uart_interrupt = first;
            t->uart_shift = cell(node, "reg-shift", 0);
            continue;
        }
        for (int i = 0; i < count; i++)
            if (fdt32_to_cpu(value[i]) < INTERRUPTS_MAX)
                t->interrupts[fdt32_to_cpu(value[i]) / 32] |= 1u << fdt32_to_cpu(value[i]) % 32;
    }
}

static void chosen_read(struct tree *t)
{
    int size = 0, node = fdt_path_offset(fdt, "/chosen");

    t->options = "";
    if (node < 0)
        return;
    uint64_t start = number_of(node, "linux,initrd-start"), end = number_of(node, "linux,initrd-end");
    if (end > start)
        tree_reserve(t, t->archive = (struct range){start, end - start});
    const char *options = fdt_getprop(fdt, node, "bootargs", NULL);
    if (options)
        t->options = options;
    t->seed = fdt_getprop(fdt, node, "rng-seed", &size);
    t->seed_size = t->seed ? (unsigned)size : 0;
}

size_t tree_size(const void *blob)
{
    return fdt_totalsize(blob);
}

const char *tree_read(const void *blob, uintptr_t boot_hart, struct tree *t)
{
    const char *wrong;

    fdt = blob;
    if (fdt_check_header(fdt) || fdt_check_full(fdt, fdt_totalsize(fdt)))
        return "there is no device tree, or a broken one";
    chosen_read(t);
    if ((wrong = ram_read(t)) || (wrong = reserved_read(t)) || (wrong = harts_read(t, boot_hart)))
        return wrong;
    devices_read(t, plic_read(t));
    return NULL;
}

// --- what is left of RAM ----------------------------------------------------------------------------

// The lowest start of a reservation in a range, or its end; and where that reservation ends.
static uint64_t hole_next(const struct tree *t, uint64_t from, uint64_t end, uint64_t *after)
{
    uint64_t lowest = end;

    *after = end;
    for (unsigned i = 0; i < t->reserved_count; i++) {
        struct range r = t->reserved[i];
        if (range_end(r) <= from || r.start >= lowest)
            continue;
        lowest = r.start > from ? r.start : from;
        *after = align_up(range_end(r), FRAME_SIZE);
    }
    return lowest;
}

unsigned tree_usable(const struct tree *t, struct range view, struct range *out, unsigned most)
{
    unsigned count = 0;

    for (unsigned i = 0; i < t->ram_count; i++) {
        uint64_t from = t->ram[i].start > view.start ? t->ram[i].start : view.start, after;
        uint64_t end = range_end(t->ram[i]) < range_end(view) ? range_end(t->ram[i]) : range_end(view);
        for (; from < end; from = after) {
            uint64_t hole = hole_next(t, from, end, &after);
            if (align_down(hole, FRAME_SIZE) > from && count < most)
                out[count++] = (struct range){from, align_down(hole, FRAME_SIZE) - from};
        }
    }
    return count;
}
