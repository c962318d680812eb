// A capsule's devices in its virtio slots, as its plan says. What they keep over a restart is what a machine's would:
// the disks' contents.
#pragma once

#include "capsule_state.h"

void equip_init(void);
// Hypervisor memory that the plan's devices take.
uint64_t equip_cost(const struct bundle_capsule *plan);
// Memory that they may take in time, and that counts as the capsule's: what may be changed of its disks, and the
// tables of those.
uint64_t equip_memory(const struct bundle_capsule *plan);

// Makes what of the plan can't be the original's the clone's own, before that is made.
void equip_plan_clone(struct bundle_capsule *plan);
// With tree_lock held. Makes all of them; false if there is no memory, and nothing is kept.
must_check bool equip_make(struct capsule_state *s);
// Nothing was written to the disks, or it was released.
void equip_unmake(struct capsule_state *s);
// Power-on state, but for what the disks hold. Nothing of the capsule runs.
void equip_reset(struct capsule *c);
// What they were to change is done. Nothing of the capsule runs.
void equip_settle(struct capsule *c);
// With tree_lock held, in any stage. STATUS_NOT_FOUND: nothing is in that slot; STATUS_INVALID: not for such a device,
// or out of range; STATUS_UNSUPPORTED: not under this isolation; STATUS_BUSY: what was asked for before is not done
// yet; STATUS_DENIED: its parent's quota is used up; STATUS_NO_MEMORY.
must_check enum status equip_set(struct capsule_state *s, unsigned slot, enum diosix_device_setting setting,
                                 uint64_t value);
// A capsule that was never started has this device, too, in its next slot; with what the plan points to for as long as
// the machine runs. STATUS_BUSY: no slot is left, or it has one already, of which there is one; STATUS_DENIED: its
// parent's quota is used up; STATUS_NO_MEMORY.
must_check enum status equip_add(struct capsule_state *s, const struct bundle_device *plan, unsigned *slot);
// Another disk of the machine takes the place of the one that is in it; NULL: none does. STATUS_DENIED: that is in use,
// or can't be written.
must_check enum status equip_attach(struct capsule_state *s, unsigned slot, const char *name);
// False: nothing is in that slot.
must_check bool equip_tell(struct capsule_state *s, unsigned slot, struct diosix_device *out);

// The guest has ended, and nothing of it runs: connections with others are over.
void equip_silence(struct capsule *c);
// Gives up what was written to the disks, in bounded steps: true while there is more.
bool equip_release_step(struct capsule_state *s);

// The clone's devices become as the original's are, in bounded steps, while nothing of either runs: true while there
// is more. *status: STATUS_NO_MEMORY.
bool equip_clone_step(struct capsule_state *clone, struct capsule_state *original, enum status *status);
