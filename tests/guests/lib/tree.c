#include "tree.h"

#include <libfdt.h>
#include <string.h>

#include "hart.h"

struct tree tree;
static int first_cpu;

static uint32_t cell_read(const void *fdt, int node, const char *name, uint32_t otherwise)
{
    int length;
    const fdt32_t *p = fdt_getprop(fdt, node, name, &length);
    return p && length >= 4 ? fdt32_to_cpu(*p) : otherwise;
}

static uint64_t cells_join(const fdt32_t *cells, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 16 << 16 | fdt32_to_cpu(cells[i]);
    return value;
}

// First entry of a node's `reg`.
static bool reg_read(const void *fdt, int node, uint64_t *base, uint64_t *size)
{
    int parent = fdt_parent_offset(fdt, node), length;
    int address_cells = fdt_address_cells(fdt, parent), size_cells = fdt_size_cells(fdt, parent);
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);
    if (!reg || address_cells < 0 || size_cells < 0 || length < 4 * (address_cells + size_cells))
        return false;
    *base = cells_join(reg, address_cells);
    *size = cells_join(reg + address_cells, size_cells);
    return true;
}

static int device_read(const void *fdt, const char *compatible, struct tree_device *d)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, compatible);
    if (node >= 0 && reg_read(fdt, node, &d->base, &d->size))
        d->interrupt = cell_read(fdt, node, "interrupts", 0);
    return node;
}

static bool memory_read(const void *fdt)
{
    int node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", 7);
    return node >= 0 && reg_read(fdt, node, &tree.ram_base, &tree.ram_size);
}

static void harts_read(const void *fdt, unsigned long boot_hart)
{
    int node, cpus = fdt_path_offset(fdt, "/cpus");
    timebase = cell_read(fdt, cpus, "timebase-frequency", 10000000);
    harts[0].id = boot_hart;
    harts[0].online = true;
    harts_count = 1;
    fdt_for_each_subnode(node, fdt, cpus)
    {
        const char *type = fdt_getprop(fdt, node, "device_type", NULL);
        if (!type || strcmp(type, "cpu"))
            continue;
        unsigned long id = cell_read(fdt, node, "reg", 0);
        if (id == boot_hart)
            first_cpu = node;
        else if (harts_count < HARTS_MAX)
            harts[harts_count++].id = id;
    }
    for (unsigned i = 0; i < HARTS_MAX; i++)
        harts[i].index = i;
}

bool tree_read(const void *fdt, unsigned long boot_hart)
{
    if (fdt_check_header(fdt))
        return false;
    tree.fdt = fdt;
    harts_read(fdt, boot_hart);
    device_read(fdt, "ns16550a", &tree.uart);
    device_read(fdt, "sifive,test1", &tree.finisher);
    tree.plic_sources = cell_read(fdt, device_read(fdt, "riscv,plic0", &tree.plic), "riscv,ndev", 0);
    tree.bootargs = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", NULL);
    if (!tree.bootargs)
        tree.bootargs = "";
    tree.isa = fdt_getprop(fdt, first_cpu, "riscv,isa", NULL);
    return memory_read(fdt);
}

static bool isa_has(const char *isa, const char *name)
{
    size_t length = strlen(name);
    isa += 4; // "rv64"
    if (length == 1) {
        for (; *isa && *isa != '_'; isa++)
            if (*isa == name[0])
                return true;
        return false;
    }
    for (isa = strchr(isa, '_'); isa; isa = strchr(isa, '_'))
        if (!strncmp(++isa, name, length) && (isa[length] == '_' || !isa[length]))
            return true;
    return false;
}

bool tree_has_extension(const char *name)
{
    if (fdt_stringlist_search(tree.fdt, first_cpu, "riscv,isa-extensions", name) >= 0)
        return true;
    return tree.isa && isa_has(tree.isa, name);
}

bool tree_option(const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    for (const char *at = tree.bootargs; *at; at++) {
        if ((at != tree.bootargs && at[-1] != ' ') || strncmp(at, key, length) || at[length] != '=')
            continue;
        size_t used = 0;
        for (at += length + 1; *at && *at != ' ' && used + 1 < size; at++)
            value[used++] = *at;
        value[used] = 0;
        return true;
    }
    return false;
}

unsigned long tree_number(const char *key, unsigned long otherwise)
{
    char text[24];
    if (!tree_option(key, text, sizeof text))
        return otherwise;
    unsigned long value = 0;
    for (const char *p = text; *p >= '0' && *p <= '9'; p++)
        value = value * 10 + (unsigned long)(*p - '0');
    return value;
}
