// Capsules as wholes: made from the bundle's descriptions, brought to life, ended, restarted.
#pragma once

#include "bundle.h"
#include "machine_facts.h"
#include "vcore.h"

// Once, after frames and isolation are ready, with the most capsules and vcores there can be.
void capsules_init(size_t capsules_max, size_t vcores_max);
// Bytes of hypervisor memory that a capsule of this many vcores takes, its second-stage table apart.
uint64_t capsule_cost(unsigned vcores);

// Makes a capsule of the description and lets it load and start on whatever hart is free. On failure a
// line says why, nothing is kept, and the machine's end will count as failure.
void capsule_launch(const struct bundle_capsule *from, enum isolation_kind isolation);
// All capsules have been launched: from now on the machine ends with the last of them.
void capsules_launched(void);

// run.c: what a hart does for the rest of its days.
_Noreturn void hart_run(void);
struct context *hart_exit(struct context *c, unsigned long exit);

// life.c: one bounded step; how the entity goes on, and until when it waits.
enum put capsule_life_step(struct capsule *c, uint64_t *deadline);
// After its entity is parked, which it is while the guest runs and for good when the capsule is gone: then
// the machine may end with it.
void capsule_life_parked(struct capsule *c);
// A vcore of a capsule will not run again unless started.
void capsule_vcore_parked(struct capsule *c);
