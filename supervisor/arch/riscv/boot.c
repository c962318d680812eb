// How the supervisor begins on RISC-V: on one hart, everything in the order in which it is needed.
#include <string.h>

#include "board.h"
#include "cpu.h"
#include "csr.h"
#include "entropy.h"
#include "frames.h"
#include "print.h"
#include "sbi.h"
#include "tables.h"
#include "tree.h"

#define POLLS_PER_SECOND 50

_Noreturn void boot(uintptr_t hart, uintptr_t tree_address);

extern char image_start[], image_end[];

static struct machine machine;
static struct tree tree;

// For what this machine must have.
static void need(bool is_there, const char *what)
{
    if (is_there)
        return;
    print_now("supervisor: can't run here: %s", what);
    sbi_power(false, true);
}

// What physical_pointer() reaches.
static struct range view(void)
{
    return (struct range){(uintptr_t)(KERNEL_BASE - direct_offset), KERNEL_SPAN};
}

static struct range range_common(struct range a, struct range b)
{
    uint64_t start = a.start > b.start ? a.start : b.start,
             end = range_end(a) < range_end(b) ? range_end(a) : range_end(b);
    return (struct range){start, end > start ? end - start : 0};
}

static void tree_open(uintptr_t hart, uintptr_t address)
{
    need(range_contains(view(), address, FRAME_SIZE), "the device tree lies where the kernel has no view of memory");
    const void *blob = physical_pointer(address);
    const char *wrong = tree_read(blob, hart, &tree);
    need(!wrong, wrong);
    tree_reserve(&tree, (struct range){address, tree_size(blob)});
    tree_reserve(&tree, (struct range){physical_address(image_start), (uint64_t)(image_end - image_start)});
}

// RAM that is in view and not used for something.
static void memory_init(void)
{
    static struct range usable[TREE_RANGES_MAX * 4], seen[TREE_RANGES_MAX];
    unsigned count = tree_usable(&tree, view(), usable, array_length(usable)), seen_count = 0;
    uint64_t beyond = 0, low = UINT64_MAX, high = 0;

    need(count, "no RAM is left for programs");
    for (unsigned i = 0; i < tree.ram_count; i++) {
        struct range r = range_common(tree.ram[i], view());
        beyond += tree.ram[i].size - r.size;
        if (r.size)
            seen[seen_count++] = r;
    }
    for (unsigned i = 0; i < count; i++) {
        low = usable[i].start < low ? usable[i].start : low;
        high = range_end(usable[i]) > high ? range_end(usable[i]) : high;
    }
    if (beyond)
        log_info("%llu MiB of RAM stay unused: out of the kernel's reach", (unsigned long long)(beyond >> 20));
    need(frames_init((struct range){low, high - low}, usable, count) == STATUS_OK &&
             kernel_tables_make(seen, seen_count) == STATUS_OK,
         "too little RAM");
}

static void harts_find(uintptr_t hart)
{
    if (tree.harts_left_out)
        log_info("%u harts stay unused: %u is the most", tree.harts_left_out, HARTS_MAX);
    if (tree.hart_count > 1 && !sbi_has(SBI_HSM)) {
        log_error("the firmware can't start other harts (no HSM)");
        tree.hart_count = 1;
    }
    cpu_count = tree.hart_count;
    cpu_all = (1u << cpu_count) - 1;
    for (unsigned i = 0; i < cpu_count; i++)
        cpu_prepare(i, i ? tree.harts[i] : hart);
}

static void machine_describe(void)
{
    machine.harts = cpu_count;
    machine.ticks_per_second = tree.ticks_per_second;
    if (tree.archive.size && range_contains(view(), tree.archive.start, tree.archive.size)) {
        machine.archive = physical_pointer(tree.archive.start);
        machine.archive_size = (size_t)tree.archive.size;
    }
    memcpy(machine.interrupts, tree.interrupts, sizeof(machine.interrupts));
    machine.is_on_diosix = sbi_has(SBI_DIOSIX);
    machine.beneath = sbi_name();
    machine.options = tree.options;
    machine.seed_bits = entropy_gather(&tree, machine.seed);
}

_Noreturn void boot(uintptr_t hart, uintptr_t tree_address)
{
    sbi_init();
    tree_open(hart, tree_address);
    harts_find(hart);
    memory_init();
    csr_write(CSR_SATP, kernel_satp());
    __asm__ volatile("sfence.vma" ::: "memory");
    spaces_init();
    bool has_input = board_init(&tree);
    need(tree.has_sstc || sbi_has(SBI_TIME), "no timer: neither Sstc nor SBI's");
    need(cpu_count == 1 || (sbi_has(SBI_IPI) && sbi_has(SBI_RFENCE)), "no SBI calls that reach other harts");
    machine_describe();
    cpus_set_timer(tree.has_sstc);
    if (!has_input)
        cpu_poll_console(tree.ticks_per_second / POLLS_PER_SECOND);
    kernel_boot(&machine);
    cpus_start();
    cpu_run();
}

_Noreturn void arch_power(bool reboot)
{
    sbi_power(reboot, false);
}

unsigned arch_console_write(const char *bytes, unsigned size)
{
    return sbi_console_write(bytes, size);
}

bool arch_hypervisor_call(sv_word function, const sv_word argument[6], sv_word *value)
{
    struct sbi_result r = sbi_call(SBI_DIOSIX, function, argument);

    *value = r.error ? (sv_word)r.error : r.value;
    return !r.error;
}

// RISC-V ELF psABI, "Relocations": 32, 64, RELATIVE, JUMP_SLOT; 6 to 11 are of thread-local storage, 12 of its
// descriptors.
enum relocation arch_relocation(uint32_t type)
{
    static const uint8_t kinds[] = {
        RELOCATION_NONE,    sizeof(sv_word) == 8 ? RELOCATION_SYMBOL_32 : RELOCATION_SYMBOL,
        RELOCATION_SYMBOL,  RELOCATION_BASE,
        RELOCATION_UNKNOWN, RELOCATION_SYMBOL,
        RELOCATION_TLS,     RELOCATION_TLS,
        RELOCATION_TLS,     RELOCATION_TLS,
        RELOCATION_TLS,     RELOCATION_TLS,
        RELOCATION_TLS,
    };
    if (type == 2 && sizeof(sv_word) == 4)
        return RELOCATION_UNKNOWN;
    return type < array_length(kinds) ? (enum relocation)kinds[type] : RELOCATION_UNKNOWN;
}
