// One misbehaviour each. They run on every hart but the first, which ends the capsule after a
// while; with a single hart they must come to an end themselves.
#pragma once

#include "test.h"

struct attack {
    const char *name;
    void (*once)(void);      // on the first hart, and ends by itself
    void (*forever)(void *); // on every other hart, until the capsule ends
};

extern volatile bool attack_over; // time is up: those who can should return
uint64_t attack_random(void);
// True if the address is the capsule's own memory or one of its devices.
bool attack_is_mine(uint64_t address, uint64_t size);

void jump_nowhere(void), csr_scan(void), mmio_scan(void), memory_probe(void), pte_wild(void), stack_bomb(void);
void reboot_now(void), virtio_wild(void);
void virtio_storm(void *);
void spin(void *), ipi_flood(void *), fence_flood(void *), wild_sbi(void *), dbcn_wild(void *), wfi_storm(void *);
void hsm_storm(void *), console_flood(void *), trap_loop(void *), jump_loop(void *), mmio_flood(void *);
void pte_unmap_mmio(void *), self_modify(void *), timer_storm(void *), sleep_forever(void *);
