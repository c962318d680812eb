// What guests are told of the machine, gathered once at boot.
#pragma once

#include "isa.h"
#include "isolation.h"
#include "types.h"

struct machine_facts {
    struct isa guest_isa;
    const char *mmu_type;
    uint32_t timebase_hz;
    uint32_t cbom_size, cbop_size, cboz_size;
    bool verify;
    enum isolation_kind isolation; // of capsules that leave the choice
    const char *model;             // of the machine
};
extern struct machine_facts machine_facts;

// entropy.c: bytes for a guest's rng-seed, fresh each time. `mix` adds what the machine offers.
void entropy_mix(const void *data, size_t size);
void entropy_draw(uint8_t *out, size_t size);
