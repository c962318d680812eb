// sources: hypervisor/capsule/guest_tree.c lib/isa.c libfdt
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "dts.h"
#include "guest_tree.h"

static const char isa_text[] = "rv64imafdc_zicbom_zicbop_zicboz_zicntr_zicsr_zifencei_sstc";
static const char isa_list[] = "i\0m\0a\0f\0d\0c\0zicbom\0zicbop\0zicboz\0zicntr\0zicsr\0zifencei\0sstc";

static uint8_t seed[GUEST_TREE_SEED_SIZE];
static struct isa isa;
static void *fdt;
static size_t fdt_size;

static struct guest_tree usual(void)
{
    assert_int_equal(isa_parse_string(isa_text, sizeof(isa_text), &isa), STATUS_OK);
    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)(i * 37 + 1);
    return (struct guest_tree){
        .name = "debian",
        .ram_base = gpa(0x80000000),
        .ram_size = 0x10000000,
        .vcores = 2,
        .isa = &isa,
        .mmu_type = "riscv,sv57",
        .timebase_hz = 10000000,
        .cbom_size = 64,
        .cbop_size = 64,
        .cboz_size = 64,
        .initrd_start = gpa(0x8f000000),
        .initrd_end = gpa(0x8f123456),
        .bootargs = "console=ttyS0",
        .rng_seed = seed,
        .uart = gpa(GUEST_TREE_UART),
        .plic = gpa(GUEST_TREE_PLIC),
        .finisher = gpa(GUEST_TREE_FINISHER),
        .plic_sources = 95,
    };
}

static int tree_drop(void **state)
{
    (void)state;
    free(fdt);
    fdt = NULL;
    return 0;
}

static enum status build_into(const struct guest_tree *tree, size_t size)
{
    free(fdt);
    fdt = aligned_alloc(8, (size + 7) & ~(size_t)7);
    enum status status = guest_tree_build(tree, fdt, size);
    if (status == STATUS_OK)
        fdt_size = fdt_totalsize(fdt);
    return status;
}

static void build(const struct guest_tree *tree)
{
    assert_int_equal(build_into(tree, GUEST_TREE_SIZE(tree->vcores)), STATUS_OK);
    assert_int_equal(fdt_check_full(fdt, fdt_size), 0);
    assert_in_range(fdt_size, 1, GUEST_TREE_SIZE(tree->vcores));
}

static int node(const char *path)
{
    int offset = fdt_path_offset(fdt, path);
    assert_true(offset >= 0);
    return offset;
}

static void assert_property(const char *path, const char *name, const void *data, size_t size)
{
    int length;
    const void *found = fdt_getprop(fdt, node(path), name, &length);
    assert_non_null(found);
    assert_int_equal(length, size);
    assert_memory_equal(found, data, size);
}

static void assert_text(const char *path, const char *name, const char *text)
{
    assert_property(path, name, text, strlen(text) + 1);
}

static void assert_cell(const char *path, const char *name, uint32_t value)
{
    fdt32_t cell = cpu_to_fdt32(value);
    assert_property(path, name, &cell, sizeof(cell));
}

static void assert_absent(const char *path, const char *name)
{
    assert_null(fdt_getprop(fdt, node(path), name, NULL));
}

// ---- What it says ----

static void root(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    build(&tree);
    assert_text("/", "model", "Diosix capsule debian");
    assert_property("/", "compatible", "diosix,capsule\0riscv-virtio", 28);
    assert_text("/aliases", "serial0", "/soc/serial@10000000");
    assert_property("/memory@80000000", "reg", "\0\0\0\0\x80\0\0\0\0\0\0\0\x10\0\0\0", 16);
}

static void chosen(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    build(&tree);
    assert_text("/chosen", "bootargs", "console=ttyS0");
    assert_text("/chosen", "stdout-path", "/soc/serial@10000000");
    assert_property("/chosen", "linux,initrd-start", "\0\0\0\0\x8f\0\0\0", 8);
    assert_property("/chosen", "linux,initrd-end", "\0\0\0\0\x8f\x12\x34\x56", 8);
    assert_property("/chosen", "rng-seed", seed, sizeof(seed));
}

static void chosen_without_options(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    tree.initrd_end = tree.initrd_start;
    tree.bootargs = "";
    build(&tree);
    assert_absent("/chosen", "bootargs");
    assert_absent("/chosen", "linux,initrd-start");
    tree.bootargs = NULL;
    build(&tree);
    assert_absent("/chosen", "bootargs");
}

static void cpus(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    build(&tree);
    assert_cell("/cpus", "timebase-frequency", 10000000);
    assert_text("/cpus/cpu@1", "device_type", "cpu");
    assert_text("/cpus/cpu@1", "compatible", "riscv");
    assert_text("/cpus/cpu@1", "status", "okay");
    assert_text("/cpus/cpu@1", "mmu-type", "riscv,sv57");
    assert_cell("/cpus/cpu@1", "reg", 1);
    assert_text("/cpus/cpu@1", "riscv,isa", isa_text);
    assert_text("/cpus/cpu@1", "riscv,isa-base", "rv64i");
    assert_property("/cpus/cpu@1", "riscv,isa-extensions", isa_list, sizeof(isa_list));
    assert_cell("/cpus/cpu@1", "riscv,cbom-block-size", 64);
    assert_text("/cpus/cpu@1/interrupt-controller", "compatible", "riscv,cpu-intc");
    assert_cell("/cpus/cpu-map/cluster0/core1", "cpu", fdt_get_phandle(fdt, node("/cpus/cpu@1")));
}

static void block_sizes_need_their_extension(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    isa_remove(&isa, ISA_ZICBOZ);
    tree.cbop_size = 0;
    build(&tree);
    assert_cell("/cpus/cpu@0", "riscv,cbom-block-size", 64);
    assert_absent("/cpus/cpu@0", "riscv,cbop-block-size");
    assert_absent("/cpus/cpu@0", "riscv,cboz-block-size");
}

static void rv32(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    isa.xlen = 32;
    build(&tree);
    assert_text("/cpus/cpu@0", "riscv,isa-base", "rv32i");
}

static void plic_contexts_count_as_on_virt(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    build(&tree);
    fdt32_t cells[8];
    for (unsigned vcore = 0; vcore < 2; vcore++) {
        char path[64];
        snprintf(path, sizeof(path), "/cpus/cpu@%u/interrupt-controller", vcore);
        cells[4 * vcore] = cells[4 * vcore + 2] = cpu_to_fdt32(fdt_get_phandle(fdt, node(path)));
        cells[4 * vcore + 1] = cpu_to_fdt32(0xffffffff);
        cells[4 * vcore + 3] = cpu_to_fdt32(9);
    }
    assert_property("/soc/plic@c000000", "interrupts-extended", cells, sizeof(cells));
    assert_cell("/soc/plic@c000000", "riscv,ndev", 95);
    assert_property("/soc/plic@c000000", "reg", "\0\0\0\0\x0c\0\0\0\0\0\0\0\0\x20\x40\0", 16);
    assert_cell("/soc/serial@10000000", "interrupt-parent", fdt_get_phandle(fdt, node("/soc/plic@c000000")));
}

// The same properties with the same values, phandles apart.
static void assert_as_on_virt(const void *virt, const char *path, const char *const *names)
{
    for (; *names; names++) {
        int length;
        const void *data = fdt_getprop(virt, fdt_path_offset(virt, path), *names, &length);
        assert_non_null(data);
        assert_property(path, *names, data, (size_t)length);
    }
}

static void devices_are_as_on_virt(void **state)
{
    (void)state;
    static const char *const uart[] = {"compatible", "reg", "interrupts", "clock-frequency", NULL};
    static const char *const plic[] = {"compatible",           "#interrupt-cells", "#address-cells",
                                       "interrupt-controller", "riscv,ndev",       NULL};
    static const char *const test[] = {"compatible", "reg", NULL};
    static const char *const syscon[] = {"compatible", "offset", "value", NULL};
    static const char *const soc[] = {"compatible", "ranges", "#address-cells", "#size-cells", NULL};
    void *virt = dts_file("tests/unit/machines/virt.dts");
    struct guest_tree tree = usual();
    build(&tree);
    assert_as_on_virt(virt, "/soc", soc);
    assert_as_on_virt(virt, "/soc/serial@10000000", uart);
    assert_as_on_virt(virt, "/soc/plic@c000000", plic);
    assert_as_on_virt(virt, "/soc/test@100000", test);
    assert_as_on_virt(virt, "/poweroff", syscon);
    assert_as_on_virt(virt, "/reboot", syscon);
    assert_cell("/poweroff", "regmap", fdt_get_phandle(fdt, node("/soc/test@100000")));
    free(virt);
}

static void devices_can_be_missing(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    tree.finisher = gpa(0);
    build(&tree);
    assert_int_equal(fdt_path_offset(fdt, "/poweroff"), -FDT_ERR_NOTFOUND);
    assert_int_equal(fdt_path_offset(fdt, "/soc/test@100000"), -FDT_ERR_NOTFOUND);
    tree.plic = gpa(0);
    build(&tree);
    assert_absent("/soc/serial@10000000", "interrupts");
    tree.uart = gpa(0);
    build(&tree);
    assert_absent("/chosen", "stdout-path");
    assert_int_equal(fdt_path_offset(fdt, "/aliases"), -FDT_ERR_NOTFOUND);
}

static void device_addresses_are_the_capsules(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    tree.uart = gpa(0x40001000);
    tree.ram_base = gpa(UINT64_C(0x123400000));
    build(&tree);
    assert_int_equal(node("/memory@123400000") > 0, 1);
    assert_property("/soc/serial@40001000", "reg", "\0\0\0\0\x40\0\x10\0\0\0\0\0\0\0\1\0", 16);
    assert_text("/chosen", "stdout-path", "/soc/serial@40001000");
    assert_text("/aliases", "serial0", "/soc/serial@40001000");
}

// ---- That it is sound ----

static void assert_no_warnings(const struct guest_tree *tree)
{
    char path[32], command[128];
    size_t size;
    build(tree);
    dts_save(fdt, fdt_size, path);
    snprintf(command, sizeof(command), "dtc -I dtb -O dtb -o /dev/null %s 2>&1; echo end", path);
    char *output = dts_output(command, &size);
    remove(path);
    assert_int_equal(size, 4);
    assert_memory_equal(output, "end\n", 4);
    free(output);
}

static void dtc_has_nothing_to_say(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    assert_no_warnings(&tree);
    tree.vcores = GUEST_TREE_VCORES_MAX;
    assert_no_warnings(&tree);
    tree.vcores = 1;
    tree.uart = gpa(0x40001000);
    tree.plic = tree.finisher = gpa(0);
    assert_no_warnings(&tree);
}

static void largest_tree_fits(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    char bootargs[2048];
    memset(bootargs, 'x', sizeof(bootargs));
    bootargs[sizeof(bootargs) - 1] = 0;
    tree.bootargs = bootargs;
    tree.name = "abcdefghijklmnopqrstuvwxyz-0123";
    for (unsigned i = 0; i < ISA_COUNT; i++)
        isa_add(&isa, (enum isa_extension)i);
    for (tree.vcores = 1; tree.vcores <= GUEST_TREE_VCORES_MAX; tree.vcores++)
        build(&tree);
}

static void every_smaller_buffer_is_refused(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    build(&tree);
    size_t whole = fdt_size;
    for (size_t size = 0; size < whole; size++)
        assert_int_equal(build_into(&tree, size), STATUS_NO_MEMORY);
    assert_int_equal(build_into(&tree, GUEST_TREE_SIZE(2)), STATUS_OK);
}

// As U-Boot does: it copies as many bytes as the tree says it has, and adds to the copy.
static void boot_loaders_can_add_to_it(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    build(&tree);
    char added[GUEST_TREE_SLACK / 2] = {1};
    assert_int_equal(fdt_setprop(fdt, node("/chosen"), "added", added, sizeof(added)), 0);
    assert_property("/chosen", "added", added, sizeof(added));
    assert_int_equal(fdt_check_full(fdt, fdt_size), 0);
}

static void impossible_capsules_are_refused(void **state)
{
    (void)state;
    struct guest_tree tree = usual();
    tree.vcores = 0;
    assert_int_equal(build_into(&tree, 65536), STATUS_INVALID);
    tree.vcores = GUEST_TREE_VCORES_MAX + 1;
    assert_int_equal(build_into(&tree, 65536), STATUS_INVALID);
    tree = usual();
    tree.ram_size = 0;
    assert_int_equal(build_into(&tree, 65536), STATUS_INVALID);
    tree = usual();
    tree.name = "a-name-of-more-than-31-characters";
    assert_int_equal(build_into(&tree, 65536), STATUS_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tree_drop)
    const struct CMUnitTest tests[] = {
        TEST(root),
        TEST(chosen),
        TEST(chosen_without_options),
        TEST(cpus),
        TEST(block_sizes_need_their_extension),
        TEST(rv32),
        TEST(plic_contexts_count_as_on_virt),
        TEST(devices_are_as_on_virt),
        TEST(devices_can_be_missing),
        TEST(device_addresses_are_the_capsules),
        TEST(dtc_has_nothing_to_say),
        TEST(largest_tree_fits),
        TEST(boot_loaders_can_add_to_it),
        TEST(every_smaller_buffer_is_refused),
        TEST(impossible_capsules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
