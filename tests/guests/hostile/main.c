// A capsule that means harm, to nobody but itself: attack= names how, seconds= how long.
#include "hostile.h"

#include <string.h>

volatile bool attack_over;

static const struct attack attacks[] = {
    {"jump", jump_nowhere, jump_loop},
    {"spin", NULL, spin},
    {"ipi-flood", NULL, ipi_flood},
    {"fence-flood", NULL, fence_flood},
    {"wild-sbi", NULL, wild_sbi},
    {"dbcn-wild", NULL, dbcn_wild},
    {"pte-unmap-mmio", pte_wild, pte_unmap_mmio},
    {"self-modify", NULL, self_modify},
    {"csr-scan", csr_scan, NULL},
    {"mmio-scan", mmio_scan, mmio_flood},
    {"wfi-storm", NULL, wfi_storm},
    {"timer-storm", NULL, timer_storm},
    {"hsm-storm", NULL, hsm_storm},
    {"console-flood", NULL, console_flood},
    {"stack-bomb", stack_bomb, NULL},
    {"trap-loop", NULL, trap_loop},
    {"memory-probe", memory_probe, NULL},
    {"reboot-loop", reboot_now, NULL},
    {"sleep", NULL, sleep_forever},
    {"virtio", virtio_wild, virtio_storm},
};

uint64_t attack_random(void)
{
    static uint64_t seeds[HARTS_MAX];
    uint64_t *seed = &seeds[hart_self()->index];
    if (!*seed)
        *seed = 0x9e3779b97f4a7c15ull * (hart_self()->index + 1);
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static bool overlaps(uint64_t base, uint64_t bytes, uint64_t address, uint64_t size)
{
    return address < base + bytes && base < address + size;
}

bool attack_is_mine(uint64_t address, uint64_t size)
{
    const struct tree_device *devices[] = {&tree.uart, &tree.plic, &tree.finisher};
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (overlaps(devices[i]->base, (devices[i]->size + 4095) & ~4095ull, address, size))
            return true;
    return overlaps(tree.ram_base, tree.ram_size, address, size) || overlaps(0x10001000, 0x8000, address, size);
}

static void attack_run(const struct attack *a)
{
    unsigned long seconds = tree_number("seconds", 2);
    for (unsigned i = 1; i < harts_online && a->forever; i++)
        hart_run(&harts[i], a->forever, &harts[i]);
    if (a->once)
        a->once();
    if (a->forever)
        (void)!wait_for(false, seconds * 1000);
    attack_over = true;
}

int payload_main(void)
{
    char wanted[24] = "spin";
    tree_option("attack", wanted, sizeof wanted);
    harts_start();
    print("ATTACK %s, %u harts\n", wanted, harts_online);
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++)
        if (!strcmp(attacks[i].name, wanted)) {
            attack_run(&attacks[i]);
            print("RESULT hostile: %s done\n", wanted);
            return REASON_NONE;
        }
    print("FAIL hostile: no such attack\n");
    return REASON_FAILURE;
}
