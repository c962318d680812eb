// sources: hypervisor/boot/machine.c hypervisor/boot/machine_harts.c hypervisor/boot/machine_devices.c
// sources: hypervisor/boot/host_tree.c lib/isa.c libfdt
//
// Machines are those QEMU has (machines/*.dts), and small ones put together here from parts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "dts.h"
#include "machine.h"

static struct machine machine;
static struct machine_error why;
static void *tree; // freed by the teardown, because the machine's strings point into it

static int tree_drop(void **state)
{
    (void)state;
    free(tree);
    tree = NULL;
    return 0;
}

static enum status discover(void *fdt)
{
    free(tree);
    tree = fdt;
    memset(&why, 0, sizeof(why));
    return machine_discover(fdt, &machine, &why);
}

static void discover_qemu(const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "tests/unit/machines/%s.dts", name);
    assert_int_equal(discover(dts_file(path)), STATUS_OK);
}

// ---- Machines from parts ----

#define INTC(number) "interrupt-controller { compatible = \"riscv,cpu-intc\"; phandle = <" #number ">; };"
#define CPU_WITH(number, isa, more)                                                                                    \
    "cpu@" #number " { device_type = \"cpu\"; reg = <" #number ">; riscv,isa = \"" isa "\"; " more INTC(number) " };"
#define CPU(number) CPU_WITH(number, "rv64imac", "mmu-type = \"riscv,sv39\";")
#define CLINT(targets)                                                                                                 \
    "clint@2000000 { compatible = \"riscv,clint0\"; reg = <0 0x2000000 0 0x10000>; interrupts-extended = <" targets    \
    ">; };"
#define CPU_CELLS "#address-cells = <1>; #size-cells = <0>;"

struct parts {
    const char *head, *memory, *cpus, *devices;
};

static const struct parts usual = {
    .head = "",
    .memory = "memory@80000000 { device_type = \"memory\"; reg = <0 0x80000000 0 0x10000000>; };",
    .cpus = CPU_CELLS "timebase-frequency = <1000000>;" CPU(1) CPU(2),
    .devices = CLINT("1 3 1 7 2 3 2 7"),
};

static enum status discover_parts(struct parts p)
{
    static char text[65536];
    int length =
        snprintf(text, sizeof(text), "/dts-v1/; %s / { #address-cells = <2>; #size-cells = <2>; %s cpus { %s }; %s };",
                 p.head, p.memory, p.cpus, p.devices);
    assert_in_range(length, 1, sizeof(text) - 1);
    return discover(dts_text(text));
}

static enum status discover_memory(const char *memory)
{
    struct parts p = usual;
    p.memory = memory;
    return discover_parts(p);
}

static enum status discover_cpus(const char *cpus)
{
    struct parts p = usual;
    p.cpus = cpus;
    return discover_parts(p);
}

// Beside the CLINT.
static enum status discover_devices(const char *devices)
{
    struct parts p = usual;
    char both[16384];
    snprintf(both, sizeof(both), "%s %s", usual.devices, devices);
    p.devices = both;
    return discover_parts(p);
}

static void assert_refused(enum status status, const char *node, const char *text)
{
    assert_int_equal(status, STATUS_INVALID);
    assert_string_equal(why.node, node);
    assert_non_null(strstr(why.text, text));
}

static void assert_noted(const char *node, const char *text)
{
    for (size_t i = 0; i < machine.note_count; i++)
        if (!strcmp(machine.notes[i].node, node) && strstr(machine.notes[i].text, text))
            return;
    fail_msg("no note on %s that says '%s'", node, text);
}

// ---- QEMU's machines ----

static void qemu_virt(void **state)
{
    (void)state;
    discover_qemu("virt");
    assert_string_equal(machine.model, "riscv-virtio,qemu");
    assert_string_equal(machine.bootargs, "");
    assert_int_equal(machine.ram_count, 1);
    assert_int_equal(machine.ram[0].start, 0x80000000);
    assert_int_equal(machine.ram[0].size, 0x40000000);
    assert_int_equal(machine.reserved_count, 0);
    assert_int_equal(machine.bundle.size, 0);
    assert_int_equal(machine.timebase_hz, 10000000);
    assert_string_equal(machine.mmu_type, "riscv,sv57");
    assert_int_equal(machine.cbom_size, 64);
    assert_int_equal(machine.cbop_size, 64);
    assert_int_equal(machine.cboz_size, 64);
    assert_true(isa_has(&machine.isa, ISA_H));
    assert_true(isa_has(&machine.isa, ISA_SSTC));
    assert_int_equal(machine.note_count, 0);
}

static void qemu_virt_harts(void **state)
{
    (void)state;
    discover_qemu("virt");
    assert_int_equal(machine.hart_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(machine.harts[i].id, i);
        assert_int_equal(machine.harts[i].phandle, 8 - 2 * i);
        assert_int_equal(machine.harts[i].plic_context, 2 * i);
        assert_int_equal(machine.harts[i].mtimecmp, 0x2004000 + 8 * i);
        assert_int_equal(machine.harts[i].msip, 0x2000000 + 4 * i);
    }
    assert_int_equal(machine.clint.mtime, 0x200bff8);
}

static void qemu_virt_devices(void **state)
{
    (void)state;
    discover_qemu("virt");
    assert_int_equal(machine.uart.kind, UART_16550);
    assert_int_equal(machine.uart.base, 0x10000000);
    assert_int_equal(machine.uart.reg_shift, 0);
    assert_int_equal(machine.uart.reg_io_width, 1);
    assert_int_equal(machine.uart.clock_hz, 3686400);
    assert_int_equal(machine.uart.irq, 10);
    assert_int_equal(machine.plic.base, 0xc000000);
    assert_int_equal(machine.plic.size, 0x600000);
    assert_int_equal(machine.plic.ndev, 95);
    assert_int_equal(machine.power.finisher, 0x100000);
    assert_int_equal(machine.power.poweroff.address, 0x100000);
    assert_int_equal(machine.power.poweroff.value, 0x5555);
    assert_int_equal(machine.power.poweroff.mask, 0);
    assert_int_equal(machine.power.reboot.address, 0x100000);
    assert_int_equal(machine.power.reboot.value, 0x7777);
}

static void qemu_aclint(void **state)
{
    (void)state;
    discover_qemu("virt-aclint");
    assert_int_equal(machine.hart_count, 2);
    assert_int_equal(machine.clint.mtime, 0x200bff8);
    assert_int_equal(machine.harts[1].mtimecmp, 0x2004008);
    assert_int_equal(machine.harts[1].msip, 0x2000004);
}

static void qemu_without_plic(void **state)
{
    (void)state;
    discover_qemu("virt-aplic");
    assert_int_equal(machine.plic.base, 0);
    assert_int_equal(machine.harts[0].plic_context, MACHINE_NO_CONTEXT);
    assert_int_equal(machine.uart.kind, UART_16550);
    assert_int_equal(machine.uart.irq, 0);
    assert_noted("/", "PLIC");
}

static void qemu_with_a_clint_and_plic_for_each_socket(void **state)
{
    (void)state;
    discover_qemu("virt-numa");
    assert_int_equal(machine.ram_count, 1); // two nodes that touch
    assert_int_equal(machine.ram[0].size, 0x40000000);
    assert_int_equal(machine.clint.mtime, 0x200bff8);
    assert_int_equal(machine.harts[1].mtimecmp, 0x2004008);
    assert_int_equal(machine.harts[2].mtimecmp, 0x2014000);
    assert_int_equal(machine.harts[3].msip, 0x2010004);
    assert_int_equal(machine.plic.base, 0xc000000); // the UART's
    assert_int_equal(machine.harts[1].plic_context, 2);
    assert_int_equal(machine.harts[2].plic_context, MACHINE_NO_CONTEXT);
}

static void qemu_virt32(void **state)
{
    (void)state;
    discover_qemu("virt32");
    assert_int_equal(machine.isa.xlen, 32);
    assert_string_equal(machine.mmu_type, "riscv,sv32");
    assert_int_equal(machine.hart_count, 2);
}

static void qemu_with_all_extensions(void **state)
{
    (void)state;
    discover_qemu("virt-max");
    assert_int_equal(machine.ram[0].size, UINT64_C(0x200000000));
    assert_true(isa_has(&machine.isa, ISA_V));
    assert_true(isa_has(&machine.isa, ISA_SMEPMP));
    assert_true(isa_has(&machine.isa, ISA_ZVKT));
    assert_true(isa_has(&machine.isa, ISA_SVVPTC));
}

static void qemu_spike(void **state)
{
    (void)state;
    discover_qemu("spike");
    assert_int_equal(machine.uart.kind, UART_NONE);
    assert_int_equal(machine.power.finisher, 0);
    assert_int_equal(machine.power.poweroff.address, 0);
    assert_noted("/", "no serial port");
    assert_false(isa_has(&machine.isa, ISA_ZICBOM)); // the tree does not say the block size
}

static void qemu_sifive_u(void **state)
{
    (void)state;
    discover_qemu("sifive_u");
    assert_noted("/cpus/cpu@0", "no S-mode");
    assert_int_equal(machine.hart_count, 4);
    for (unsigned i = 0; i < 4; i++) { // the monitor core has no S context
        assert_int_equal(machine.harts[i].id, i + 1);
        assert_int_equal(machine.harts[i].plic_context, 2 * i + 1);
        assert_int_equal(machine.harts[i].mtimecmp, 0x2004008 + 8 * i);
        assert_int_equal(machine.harts[i].msip, 0x2000004 + 4 * i);
    }
    assert_int_equal(machine.uart.kind, UART_SIFIVE);
    assert_int_equal(machine.uart.base, 0x10010000);
    assert_int_equal(machine.uart.reg_io_width, 4);
    assert_int_equal(machine.uart.irq, 4);
}

// ---- Memory ----

static void least_machine(void **state)
{
    (void)state;
    assert_int_equal(discover_parts(usual), STATUS_OK);
    assert_int_equal(machine.hart_count, 2);
    assert_string_equal(machine.model, "unnamed machine");
}

static void memory_in_several_ranges_and_nodes(void **state)
{
    (void)state;
    assert_int_equal(discover_memory("memory@200000000 { device_type = \"memory\"; reg = <2 0 1 0>; };"
                                     "memory@80000000 { device_type = \"memory\"; reg = <0 0x80000000 0 0x100000 0 "
                                     "0x90000000 0 0x200000 0 0xa0000000 0 0>; };"),
                     STATUS_OK);
    assert_int_equal(machine.ram_count, 3);
    assert_int_equal(machine.ram[0].start, 0x80000000);
    assert_int_equal(machine.ram[1].start, 0x90000000);
    assert_int_equal(machine.ram[1].size, 0x200000);
    assert_int_equal(machine.ram[2].start, UINT64_C(0x200000000));
    assert_int_equal(machine.ram[2].size, UINT64_C(0x100000000));
}

static void memory_that_touches_is_joined(void **state)
{
    (void)state;
    assert_int_equal(discover_memory("memory@0 { device_type = \"memory\"; reg = <0 0x3000 0 0x1000 0 0x1000 0 0x1000 "
                                     "0 0x8000 0 0x1000 0 0x2000 0 0x1000 0 0 0 0x20000000>; };"),
                     STATUS_OK);
    assert_int_equal(machine.ram_count, 1);
    assert_int_equal(machine.ram[0].start, 0);
    assert_int_equal(machine.ram[0].size, 0x20000000);
}

static void memory_with_other_cells(void **state)
{
    (void)state;
    void *fdt = dts_text("/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; memory@80000000 { device_type = "
                         "\"memory\"; reg = <0x80000000 0x1000000 0x90000000 0x1000000>; }; cpus { #address-cells = "
                         "<2>; #size-cells = <0>; timebase-frequency = /bits/ 64 <1000000>; cpu@1 { device_type = "
                         "\"cpu\"; reg = <1 5>; riscv,isa = \"rv64imac\"; mmu-type = \"riscv,sv39\"; " INTC(
                             1) "}; }; "
                                "clint@2000000 { compatible = \"riscv,clint0\"; reg = <0x2000000 0x10000>; "
                                "interrupts-extended = <1 3 1 7>; }; };");
    assert_int_equal(discover(fdt), STATUS_OK);
    assert_int_equal(machine.ram_count, 2);
    assert_int_equal(machine.ram[1].start, 0x90000000);
    assert_int_equal(machine.harts[0].id, UINT64_C(0x100000005));
    assert_int_equal(machine.timebase_hz, 1000000);
}

static void memory_missing_or_unusable(void **state)
{
    (void)state;
    assert_refused(discover_memory(""), "/", "no memory");
    assert_refused(discover_memory("memory@0 { device_type = \"memory\"; reg = <0 0 0 0>; };"), "/", "no memory");
    assert_refused(discover_memory("memory@0 { device_type = \"memory\"; };"), "/memory@0", "reg");
    assert_refused(discover_memory("memory@0 { device_type = \"memory\"; reg = <1 2 3>; };"), "/memory@0", "reg");
    assert_refused(
        discover_memory("memory@1000 { device_type = \"memory\"; reg = <0 0x1000 0xffffffff 0xffffffff>; };"),
        "/memory@1000", "reg");
    assert_refused(discover_memory("memory@0 { device_type = \"memory\"; status = \"disabled\"; reg = <0 0 0 1>; };"),
                   "/", "no memory");
}

static void memory_in_too_many_pieces(void **state)
{
    (void)state;
    char text[2048] = "memory@0 { device_type = \"memory\"; reg = <";
    for (unsigned i = 0; i < 20; i++)
        sprintf(text + strlen(text), "0 0x%x 0 0x1000 ", 0x80000000 + i * 0x2000);
    strcat(text, ">; };");
    assert_int_equal(discover_memory(text), STATUS_OK);
    assert_int_equal(machine.ram_count, MACHINE_RAM_MAX);
    assert_noted("/memory@0", "not used");
}

static void reserved_memory(void **state)
{
    (void)state;
    struct parts p = usual;
    p.head = "/memreserve/ 0x80000000 0x800; /memreserve/ 0x80100800 0x1000;";
    p.devices = CLINT("1 3 1 7 2 3 2 7") "reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges; "
                                         "a@81000000 { reg = <0 0x81000000 0 0x1000 0 0x82000000 0 0x1000>; no-map; };"
                                         "b@83000000 { status = \"disabled\"; reg = <0 0x83000000 0 0x1000>; };"
                                         "c { size = <0 0x1000>; }; };";
    assert_int_equal(discover_parts(p), STATUS_OK);
    assert_int_equal(machine.reserved_count, 4);
    assert_int_equal(machine.reserved[0].start, 0x80000000);
    assert_int_equal(machine.reserved[0].size, 0x1000);
    assert_int_equal(machine.reserved[1].start, 0x80100000);
    assert_int_equal(machine.reserved[1].size, 0x2000);
    assert_int_equal(machine.reserved[2].start, 0x81000000);
    assert_int_equal(machine.reserved[3].start, 0x82000000);
}

static void reserved_memory_in_too_many_pieces(void **state)
{
    (void)state;
    char text[4096] = "reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges; many@0 { reg = <";
    for (unsigned i = 0; i <= MACHINE_RESERVED_MAX; i++)
        sprintf(text + strlen(text), "0 0x%x 0 0x1000 ", 0x80000000 + i * 0x2000);
    strcat(text, ">; }; };");
    assert_refused(discover_devices(text), "/reserved-memory/many@0", "too many reserved");
}

static void image_must_lie_in_free_ram(void **state)
{
    (void)state;
    struct parts p = usual;
    p.head = "/memreserve/ 0x80800000 0x1000;";
    assert_int_equal(discover_parts(p), STATUS_OK);
    assert_int_equal(machine_check_image(&machine, (struct range){0x80000000, 0x40000}, &why), STATUS_OK);
    assert_refused(machine_check_image(&machine, (struct range){0x8ffff000, 0x2000}, &why), "/memory", "RAM");
    assert_refused(machine_check_image(&machine, (struct range){0x807ff000, 0x2000}, &why), "/reserved-memory",
                   "elsewhere");
}

static void ram_is_trimmed(void **state)
{
    (void)state;
    const struct range ram[] = {{0x1000, 0x1000}, {0xfffff000, 0x3000}, {UINT64_C(0x200000000), 0x1000}};
    memcpy(machine.ram, ram, sizeof(ram));
    machine.ram_count = 3;
    assert_int_equal(machine_trim_ram(&machine, UINT64_C(1) << 32), 0x3000);
    assert_int_equal(machine.ram_count, 2);
    assert_int_equal(machine.ram[1].start, 0xfffff000);
    assert_int_equal(machine.ram[1].size, 0x1000);
    assert_int_equal(machine_trim_ram(&machine, UINT64_C(1) << 32), 0);
    assert_int_equal(machine_trim_ram(&machine, 0), 0x2000);
    assert_int_equal(machine.ram_count, 0);
}

// ---- Harts ----

static void new_isa_form_counts_more(void **state)
{
    (void)state;
    assert_int_equal(
        discover_cpus(CPU_CELLS "timebase-frequency = <1>;" CPU_WITH(1, "rv64imac_zbb",
                                                                     "mmu-type = \"riscv,sv48\"; riscv,isa-base = "
                                                                     "\"rv64i\"; riscv,isa-extensions = \"i\", "
                                                                     "\"m\", \"a\", \"c\", \"sstc\";")),
        STATUS_OK);
    assert_true(isa_has(&machine.isa, ISA_SSTC));
    assert_false(isa_has(&machine.isa, ISA_ZBB));
}

static void machine_has_what_all_harts_have(void **state)
{
    (void)state;
    assert_int_equal(
        discover_cpus(
            CPU_CELLS "timebase-frequency = <1>;" CPU_WITH(
                1, "rv64imafdch_zicbom_zicboz_zbb",
                "mmu-type = \"riscv,sv57\"; riscv,cbom-block-size = <64>; riscv,cboz-block-size = <64>;")
                CPU_WITH(2, "rv64imac_zicbom_zicboz_zbb",
                         "mmu-type = \"riscv,sv39\"; riscv,cbom-block-size = <64>; riscv,cboz-block-size = <32>;")),
        STATUS_OK);
    assert_true(isa_has(&machine.harts[0].isa, ISA_H));
    assert_false(isa_has(&machine.isa, ISA_H));
    assert_false(isa_has(&machine.isa, ISA_D));
    assert_true(isa_has(&machine.isa, ISA_ZBB));
    assert_true(isa_has(&machine.isa, ISA_ZICBOM));
    assert_false(isa_has(&machine.isa, ISA_ZICBOZ));
    assert_int_equal(machine.cbom_size, 64);
    assert_int_equal(machine.cboz_size, 0);
    assert_string_equal(machine.mmu_type, "riscv,sv39");
}

static void cache_block_sizes_must_make_sense(void **state)
{
    (void)state;
    assert_int_equal(discover_cpus(CPU_CELLS "timebase-frequency = <1>;" CPU_WITH(
                         1, "rv64imac_zicbom_zicboz_zicbop",
                         "mmu-type = \"riscv,sv57\"; riscv,cbom-block-size = <48>; riscv,cboz-block-size = <8192>;")),
                     STATUS_OK);
    assert_int_equal(machine.cbom_size, 0);
    assert_int_equal(machine.cboz_size, 0);
    assert_false(isa_has(&machine.isa, ISA_ZICBOM) || isa_has(&machine.isa, ISA_ZICBOZ) ||
                 isa_has(&machine.isa, ISA_ZICBOP));
}

static void timebase_may_be_in_each_hart(void **state)
{
    (void)state;
    assert_int_equal(
        discover_cpus(CPU_CELLS CPU_WITH(1, "rv64imac", "timebase-frequency = <1234>; mmu-type = \"riscv,sv39\";")),
        STATUS_OK);
    assert_int_equal(machine.timebase_hz, 1234);
    assert_refused(discover_cpus(CPU_CELLS CPU(1)), "/cpus", "timebase-frequency");
}

static void harts_that_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *cpu, *text;
    } cases[] = {
        {CPU_WITH(2, "rv64imac", ""), "mmu-type"},
        {CPU_WITH(2, "rv64imac", "mmu-type = \"riscv,none\";"), "mmu-type"},
        {CPU_WITH(2, "rv32imac", "mmu-type = \"riscv,sv32\";"), "wide"},
        {CPU_WITH(2, "rv64ima", "mmu-type = \"riscv,sv39\";"), "lacks"},
        {CPU_WITH(2, "rv99", "mmu-type = \"riscv,sv39\";"), "riscv,isa"},
        {"cpu@2 { device_type = \"cpu\"; reg = <2>; mmu-type = \"riscv,sv39\";" INTC(2) "};", "riscv,isa"},
        {"cpu@2 { device_type = \"cpu\"; mmu-type = \"riscv,sv39\";" INTC(2) "};", "no id"},
        {"cpu@2 { device_type = \"cpu\"; reg = <1>; mmu-type = \"riscv,sv39\"; riscv,isa = \"rv64imac\";" INTC(2) "};",
         "its id"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        char text[2048];
        snprintf(text, sizeof(text), "%s%s", CPU_CELLS "timebase-frequency = <1>;" CPU(1), cases[i].cpu);
        assert_int_equal(discover_cpus(text), STATUS_OK);
        assert_int_equal(machine.hart_count, 1);
        assert_noted("/cpus/cpu@2", cases[i].text);
    }
}

static void isa_texts_of_harts_left_out_do_not_count(void **state)
{
    (void)state;
    assert_int_equal(discover_cpus(CPU_CELLS "timebase-frequency = <1>;" CPU(1)
                                       CPU_WITH(2, "rv64ima", "mmu-type = \"riscv,sv39\";")
                                           CPU_WITH(3, "rv64ima", "mmu-type = \"riscv,sv39\";")),
                     STATUS_OK);
    assert_int_equal(machine.hart_count, 1);
}

static void disabled_harts_are_not_worth_a_word(void **state)
{
    (void)state;
    assert_int_equal(discover_cpus(CPU_CELLS "timebase-frequency = <1>;" CPU_WITH(
                         1, "rv64imac", "mmu-type = \"riscv,sv39\"; status = \"disabled\";") CPU(2)),
                     STATUS_OK);
    assert_int_equal(machine.hart_count, 1);
    assert_int_equal(machine.harts[0].id, 2);
    assert_int_equal(machine.harts[0].mtimecmp, 0x2004008); // hart 1 counts in the CLINT all the same
    for (size_t i = 0; i < machine.note_count; i++)
        assert_null(strstr(machine.notes[i].text, "hart"));
}

static void no_hart_at_all(void **state)
{
    (void)state;
    assert_refused(discover_cpus(CPU_CELLS "timebase-frequency = <1>;"), "/cpus", "no hart");
    assert_refused(discover_cpus(CPU_CELLS CPU_WITH(1, "rv64imac", "")), "/cpus", "no hart");
}

static void more_harts_than_fit(void **state)
{
    (void)state;
    static char text[65536];
    int length = snprintf(text, sizeof(text), CPU_CELLS "timebase-frequency = <1>;");
    for (unsigned i = 0; i < MACHINE_HARTS_MAX + 2; i++)
        length +=
            snprintf(text + length, sizeof(text) - (size_t)length,
                     "cpu@%x { device_type = \"cpu\"; reg = <%u>; riscv,isa = \"rv64imac\"; mmu-type = "
                     "\"riscv,sv39\"; interrupt-controller { compatible = \"riscv,cpu-intc\"; phandle = <%u>; }; };",
                     i, i, i + 1);
    struct parts p = usual;
    static char clint[8192];
    length = snprintf(clint, sizeof(clint),
                      "clint@2000000 { compatible = \"riscv,clint0\"; reg = <0 0x2000000 0 0x10000>; "
                      "interrupts-extended = <");
    for (unsigned i = 0; i < MACHINE_HARTS_MAX + 2; i++)
        length += snprintf(clint + length, sizeof(clint) - (size_t)length, "%u 3 %u 7 ", i + 1, i + 1);
    strcat(clint, ">; };");
    p.cpus = text;
    p.devices = clint;
    assert_int_equal(discover_parts(p), STATUS_OK);
    assert_int_equal(machine.hart_count, MACHINE_HARTS_MAX);
    assert_noted("/cpus/cpu@40", "too many");
    assert_int_equal(machine.harts[63].msip, 0x2000000 + 4 * 63);
}

// ---- Timer and software interrupts ----

static enum status discover_timer(const char *devices)
{
    struct parts p = usual;
    p.devices = devices;
    return discover_parts(p);
}

static void no_timer_or_software_interrupts(void **state)
{
    (void)state;
    assert_refused(discover_timer(""), "/cpus", "timer");
    assert_refused(discover_timer("clint@0 { compatible = \"riscv,clint0\"; reg = <0 0x2000000 0 0x10000>; };"),
                   "/cpus", "timer");
    assert_refused(discover_timer(CLINT("1 7 2 7")), "/cpus", "software interrupt");
    assert_refused(discover_timer(CLINT("1 3 2 3")), "/cpus", "timer");
    assert_refused(discover_timer("clint@0 { compatible = \"riscv,clint0\"; status = \"disabled\"; reg = <0 0x2000000 "
                                  "0 0x10000>; interrupts-extended = <1 3 1 7>; };"),
                   "/cpus", "timer");
}

static void harts_that_the_timer_does_not_know(void **state)
{
    (void)state;
    assert_int_equal(discover_timer(CLINT("2 3 2 7")), STATUS_OK);
    assert_int_equal(machine.hart_count, 1);
    assert_int_equal(machine.harts[0].id, 2);
    assert_int_equal(machine.harts[0].mtimecmp, 0x2004000);
    assert_noted("/cpus", "no CLINT");
}

static void timer_with_one_register_range(void **state)
{
    (void)state;
    assert_int_equal(
        discover_timer("mtimer@2004000 { compatible = \"riscv,aclint-mtimer\"; reg = <0 0x2004000 0 0x8000>; "
                       "interrupts-extended = <1 7 2 7>; }; mswi@2000000 { compatible = \"riscv,aclint-mswi\"; reg = "
                       "<0 0x2000000 0 0x4000>; interrupts-extended = <1 3 2 3>; };"),
        STATUS_OK);
    assert_int_equal(machine.clint.mtime, 0x200bff8);
    assert_int_equal(machine.harts[1].mtimecmp, 0x2004008);
    assert_int_equal(machine.harts[1].msip, 0x2000004);
}

static void timer_whose_registers_end_early(void **state)
{
    (void)state;
    assert_int_equal(discover_timer("mtimer@2004000 { compatible = \"riscv,aclint-mtimer\"; reg = <0 0x200bff8 0 8 0 "
                                    "0x2004000 0 8>; interrupts-extended = <1 7 2 7>; }; " CLINT("1 3 2 3")),
                     STATUS_OK);
    assert_int_equal(machine.hart_count, 1);
    assert_noted("/cpus", "no CLINT");
}

static void timer_without_time(void **state)
{
    (void)state;
    assert_refused(discover_timer("clint@2000000 { compatible = \"riscv,clint0\"; reg = <0 0x2000000 0 0xbff8>; "
                                  "interrupts-extended = <1 3 1 7 2 3 2 7>; };"),
                   "/cpus", "MTIMER");
}

static void timer_out_of_reach(void **state)
{
    (void)state;
    assert_refused(discover_timer("clint { compatible = \"riscv,clint0\"; interrupts-extended = <1 3 1 7>; };"),
                   "/cpus", "timer");
    assert_noted("/clint", "registers");
}

// ---- Devices ----

#define UART(address, more)                                                                                            \
    "serial@" #address " { compatible = \"ns16550a\"; reg = <0 0x" #address " 0 0x100>; " more "};"

static void first_uart_counts_without_stdout(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices(UART(1000, "status = \"disabled\";") UART(2000, "current-speed = <9600>;") UART(3000, "")),
        STATUS_OK);
    assert_int_equal(machine.uart.base, 0x2000);
    assert_int_equal(machine.uart.baud, 9600);
}

static void stdout_chooses_the_uart(void **state)
{
    (void)state;
    assert_int_equal(discover_devices(UART(1000, "") UART(2000, "") UART(3000, "") "chosen { stdout-path = "
                                                                                   "\"/serial@2000\"; };"),
                     STATUS_OK);
    assert_int_equal(machine.uart.base, 0x2000);
    assert_int_equal(machine.uart.baud, 0);
}

static void stdout_by_alias_with_speed(void **state)
{
    (void)state;
    assert_int_equal(discover_devices("aliases { serial7 = \"/serial@3000\"; }; chosen { stdout-path = "
                                      "\"serial7:115200n8\"; };" UART(1000, "") UART(3000, "")),
                     STATUS_OK);
    assert_int_equal(machine.uart.base, 0x3000);
    assert_int_equal(machine.uart.baud, 115200);
}

static void stdout_that_leads_nowhere(void **state)
{
    (void)state;
    static const char *const paths[] = {"", ":", "/nothing", "nothing", "/cpus", "serial0:", "/serial@1000/x"};
    for (size_t i = 0; i < array_length(paths); i++) {
        char text[1024];
        snprintf(text, sizeof(text), UART(1000, "") UART(3000, "") "chosen { stdout-path = \"%s\"; };", paths[i]);
        assert_int_equal(discover_devices(text), STATUS_OK);
        assert_int_equal(machine.uart.base, 0x1000);
    }
}

static void uart_with_wide_registers(void **state)
{
    (void)state;
    assert_int_equal(discover_devices("serial@1000 { compatible = \"vendor,uart\", \"snps,dw-apb-uart\"; reg = <0 "
                                      "0x1000 0 0x100>; reg-shift = <2>; reg-io-width = <4>; reg-offset = <0x40>; "
                                      "clock-frequency = <24000000>; };"),
                     STATUS_OK);
    assert_int_equal(machine.uart.kind, UART_16550);
    assert_int_equal(machine.uart.base, 0x1040);
    assert_int_equal(machine.uart.reg_shift, 2);
    assert_int_equal(machine.uart.reg_io_width, 4);
    assert_int_equal(machine.uart.clock_hz, 24000000);
}

#define PLIC(address, phandle_number, targets)                                                                         \
    "plic@" #address " { compatible = \"sifive,plic-1.0.0\"; reg = <0 0x" #address " 0 0x400000>; riscv,ndev = <31>; " \
    "phandle = <" #phandle_number ">; interrupts-extended = <" targets ">; };"

static void uart_chooses_the_plic(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices(PLIC(8000000, 8, "1 11 2 11") PLIC(
            9000000, 9, "1 9 2 9 2 11 1 11") "soc { interrupt-parent = <9>; #address-cells = <2>; #size-cells = <2>; "
                                             "ranges; " UART(1000, "interrupts = <7>;") "};"),
        STATUS_OK);
    assert_int_equal(machine.plic.base, 0x9000000);
    assert_int_equal(machine.plic.ndev, 31);
    assert_int_equal(machine.uart.irq, 7);
    assert_int_equal(machine.harts[0].plic_context, 3);
    assert_int_equal(machine.harts[1].plic_context, 2);
}

static void uart_with_extended_interrupt(void **state)
{
    (void)state;
    assert_int_equal(discover_devices(PLIC(8000000, 8, "1 11 2 11") UART(1000, "interrupts-extended = <8 5>;")),
                     STATUS_OK);
    assert_int_equal(machine.uart.irq, 5);
}

static void uart_at_another_interrupt_controller(void **state)
{
    (void)state;
    assert_int_equal(discover_devices(PLIC(8000000, 8, "1 11 2 11") UART(1000, "interrupt-parent = <55>; interrupts = "
                                                                               "<7>;")),
                     STATUS_OK);
    assert_int_equal(machine.uart.irq, 0);
    assert_int_equal(machine.plic.base, 0x8000000);
}

static void addresses_are_translated(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices("outer { #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0x40000000 0x1000000>; inner "
                         "{ #address-cells = <1>; #size-cells = <1>; ranges = <0x100000 0x200000 0x10000 0 0x500000 "
                         "0x10000>; serial@2000 { compatible = \"ns16550a\"; reg = <0x2000 0x100>; }; }; };"),
        STATUS_OK);
    assert_int_equal(machine.uart.base, 0x40502000);
}

static void addresses_that_no_bus_passes_on(void **state)
{
    (void)state;
    static const char *const ranges[] = {"", "ranges = <0 0 0x40000000 0x1000>;", "ranges = <0 0>;",
                                         "ranges = <0 0xffffffff 0xfffff000 0x10000>;"};
    for (size_t i = 0; i < array_length(ranges); i++) {
        char text[1024];
        snprintf(text, sizeof(text),
                 "bus { #address-cells = <1>; #size-cells = <1>; %s serial@2000 { compatible = \"ns16550a\"; reg = "
                 "<0x2000 0x100>; }; };",
                 ranges[i]);
        assert_int_equal(discover_devices(text), STATUS_OK);
        assert_int_equal(machine.uart.kind, UART_NONE);
        assert_noted("/bus/serial@2000", "out of reach");
    }
}

static void devices_on_a_disabled_bus(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices(
            "bus { status = \"disabled\"; #address-cells = <2>; #size-cells = <2>; ranges; " UART(1000, "") "};"),
        STATUS_OK);
    assert_int_equal(machine.uart.kind, UART_NONE);
}

static void power_through_syscons(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices(
            "poweroff { compatible = \"syscon-poweroff\"; regmap = <44>; offset = <8>; value = <5>; mask = "
            "<0xf>; }; reboot { compatible = \"syscon-reboot\"; regmap = <44>; offset = <4>; mask = "
            "<0x77>; }; control@1000 { compatible = \"syscon\"; phandle = <44>; reg = <0 0x1000 0 0x10>; "
            "reg-io-width = <2>; };"),
        STATUS_OK);
    assert_int_equal(machine.power.poweroff.address, 0x1008);
    assert_int_equal(machine.power.poweroff.value, 5);
    assert_int_equal(machine.power.poweroff.mask, 0xf);
    assert_int_equal(machine.power.poweroff.io_width, 2);
    assert_int_equal(machine.power.reboot.address, 0x1004);
    assert_int_equal(machine.power.reboot.value, 0x77);
    assert_int_equal(machine.power.reboot.mask, 0);
    assert_int_equal(machine.power.finisher, 0);
}

static void power_through_the_finisher_alone(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices("poweroff { compatible = \"syscon-poweroff\"; regmap = <44>; value = <1>; }; test "
                         "{ compatible = \"sifive,test0\"; reg = <0 0x100000 0 0x1000>; };"),
        STATUS_OK);
    assert_int_equal(machine.power.poweroff.address, 0x100000);
    assert_int_equal(machine.power.poweroff.value, 0x5555);
    assert_int_equal(machine.power.reboot.value, 0x7777);
}

static void power_register_outside_its_syscon(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices("poweroff { compatible = \"syscon-poweroff\"; regmap = <44>; offset = <0xffffffff>; value = "
                         "<5>; }; control@1000 { compatible = \"syscon\"; phandle = <44>; reg = <0 0x1000 0 0x10>; };"),
        STATUS_OK);
    assert_int_equal(machine.power.poweroff.address, 0);
}

static void more_devices_than_fit(void **state)
{
    (void)state;
    char text[8192] = "";
    for (unsigned i = 0; i < 20; i++)
        sprintf(text + strlen(text), "control@%x { compatible = \"syscon\"; reg = <0 0x%x 0 0x1000>; };", i * 0x1000,
                i * 0x1000);
    assert_int_equal(discover_devices(text), STATUS_OK);
    assert_noted("/control@f000", "too many devices");
}

static void compatible_that_does_not_end(void **state)
{
    (void)state;
    assert_int_equal(discover_devices("serial@1000 { compatible = [6e 73]; reg = <0 0x1000 0 0x100>; };"), STATUS_OK);
    assert_int_equal(machine.uart.kind, UART_NONE);
}

static void power_action_without_a_value(void **state)
{
    (void)state;
    assert_int_equal(discover_devices("poweroff { compatible = \"syscon-poweroff\"; regmap = <44>; }; control@1000 { "
                                      "compatible = \"syscon\"; phandle = <44>; reg = <0 0x1000 0 0x10>; };"),
                     STATUS_OK);
    assert_int_equal(machine.power.poweroff.address, 0);
}

// ---- /chosen ----

static void bundle_in_both_widths(void **state)
{
    (void)state;
    assert_int_equal(discover_devices("chosen { bootargs = \"log=debug\"; linux,initrd-start = <0x81000000>; "
                                      "linux,initrd-end = <0x81000100>; };"),
                     STATUS_OK);
    assert_string_equal(machine.bootargs, "log=debug");
    assert_int_equal(machine.bundle.start, 0x81000000);
    assert_int_equal(machine.bundle.size, 0x100);
    assert_int_equal(discover_devices("chosen { linux,initrd-start = <0 0x82000000>; linux,initrd-end = <0 "
                                      "0x82000001>; };"),
                     STATUS_OK);
    assert_int_equal(machine.bundle.start, 0x82000000);
    assert_int_equal(machine.bundle.size, 1);
}

static void bundle_that_can_not_be(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices("chosen { linux,initrd-start = <0x81000000>; linux,initrd-end = <0x80ffffff>; };"), STATUS_OK);
    assert_int_equal(machine.bundle.size, 0);
    assert_noted("/chosen", "no range");
    assert_int_equal(
        discover_devices("chosen { linux,initrd-start = <0x8ffff000>; linux,initrd-end = <0x90001000>; };"), STATUS_OK);
    assert_int_equal(machine.bundle.size, 0);
    assert_noted("/chosen", "no range");
    assert_int_equal(discover_devices("chosen { linux,initrd-start = <0x81000000>; };"), STATUS_OK);
    assert_int_equal(machine.bundle.size, 0);
    assert_int_equal(discover_devices("chosen { bootargs = [61 62]; linux,initrd-start = [00]; linux,initrd-end = "
                                      "<1 2 3>; };"),
                     STATUS_OK);
    assert_int_equal(machine.bundle.size, 0);
    assert_string_equal(machine.bootargs, "");
}

// ---- Trees that are none ----

static void no_tree(void **state)
{
    (void)state;
    assert_refused(machine_discover(NULL, &machine, &why), "/", "no device tree");
    uint64_t junk[16] = {0x1234};
    assert_refused(machine_discover(junk, &machine, &why), "/", "magic");
    assert_refused(machine_discover((char *)junk + 4, &machine, &why), "/", "multiple of 8");
}

static void old_or_broken_header(void **state)
{
    (void)state;
    void *fdt = dts_file("tests/unit/machines/spike.dts");
    fdt_set_version(fdt, 16);
    fdt_set_last_comp_version(fdt, 16);
    assert_refused(discover(fdt), "/", "header");
    fdt = dts_file("tests/unit/machines/spike.dts");
    fdt_set_off_dt_struct(fdt, fdt_off_dt_struct(fdt) + 2);
    assert_refused(discover(fdt), "/", "header");
}

// Cut in the middle of a node: everything before it was still understood.
static void tree_that_breaks_off(void **state)
{
    (void)state;
    void *fdt = dts_file("tests/unit/machines/virt.dts");
    fdt_set_size_dt_struct(fdt, fdt_size_dt_struct(fdt) / 2 & ~3u);
    enum status status = discover(fdt);
    assert_int_equal(status, STATUS_INVALID);
    assert_non_null(strstr(why.text, "broken"));
}

static void deep_nodes_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(
        discover_devices("a { b { c { d { e { f { g { h { i { compatible = \"ns16550a\"; }; }; }; }; }; }; "
                         "}; }; };" UART(1000, "")),
        STATUS_OK);
    assert_int_equal(machine.uart.base, 0x1000);
}

static void long_paths_keep_their_end(void **state)
{
    (void)state;
    assert_int_equal(discover_devices("a-bus-with-a-long-name-01 { another-bus-with-long-name { serial@1234 { "
                                      "compatible = \"ns16550a\"; }; }; };"),
                     STATUS_OK);
    assert_noted("/another-bus-with-long-name/serial@1234", "reg");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tree_drop)
    const struct CMUnitTest tests[] = {
        TEST(qemu_virt),
        TEST(qemu_virt_harts),
        TEST(qemu_virt_devices),
        TEST(qemu_aclint),
        TEST(qemu_without_plic),
        TEST(qemu_with_a_clint_and_plic_for_each_socket),
        TEST(qemu_virt32),
        TEST(qemu_with_all_extensions),
        TEST(qemu_spike),
        TEST(qemu_sifive_u),
        TEST(least_machine),
        TEST(memory_in_several_ranges_and_nodes),
        TEST(memory_that_touches_is_joined),
        TEST(memory_with_other_cells),
        TEST(memory_missing_or_unusable),
        TEST(memory_in_too_many_pieces),
        TEST(reserved_memory),
        TEST(reserved_memory_in_too_many_pieces),
        TEST(image_must_lie_in_free_ram),
        TEST(ram_is_trimmed),
        TEST(new_isa_form_counts_more),
        TEST(machine_has_what_all_harts_have),
        TEST(cache_block_sizes_must_make_sense),
        TEST(timebase_may_be_in_each_hart),
        TEST(harts_that_are_left_out),
        TEST(isa_texts_of_harts_left_out_do_not_count),
        TEST(disabled_harts_are_not_worth_a_word),
        TEST(no_hart_at_all),
        TEST(more_harts_than_fit),
        TEST(no_timer_or_software_interrupts),
        TEST(harts_that_the_timer_does_not_know),
        TEST(timer_with_one_register_range),
        TEST(timer_whose_registers_end_early),
        TEST(timer_without_time),
        TEST(timer_out_of_reach),
        TEST(first_uart_counts_without_stdout),
        TEST(stdout_chooses_the_uart),
        TEST(stdout_by_alias_with_speed),
        TEST(stdout_that_leads_nowhere),
        TEST(uart_with_wide_registers),
        TEST(uart_chooses_the_plic),
        TEST(uart_with_extended_interrupt),
        TEST(uart_at_another_interrupt_controller),
        TEST(addresses_are_translated),
        TEST(addresses_that_no_bus_passes_on),
        TEST(devices_on_a_disabled_bus),
        TEST(power_through_syscons),
        TEST(power_through_the_finisher_alone),
        TEST(power_register_outside_its_syscon),
        TEST(more_devices_than_fit),
        TEST(compatible_that_does_not_end),
        TEST(power_action_without_a_value),
        TEST(bundle_in_both_widths),
        TEST(bundle_that_can_not_be),
        TEST(no_tree),
        TEST(old_or_broken_header),
        TEST(tree_that_breaks_off),
        TEST(deep_nodes_are_passed_over),
        TEST(long_paths_keep_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
