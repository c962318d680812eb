// sources: hypervisor/boot/machine.c hypervisor/boot/machine_harts.c hypervisor/boot/machine_devices.c
// sources: hypervisor/boot/host_tree.c lib/isa.c libfdt
//
// Host device trees: the input is a list of changes to a good one, which has something of everything that
// is looked for. If its first byte is 0, the rest is a tree as it is.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "machine.h"

enum { GOOD_SIZE = 8192 };

static void cells(void *fdt, const char *name, const uint32_t *values, unsigned count)
{
    fdt32_t out[16];
    for (unsigned i = 0; i < count; i++)
        out[i] = cpu_to_fdt32(values[i]);
    fdt_property(fdt, name, out, (int)(count * sizeof(*out)));
}

#define CELLS(name, ...)                                                                                               \
    cells(fdt, name, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void cpu_node(void *fdt, uint32_t id)
{
    static const char extensions[] = "i\0m\0a\0c\0zicbom\0sstc";
    char name[] = "cpu@0";
    name[4] = (char)('0' + id);
    fdt_begin_node(fdt, name);
    fdt_property_string(fdt, "device_type", "cpu");
    CELLS("reg", id);
    fdt_property_string(fdt, "riscv,isa", "rv64imafdch_zicbom_sstc");
    if (id) {
        fdt_property_string(fdt, "riscv,isa-base", "rv64i");
        fdt_property(fdt, "riscv,isa-extensions", extensions, sizeof(extensions));
    }
    CELLS("riscv,cbom-block-size", 64);
    fdt_property_string(fdt, "mmu-type", "riscv,sv48");
    fdt_begin_node(fdt, "interrupt-controller");
    fdt_property_string(fdt, "compatible", "riscv,cpu-intc");
    CELLS("phandle", id + 1);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
}

static void cpus_node(void *fdt)
{
    fdt_begin_node(fdt, "cpus");
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 0);
    CELLS("timebase-frequency", 10000000);
    cpu_node(fdt, 0);
    cpu_node(fdt, 1);
    fdt_end_node(fdt);
}

static void chosen_node(void *fdt)
{
    fdt_begin_node(fdt, "chosen");
    fdt_property_string(fdt, "bootargs", "verify");
    fdt_property_string(fdt, "stdout-path", "serial0:115200");
    CELLS("linux,initrd-start", 0, 0x81000000);
    CELLS("linux,initrd-end", 0, 0x82000000);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "aliases");
    fdt_property_string(fdt, "serial0", "/soc/serial@1000");
    fdt_end_node(fdt);
}

static void memory_nodes(void *fdt)
{
    fdt_begin_node(fdt, "memory@80000000");
    fdt_property_string(fdt, "device_type", "memory");
    CELLS("reg", 0, 0x80000000, 0, 0x10000000, 1, 0, 0, 0x10000000);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "reserved-memory");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    fdt_begin_node(fdt, "firmware@80000000");
    CELLS("reg", 0, 0x80000000, 0, 0x10000);
    fdt_end_node(fdt);
    fdt_end_node(fdt);
}

static void device_node(void *fdt, const char *name, const char *compatible, uint32_t address)
{
    fdt_begin_node(fdt, name);
    fdt_property_string(fdt, "compatible", compatible);
    CELLS("reg", address, 0x10000);
}

static void timer_nodes(void *fdt)
{
    device_node(fdt, "clint@10000", "riscv,clint0", 0x10000);
    CELLS("interrupts-extended", 1, 3, 1, 7);
    fdt_end_node(fdt);
    device_node(fdt, "mswi@20000", "riscv,aclint-mswi", 0x20000);
    CELLS("interrupts-extended", 2, 3);
    fdt_end_node(fdt);
    device_node(fdt, "mtimer@30000", "riscv,aclint-mtimer", 0x30000);
    CELLS("interrupts-extended", 2, 7);
    fdt_end_node(fdt);
}

static void power_nodes(void *fdt)
{
    device_node(fdt, "test@40000", "sifive,test0", 0x40000);
    fdt_end_node(fdt);
    device_node(fdt, "control@50000", "syscon", 0x50000);
    CELLS("phandle", 9);
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "poweroff");
    fdt_property_string(fdt, "compatible", "syscon-poweroff");
    CELLS("regmap", 9);
    CELLS("offset", 4);
    CELLS("value", 5);
    fdt_end_node(fdt);
}

static void soc_node(void *fdt)
{
    fdt_begin_node(fdt, "soc");
    CELLS("#address-cells", 1);
    CELLS("#size-cells", 1);
    CELLS("ranges", 0, 0, 0x10000000, 0x10000000);
    CELLS("interrupt-parent", 8);
    device_node(fdt, "serial@1000", "ns16550a", 0x1000);
    CELLS("interrupts", 10);
    CELLS("reg-shift", 2);
    fdt_end_node(fdt);
    device_node(fdt, "plic@8000000", "riscv,plic0", 0x8000000);
    CELLS("phandle", 8);
    CELLS("riscv,ndev", 31);
    CELLS("interrupts-extended", 1, 11, 1, 9, 2, 11, 2, 9);
    fdt_end_node(fdt);
    timer_nodes(fdt);
    power_nodes(fdt);
    fdt_end_node(fdt);
}

static size_t good_tree(void *fdt)
{
    fdt_create(fdt, GOOD_SIZE);
    fdt_add_reservemap_entry(fdt, 0x80100000, 0x1000);
    fdt_finish_reservemap(fdt);
    fdt_begin_node(fdt, "");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    fdt_property_string(fdt, "model", "fuzz");
    chosen_node(fdt);
    memory_nodes(fdt);
    cpus_node(fdt);
    soc_node(fdt);
    fdt_end_node(fdt);
    fdt_finish(fdt);
    return fdt_totalsize(fdt);
}

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void ranges_check(const struct range *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check(list[i].size && range_end(list[i]) > list[i].start);
        check(!i || list[i].start > range_end(list[i - 1]));
    }
}

static void machine_try(const void *fdt)
{
    static struct machine machine;
    struct machine_error why = {.text = NULL};
    enum status status = machine_discover(fdt, &machine, &why);
    for (size_t i = 0; i < machine.note_count; i++)
        check(strlen(machine.notes[i].node) < MACHINE_NODE_SIZE && machine.notes[i].text);
    if (status != STATUS_OK) {
        check(strlen(why.node) < MACHINE_NODE_SIZE && why.text);
        return;
    }
    check(machine.ram_count && machine.hart_count && machine.timebase_hz && machine.clint.mtime);
    check(strlen(machine.bootargs) < GOOD_SIZE && strlen(machine.model) < GOOD_SIZE && machine.mmu_type);
    ranges_check(machine.ram, machine.ram_count);
    ranges_check(machine.reserved, machine.reserved_count);
    for (size_t i = 0; i < machine.hart_count; i++)
        check(machine.harts[i].mtimecmp && machine.harts[i].msip);
    machine_trim_ram(&machine, UINT64_C(1) << 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < sizeof(struct fdt_header) && (!size || !*data))
        return 0;
    size_t room = size > GOOD_SIZE ? size : GOOD_SIZE;
    uint8_t *fdt = aligned_alloc(8, (room + 7) & ~(size_t)7);
    if (*data) {
        size_t whole = good_tree(fdt);
        // Three bytes a change: where (little-endian), and what. The header stays: the walk is what matters.
        for (data++, size--; size >= 3; data += 3, size -= 3)
            fdt[sizeof(struct fdt_header) + (data[0] | (size_t)data[1] << 8) % (whole - sizeof(struct fdt_header))] =
                data[2];
        machine_try(fdt);
    } else {
        memcpy(fdt, data + 1, size - 1);
        if (fdt_magic(fdt) != FDT_MAGIC || fdt_totalsize(fdt) <= size - 1)
            machine_try(fdt);
    }
    free(fdt);
    return 0;
}
