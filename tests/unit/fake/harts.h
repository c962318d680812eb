// Harts with H for tests of several at once: CSRs, timers, mailboxes and worlds, as far as interrupts go.
#pragma once

#include "explore.h"

#include "vcore.h"

#define FAKE_HARTS 4u
#define FAKE_ORIGIN 500ULL // host time when the guests' begins

struct fake_hart {
    struct hart hart;
    struct queue queue;
    unsigned long csr[4096];
    uint32_t msip;
    uint64_t mtimecmp;
    const struct world *loaded;
};

extern struct fake_hart fake_harts[FAKE_HARTS];
extern uint64_t fake_now;
extern bool fake_done; // harts are to end the run wherever they hold no lock

void fake_harts_create(unsigned count, bool sstc);
struct fake_hart *fake_here(void);
void fake_time_pass(void);
bool fake_is_loaded(const struct world *w); // anywhere
