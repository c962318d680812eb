// From the first C instruction to the first guest: know the machine, place everything, start all harts.
#include <libfdt.h>
#include <string.h>

#include "area.h"
#include "bits.h"
#include "bundle.h"
#include "capsule.h"
#include "clint.h"
#include "console.h"
#include "csr.h"
#include "frames.h"
#include "log.h"
#include "machine.h"
#include "manage.h"
#include "memory_map.h"
#include "options.h"
#include "plic.h"
#include "power.h"
#include "sbi.h"
#include "uart.h"
#include "uplink.h"
#include "virtio_nic.h"
#include "virtio_rng.h"

#define SLICE_MILLISECONDS 4

extern struct hart **volatile boot_ready; // entry.S: what the other harts wait for
extern uint8_t image_start[], image_end[];

static struct machine machine;
static struct bundle bundle;
static struct options options;
static struct hart *boot_table[HARTS_MAX + 1];
static uint64_t ram_out_of_reach; // bytes

struct hart_area boot_area __attribute__((aligned(AREA_SIZE)));
_Static_assert(offsetof(struct hart_area, own_stack) + 2048 <= AREA_SIZE, "own traps need a stack");

void boot_main(unsigned long hart_id, const void *tree);
void boot_secondary(void);

// --- stopping --------------------------------------------------------------------------------------

_Noreturn void panic_stop(void)
{
    harts_stop_others();
    power_off(false);
}

static _Noreturn void boot_stop(void)
{
    console_flush();
    power_off(false);
}

// What was found before the refusal serves to say so. If the tree did not lead to a serial port: the place
// where most boards, and QEMU's virt, have it.
static _Noreturn void machine_refused(const struct machine_error *why)
{
    static const struct uart_config usual = {.kind = UART_16550, .base = 0x10000000, .reg_io_width = 1};
    uart_init(machine.uart.kind == UART_NONE ? &usual : &machine.uart);
    power_init(&machine.power);
    log_error("can't run on this machine: %s%s%s", why->node, why->node[0] ? ": " : "", why->text);
    boot_stop();
}

// --- harts ------------------------------------------------------------------------------------------------

static void area_init(struct hart_area *area, unsigned index)
{
    struct hart *h = &area->hart;

    h->index = index;
    h->stack_top = (uintptr_t)&area->hart;
    h->own_stack_top = (uintptr_t)area + AREA_SIZE;
    h->isolation = &area->isolation;
    h->armed = 0;
    sched_hart_init(h, &area->queue);
    harts[index] = h;
}

static void hart_describe(struct hart *h, const struct machine_hart *from)
{
    h->id = (unsigned long)from->id;
    h->msip = from->msip;
    h->mtimecmp = from->mtimecmp;
    h->plic_context = from->plic_context;
}

static size_t harts_wanted(void)
{
    return machine.hart_count < HARTS_MAX ? machine.hart_count : HARTS_MAX;
}

static void hart_number(struct hart *h, unsigned index, const struct machine_hart *from)
{
    h->index = index;
    harts[index] = h;
    hart_describe(h, from);
}

// Numbered as the tree lists them, whichever boots: people name harts by their numbers. If there are too many,
// the boot hart is among those that are taken.
static void harts_create(unsigned long boot_id)
{
    bool boot_seen = false;
    unsigned next = 0;

    for (size_t i = 0; i < machine.hart_count && next < HARTS_MAX; i++) {
        const struct machine_hart *from = &machine.harts[i];
        struct hpa area;
        if (from->id == boot_id) {
            hart_number(&boot_area.hart, next++, from);
            boot_seen = true;
            continue;
        }
        if (!boot_seen && next == HARTS_MAX - 1)
            continue;
        if (frames_allocate(AREA_ORDER, FRAMES_OWNER_HYPERVISOR, &area) != STATUS_OK)
            panic("no memory for %zu harts", machine.hart_count);
        memset(hpa_pointer(area), 0, AREA_SIZE);
        area_init(hpa_pointer(area), next);
        hart_number(harts[next], next, from);
        next++;
    }
    harts_count = next;
}

static void hart_init(struct hart *h)
{
    struct hart_area *area = container_of(h, struct hart_area, hart);

    h->own_depth = 0;
    isolation_hart_init(h, (struct range){hpa_of(area->guard).value, sizeof(area->guard)});
    mmio_write32(h->msip, 0);
    h->armed = TIME_NEVER;
    clint_set_timer(h->mtimecmp, TIME_NEVER);
    if (machine.plic.base && h->plic_context != MACHINE_NO_CONTEXT)
        plic_hart_init(h->plic_context);
}

void boot_secondary(void)
{
    hart_init(this_hart());
    hart_run();
}

static void harts_release(void)
{
    for (unsigned i = 0; i < harts_count; i++)
        boot_table[i] = harts[i];
    atomic_thread_fence(memory_order_seq_cst);
    boot_ready = boot_table;
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < harts_count; i++)
        if (harts[i] != this_hart())
            mmio_write32(harts[i]->msip, 1);
}

// --- the machine, the bundle ---------------------------------------------------------------------------------

static void slots_probe(const char *what, void (*probe)(const struct virtio_slot *slot, const char **problem))
{
    const char *problem;

    for (size_t i = 0; i < machine.virtio_count; i++) {
        probe(&machine.virtio[i], &problem);
        if (problem)
            log_error("virtio %s at 0x%llx is not used: %s", what, (unsigned long long)machine.virtio[i].base, problem);
    }
}

static void entropy_gather(const void *tree)
{
    int size, chosen = fdt_path_offset(tree, "/chosen");
    const void *seed = chosen < 0 ? NULL : fdt_getprop(tree, chosen, "rng-seed", &size);

    if (seed)
        entropy_mix(seed, (size_t)size);
    for (unsigned i = 0; i < 16; i++) {
        unsigned long word = 0;
        // Zkr: 16 bits at a time, valid when OPST (bits 31:30) is 2. A write is part of the access.
        if (isa_has(&machine.isa, ISA_ZKR))
            __asm__ volatile("csrrw %0, 0x015, zero" : "=r"(word));
        entropy_mix(&word, sizeof(word));
    }
    slots_probe("entropy device", virtio_rng_probe);
    if (virtio_rng_count) {
        entropy_mix(virtio_rng_bytes, virtio_rng_count);
        log_info("the machine's entropy device gave %u bytes", virtio_rng_count);
    }
    memset(virtio_rng_bytes, 0, sizeof(virtio_rng_bytes));
}

static enum isolation_kind isolation_of(enum bundle_isolation wanted)
{
    if (wanted == BUNDLE_ISOLATION_AUTO)
        wanted = options.isolation;
    switch (wanted) {
    case BUNDLE_ISOLATION_GSTAGE:
        return ISOLATION_GSTAGE;
    case BUNDLE_ISOLATION_PMP:
        return ISOLATION_PMP;
    default:
        return isolation_features.hypervisor ? ISOLATION_GSTAGE : ISOLATION_PMP;
    }
}

static void facts_gather(void)
{
    struct machine_facts *f = &machine_facts;

    isa_guest_filter(&machine.isa, &f->guest_isa);
    isolation_guest_isa(&f->guest_isa);
    f->mmu_type = machine.mmu_type;
    f->timebase_hz = machine.timebase_hz;
    f->cbom_size = machine.cbom_size;
    f->cbop_size = machine.cbop_size;
    f->cboz_size = machine.cboz_size;
    f->verify = options.verify;
    f->isolation = isolation_of(BUNDLE_ISOLATION_AUTO);
    f->model = machine.model;
}

static bool bundle_read(void)
{
    struct bundle_error why = {0};

    if (machine.bundle.size == 0) {
        log_error("no bundle: the loader gave no initrd (QEMU: -initrd BUNDLE; make one with ./dio pack)");
        return false;
    }
    if (bundle_open(hpa_pointer(hpa(machine.bundle.start)), (size_t)machine.bundle.size, &bundle, &why) == STATUS_OK)
        return true;
    log_error("%s: %s", why.field, why.text);
    return false;
}

static void greet(const struct memory_needs *needs)
{
    uint64_t total = frames_total_bytes();

    log_info("Diosix on %s: %u hart%s, %u MiB RAM, %u MiB of it free", machine.model, harts_count,
             harts_count == 1 ? "" : "s", (unsigned)(total >> 20), (unsigned)(frames_free_bytes() >> 20));
    log_info("isolation: %s for capsules that leave the choice (%s)",
             isolation_of(BUNDLE_ISOLATION_AUTO) == ISOLATION_GSTAGE ? "gstage" : "pmp",
             options.isolation != BUNDLE_ISOLATION_AUTO ? "as asked"
             : isolation_features.hypervisor            ? "the harts have the H extension"
                                                        : "the harts lack the H extension");
    log_info("own memory: image %u KiB, frame table %u KiB, harts and capsules %u KiB",
             (unsigned)((image_end - image_start) >> 10),
             (unsigned)(frames_table_size(machine.ram, machine.ram_count) >> 10),
             (unsigned)((needs->hypervisor + needs->tables) >> 10));
    if (ram_out_of_reach)
        log_info("%u MiB of RAM above 4 GiB are left unused: RV32 can't address them",
                 (unsigned)(ram_out_of_reach >> 20));
    for (size_t i = 0; i < machine.note_count; i++)
        log_info("%s: %s", machine.notes[i].node, machine.notes[i].text);
    for (size_t i = 0; i < options.bad_count; i++)
        log_error("option %.*s: %s", (int)options.bad[i].length, options.bad[i].word, options.bad[i].text);
}

// The bundle, not the console, is asked: a capsule that could not be started has said so itself.
static void attached_check(void)
{
    for (size_t i = 0; i < bundle.count; i++)
        if (options.console != OPTIONS_ATTACHED || !strcmp(bundle.capsules[i].name, options.attach))
            return;
    log_error("option console=attach:%s: there is no such capsule, so all are shown", options.attach);
}

static void capsules_launch(void)
{
    for (size_t i = 0; i < bundle.count; i++) {
        struct bundle_capsule *c = &bundle.capsules[i];
        if (options.verify && c->status == STATUS_OK && bundle_verify(&bundle, c) != STATUS_OK)
            log_debug("%s: images not verified", c->name);
        capsule_launch(c);
    }
    attached_check();
    console_attach();
    capsules_launched();
}

// Disks, of use or not.
static uint64_t disks_memory(void)
{
    const char *problem;
    uint64_t bytes = 0;

    for (size_t i = 0; i < machine.virtio_count; i++)
        if (virtio_slot_holds(&machine.virtio[i], VIRTIO_ID_BLOCK, &problem))
            bytes += VIRTIO_DISK_MEMORY;
    return bytes;
}

static void memory_needs(struct memory_needs *needs)
{
    uint64_t ram = 0;

    for (size_t i = 0; i < machine.ram_count; i++)
        ram += machine.ram[i].size;
    *needs = (struct memory_needs){.hypervisor = harts_wanted() * AREA_SIZE + 64 * 1024 + disks_memory()};
    if (bundle.wants_uplink)
        needs->hypervisor += VIRTIO_NIC_MEMORY;
    for (size_t i = 0; i < bundle.count; i++) {
        const struct bundle_capsule *c = &bundle.capsules[i];
        // One that asks for more than there is will be refused, and must not crowd out the others.
        if (c->status != STATUS_OK || c->memory > ram)
            continue;
        needs->vcores += c->vcores;
        needs->capsules++;
        needs->hypervisor += capsule_cost(c);
        if (c->wants_host_disk)
            needs->hypervisor += BUNDLE_DEVICES_MAX * BLOCK_BUFFER_SIZE;
        if (isolation_of(c->isolation) == ISOLATION_GSTAGE)
            needs->tables += isolation_table_bytes(c->memory);
        else
            needs->runs[needs->run_count++] = c->memory;
    }
}

static bool is_routed(const struct hart *h, uint32_t irq)
{
    return h->plic_context != MACHINE_NO_CONTEXT && plic_enable(irq, h->plic_context, 1);
}

// What is in the slots is to be found before capsules are made; those that none of them has may be another's later.
static void disks_start(const struct hart *h)
{
    slots_probe("disk", virtio_disk_probe);
    for (unsigned i = 0; i < block_count; i++) {
        const struct block_disk *d = block_disks[i];
        bool routed = is_routed(h, d->irq);
        log_info("disk '%s': %u MiB%s%s", d->serial, (unsigned)(d->sectors >> 11), d->is_readonly ? ", read-only" : "",
                 routed ? "" : ", which can't interrupt: it won't be of use");
    }
}

// Only if a switch wants one.
static void uplink_start(const struct hart *h)
{
    if (!bundle.wants_uplink)
        return;
    slots_probe("network device", virtio_nic_probe);
    if (nic_first && is_routed(h, nic_first->irq))
        uplink_init(nic_first);
}

static void interrupts_start(struct hart *h)
{
    bool routed = machine.plic.base && machine.uart.irq && is_routed(h, machine.uart.irq);
    console_start(routed);
}

static const void *machine_know(const void *tree)
{
    struct machine_error why = {0};
    struct range image = {hpa_of(image_start).value, (uint64_t)(image_end - image_start)};

    if (machine_discover(tree, &machine, &why) != STATUS_OK)
        machine_refused(&why);
    uart_init(&machine.uart);
    power_init(&machine.power);
    clint_init(&machine.clint);
    options_parse(machine.bootargs, &options);
    log_level_set(options.log);
    if (machine_check_image(&machine, image, &why) != STATUS_OK)
        machine_refused(&why);
#if XLEN == 32
    ram_out_of_reach = machine_trim_ram(&machine, 1ULL << 32);
#endif
    return tree;
}

void boot_main(unsigned long hart_id, const void *tree)
{
    struct memory_needs needs;

    area_init(&boot_area, 0);
    harts_count = 1;
    boot_area.hart.id = hart_id;
    machine_know(tree);
    isolation_probe(&machine.isa);
    hart_time_init(isolation_features.time_csr, machine.clint.mtime);
    world_set_time_origin(hart_time());
    console_init(options.console == OPTIONS_ATTACHED ? options.attach : NULL, machine.timebase_hz);
    bool has_bundle = bundle_read();
    memory_needs(&needs);
    tree = memory_place(&machine, &needs, tree, options.scrub);
    // Tree and bundle may have moved, and all that was read from them points into them.
    machine_know(tree);
    has_bundle = has_bundle && bundle_read();
    if (machine.plic.base)
        plic_init(&machine.plic);
    facts_gather();
    entropy_gather(tree);
    sched_init((uint64_t)machine.timebase_hz * SLICE_MILLISECONDS / 1000);
    sbi_sta_init(machine.timebase_hz);
    harts_create(hart_id);
    capsules_init();
    manage_init(&bundle);
    hart_init(this_hart());
    greet(&needs);
    if (!has_bundle)
        boot_stop();
    interrupts_start(this_hart());
    disks_start(this_hart());
    uplink_start(this_hart());
    harts_release();
    capsules_launch();
    hart_run();
}
