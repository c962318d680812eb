// What space.c and world.c ask of the two back ends. Nobody outside this folder includes it.
#pragma once

#include "isolation.h"

// Second-stage page sizes above 4 KiB.
#if XLEN == 64
#define GSTAGE_MEGA 0x200000ULL
#define GSTAGE_GIGA 0x40000000ULL
#else
#define GSTAGE_MEGA 0x400000ULL
#define GSTAGE_GIGA 0x400000ULL // Sv32x4 has no larger page
#endif

// Stack guard and one range between two addresses.
#define PMP_ENTRIES_NEEDED 3

// counters.c: world_enter and world_leave of a world with counters of its own
void world_counters_exchange(struct world *w);
// world.c: medeleg as the world wants it
#define DELEGATED_MISALIGNED (1UL << CAUSE_LOAD_MISALIGNED | 1UL << CAUSE_STORE_MISALIGNED)
void world_delegate(struct isolation_hart *iso, const struct world *w);

// space.c: for a new space.
uint32_t space_serial_next(void);

// gstage/
enum status gstage_init(struct range hypervisor, struct range tables) must_check;
enum status gstage_attach(struct space *s) must_check; // builds the table of s->extents
void gstage_detach(struct space *s);
enum status gstage_attach_empty(struct space *s) must_check; // the table of nothing
uint64_t gstage_table_bytes(uint64_t memory);
// As space_run, of one that is not forked, or was not when it was asked: that may change while we look.
uint64_t space_run_extents(const struct space *s, struct gpa a, struct hpa *out);
uint64_t gstage_run_at(const struct space *s, struct gpa a, struct hpa *out); // as space_run, of a forked one
// Of a forked space; see space_release_step.
bool gstage_release_step(struct space *s);
// Hypervisor memory has grown up to there; the plan closes it.
void gstage_protect_up_to(uint64_t end);
void gstage_activate(const struct space *s); // loads hgatp, drops what the VMID left behind

// pmp/
void pmp_probe(void);
void pmp_guard(struct range guard); // locked: the hypervisor's own stack guard on this hart
enum status pmp_attach(struct space *s) must_check;
void pmp_load(const struct pmp_plan *plan);
// Walks the guest's own page table; see pmp/walk.h.
enum walk_result { WALK_OK, WALK_PAGE_FAULT, WALK_ACCESS_FAULT };
enum walk_result pmp_walk(const struct world *w, unsigned long satp, uint64_t gva, uint64_t *out);
