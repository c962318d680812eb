#include "guest_tree.h"

#include <libfdt.h>
#include <string.h>

// Phandles: 1 for the PLIC, 2 for the finisher, then one for each vcore's interrupt controller and one
// for each vcore.
enum { PHANDLE_PLIC = 1, PHANDLE_FINISHER = 2, PHANDLE_VCORES = 3 };

enum { IRQ_S_EXTERNAL = 9 };
enum { UART_CLOCK_HZ = 3686400 };
enum { FINISHER_POWEROFF = 0x5555, FINISHER_REBOOT = 0x7777 };

// The tree under construction. After the first error nothing more is written.
struct builder {
    const struct guest_tree *tree;
    void *fdt;
    int error;
    size_t isa_string_size, isa_list_size;
};

static void node_begin(struct builder *b, const char *name)
{
    if (!b->error)
        b->error = fdt_begin_node(b->fdt, name);
}

static void node_end(struct builder *b)
{
    if (!b->error)
        b->error = fdt_end_node(b->fdt);
}

// Appends "@1000", the address in hexadecimal.
static void address_append(char *text, uint64_t address)
{
    char digits[17];
    size_t first = sizeof(digits) - 1;
    digits[first] = 0;
    do {
        digits[--first] = "0123456789abcdef"[address & 15];
        address >>= 4;
    } while (address);
    strcat(text, "@");
    strcat(text, digits + first);
}

static void node_begin_at(struct builder *b, const char *name, uint64_t address)
{
    char text[40];
    strcpy(text, name);
    address_append(text, address);
    node_begin(b, text);
}

static void data_put(struct builder *b, const char *name, const void *data, size_t size)
{
    if (!b->error)
        b->error = fdt_property(b->fdt, name, data, (int)size);
}

static void flag_put(struct builder *b, const char *name)
{
    data_put(b, name, "", 0);
}

static void cell_put(struct builder *b, const char *name, uint32_t value)
{
    if (!b->error)
        b->error = fdt_property_u32(b->fdt, name, value);
}

static void string_put(struct builder *b, const char *name, const char *text)
{
    data_put(b, name, text, strlen(text) + 1);
}

// The UART's path: what consoles go by.
static void uart_path_put(struct builder *b, const char *name)
{
    char path[40] = "/soc/serial";
    address_append(path, b->tree->uart.value);
    string_put(b, name, path);
}

// Room for `size` bytes, to be filled at once; null after an error.
static void *space_put(struct builder *b, const char *name, size_t size)
{
    void *space = NULL;
    if (!b->error)
        b->error = fdt_property_placeholder(b->fdt, name, (int)size, &space);
    return b->error ? NULL : space;
}

static void cells_store(uint8_t *at, const uint32_t *cells, size_t count)
{
    for (size_t i = 0; i < count; i++, at += sizeof(fdt32_t))
        fdt32_st(at, cells[i]);
}

static void cells_put(struct builder *b, const char *name, const uint32_t *cells, size_t count)
{
    uint8_t *space = space_put(b, name, count * sizeof(fdt32_t));
    if (space)
        cells_store(space, cells, count);
}

static void reg_put(struct builder *b, uint64_t address, uint64_t size)
{
    uint32_t cells[] = {(uint32_t)(address >> 32), (uint32_t)address, (uint32_t)(size >> 32), (uint32_t)size};
    cells_put(b, "reg", cells, array_length(cells));
}

static void cell_counts_put(struct builder *b, uint32_t address_cells, uint32_t size_cells)
{
    cell_put(b, "#address-cells", address_cells);
    cell_put(b, "#size-cells", size_cells);
}

static uint32_t intc_phandle(unsigned vcore)
{
    return PHANDLE_VCORES + 2 * vcore;
}

static uint32_t cpu_phandle(unsigned vcore)
{
    return PHANDLE_VCORES + 2 * vcore + 1;
}

// ---- /chosen, /aliases, /memory ----

static void chosen_put(struct builder *b)
{
    const struct guest_tree *t = b->tree;
    node_begin(b, "chosen");
    if (t->bootargs && *t->bootargs)
        string_put(b, "bootargs", t->bootargs);
    if (t->uart.value)
        uart_path_put(b, "stdout-path");
    if (t->initrd_end.value > t->initrd_start.value) {
        uint32_t start[] = {(uint32_t)(t->initrd_start.value >> 32), (uint32_t)t->initrd_start.value};
        uint32_t end[] = {(uint32_t)(t->initrd_end.value >> 32), (uint32_t)t->initrd_end.value};
        cells_put(b, "linux,initrd-start", start, array_length(start));
        cells_put(b, "linux,initrd-end", end, array_length(end));
    }
    data_put(b, "rng-seed", t->rng_seed, GUEST_TREE_SEED_SIZE);
    node_end(b);
}

static void aliases_put(struct builder *b)
{
    if (!b->tree->uart.value)
        return;
    node_begin(b, "aliases");
    uart_path_put(b, "serial0");
    node_end(b);
}

static void memory_put(struct builder *b)
{
    node_begin_at(b, "memory", b->tree->ram_base.value);
    string_put(b, "device_type", "memory");
    reg_put(b, b->tree->ram_base.value, b->tree->ram_size);
    node_end(b);
}

// ---- /cpus ----

static void block_size_put(struct builder *b, const char *name, uint32_t size, enum isa_extension extension)
{
    if (size && isa_has(b->tree->isa, extension))
        cell_put(b, name, size);
}

static void isa_put(struct builder *b)
{
    const struct guest_tree *t = b->tree;
    char *space = space_put(b, "riscv,isa", b->isa_string_size);
    if (space)
        isa_print_string(t->isa, space, b->isa_string_size);
    string_put(b, "riscv,isa-base", t->isa->xlen == 32 ? "rv32i" : "rv64i");
    space = space_put(b, "riscv,isa-extensions", b->isa_list_size);
    if (space)
        isa_print_list(t->isa, space, b->isa_list_size);
    string_put(b, "mmu-type", t->mmu_type);
    block_size_put(b, "riscv,cbom-block-size", t->cbom_size, ISA_ZICBOM);
    block_size_put(b, "riscv,cbop-block-size", t->cbop_size, ISA_ZICBOP);
    block_size_put(b, "riscv,cboz-block-size", t->cboz_size, ISA_ZICBOZ);
}

static void intc_put(struct builder *b, unsigned vcore)
{
    node_begin(b, "interrupt-controller");
    string_put(b, "compatible", "riscv,cpu-intc");
    flag_put(b, "interrupt-controller");
    cell_put(b, "#address-cells", 0);
    cell_put(b, "#interrupt-cells", 1);
    cell_put(b, "phandle", intc_phandle(vcore));
    node_end(b);
}

static void cpu_put(struct builder *b, unsigned vcore)
{
    node_begin_at(b, "cpu", vcore);
    string_put(b, "device_type", "cpu");
    string_put(b, "compatible", "riscv");
    cell_put(b, "reg", vcore);
    string_put(b, "status", "okay");
    isa_put(b);
    cell_put(b, "phandle", cpu_phandle(vcore));
    intc_put(b, vcore);
    node_end(b);
}

// One cluster, one thread a core.
static void cpu_map_put(struct builder *b)
{
    node_begin(b, "cpu-map");
    node_begin(b, "cluster0");
    for (unsigned vcore = 0; vcore < b->tree->vcores; vcore++) {
        char name[] = "core00";
        name[4] = (char)('0' + (vcore < 10 ? vcore : vcore / 10));
        name[5] = (char)(vcore < 10 ? 0 : '0' + vcore % 10);
        node_begin(b, name);
        cell_put(b, "cpu", cpu_phandle(vcore));
        node_end(b);
    }
    node_end(b);
    node_end(b);
}

static void cpus_put(struct builder *b)
{
    node_begin(b, "cpus");
    cell_counts_put(b, 1, 0);
    cell_put(b, "timebase-frequency", b->tree->timebase_hz);
    for (unsigned vcore = 0; vcore < b->tree->vcores; vcore++)
        cpu_put(b, vcore);
    cpu_map_put(b);
    node_end(b);
}

// ---- /soc ----

static void uart_put(struct builder *b)
{
    if (!b->tree->uart.value)
        return;
    node_begin_at(b, "serial", b->tree->uart.value);
    string_put(b, "compatible", "ns16550a");
    reg_put(b, b->tree->uart.value, GUEST_TREE_UART_SIZE);
    cell_put(b, "clock-frequency", UART_CLOCK_HZ);
    if (b->tree->plic.value) {
        cell_put(b, "interrupts", GUEST_TREE_UART_IRQ);
        cell_put(b, "interrupt-parent", PHANDLE_PLIC);
    }
    node_end(b);
}

// M contexts are there, so that S contexts count as on virt, and interrupt nobody.
static void plic_targets_put(struct builder *b)
{
    size_t entry = 4 * sizeof(fdt32_t);
    uint8_t *space = space_put(b, "interrupts-extended", b->tree->vcores * entry);
    for (unsigned vcore = 0; space && vcore < b->tree->vcores; vcore++) {
        uint32_t cells[] = {intc_phandle(vcore), UINT32_MAX, intc_phandle(vcore), IRQ_S_EXTERNAL};
        cells_store(space + vcore * entry, cells, array_length(cells));
    }
}

static void plic_put(struct builder *b)
{
    static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
    if (!b->tree->plic.value)
        return;
    node_begin_at(b, "plic", b->tree->plic.value);
    data_put(b, "compatible", compatible, sizeof(compatible));
    reg_put(b, b->tree->plic.value, GUEST_TREE_PLIC_SIZE(b->tree->vcores));
    plic_targets_put(b);
    flag_put(b, "interrupt-controller");
    cell_put(b, "#address-cells", 0);
    cell_put(b, "#interrupt-cells", 1);
    cell_put(b, "riscv,ndev", b->tree->plic_sources);
    cell_put(b, "phandle", PHANDLE_PLIC);
    node_end(b);
}

static void finisher_put(struct builder *b)
{
    static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";
    if (!b->tree->finisher.value)
        return;
    node_begin_at(b, "test", b->tree->finisher.value);
    data_put(b, "compatible", compatible, sizeof(compatible));
    reg_put(b, b->tree->finisher.value, GUEST_TREE_FINISHER_SIZE);
    cell_put(b, "phandle", PHANDLE_FINISHER);
    node_end(b);
}

static void soc_put(struct builder *b)
{
    node_begin(b, "soc");
    cell_counts_put(b, 2, 2);
    string_put(b, "compatible", "simple-bus");
    flag_put(b, "ranges");
    finisher_put(b);
    plic_put(b);
    uart_put(b);
    node_end(b);
}

// What the finisher's register takes to end the capsule.
static void syscon_put(struct builder *b, const char *name, const char *compatible, uint32_t value)
{
    if (!b->tree->finisher.value)
        return;
    node_begin(b, name);
    string_put(b, "compatible", compatible);
    cell_put(b, "regmap", PHANDLE_FINISHER);
    cell_put(b, "offset", 0);
    cell_put(b, "value", value);
    node_end(b);
}

// ---- The root ----

static void root_put(struct builder *b)
{
    static const char compatible[] = "diosix,capsule\0riscv-virtio";
    char model[sizeof("Diosix capsule ") + CAPSULE_NAME_SIZE] = "Diosix capsule ";
    strncat(model, b->tree->name, CAPSULE_NAME_SIZE - 1);
    node_begin(b, "");
    cell_counts_put(b, 2, 2);
    data_put(b, "compatible", compatible, sizeof(compatible));
    string_put(b, "model", model);
    chosen_put(b);
    aliases_put(b);
    memory_put(b);
    cpus_put(b);
    soc_put(b);
    syscon_put(b, "poweroff", "syscon-poweroff", FINISHER_POWEROFF);
    syscon_put(b, "reboot", "syscon-reboot", FINISHER_REBOOT);
    node_end(b);
}

enum status guest_tree_build(const struct guest_tree *tree, void *buffer, size_t size, size_t *used)
{
    if (!tree->vcores || tree->vcores > GUEST_TREE_VCORES_MAX || !tree->ram_size)
        return STATUS_INVALID;
    struct builder b = {
        .tree = tree,
        .fdt = buffer,
        .isa_string_size = isa_print_string(tree->isa, NULL, 0),
        .isa_list_size = isa_print_list(tree->isa, NULL, 0),
    };
    b.error = fdt_create(buffer, (int)(size < INT32_MAX ? size : INT32_MAX));
    if (!b.error)
        b.error = fdt_finish_reservemap(buffer);
    root_put(&b);
    if (!b.error)
        b.error = fdt_finish(buffer);
    if (b.error)
        return b.error == -FDT_ERR_NOSPACE ? STATUS_NO_MEMORY : STATUS_INVALID;
    *used = fdt_totalsize(buffer);
    return STATUS_OK;
}
