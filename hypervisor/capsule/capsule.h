// Capsules as wholes: made from the bundle's descriptions, brought to life, ended, restarted.
#pragma once

#include "bundle.h"
#include "machine_facts.h"
#include "vcore.h"

// Once, after frames and isolation are ready.
void capsules_init(void);
// Bytes of hypervisor memory that a capsule takes, its second-stage table apart.
uint64_t capsule_cost(const struct bundle_capsule *plan);

// Makes a capsule of the description and lets it load and start on whatever hart is free. On failure a
// line says why, nothing is kept, and the machine's end will count as failure.
void capsule_launch(const struct bundle_capsule *from);
// All capsules have been launched: from now on the machine ends with the last of them.
void capsules_launched(void);

// run.c: what a hart does for the rest of its days.
_Noreturn void hart_run(void);
struct context *hart_exit(struct context *c, unsigned long exit);

// life.c: how a life's entity goes on after a step.
struct life_step {
    enum put put;
    uint64_t deadline; // for PUT_WAITING
    bool gone;         // it does not: capsule_life_gone() ends it once it is put
};

// One bounded step.
struct life_step capsule_life_step(struct capsule *c);
// Gives back all that the capsule has left. Nobody else knows it any more.
void capsule_life_gone(struct capsule *c);
// A vcore of a capsule will not run again unless started, or let go.
void capsule_vcore_parked(struct capsule *c);
// Its devices' worker likewise.
void capsule_worker_parked(struct capsule *c);
