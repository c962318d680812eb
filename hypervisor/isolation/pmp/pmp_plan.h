// Physical memory protection entries for a list of ranges: pure arithmetic, tested on the host.
// RISC-V privileged specification, "Physical Memory Protection CSRs".
#pragma once

#include "status.h"
#include "types.h"

#define PMP_R 0x01
#define PMP_W 0x02
#define PMP_X 0x04
#define PMP_TOR 0x08
#define PMP_NA4 0x10
#define PMP_NAPOT 0x18
#define PMP_LOCK 0x80

struct pmp_plan;

// Adds the range with these rights, exactly: one NAPOT entry if the range allows it, else two
// entries (TOR). Entry 0 is left for the stack guard. STATUS_UNSUPPORTED if the grain (log2 bytes)
// can't express the range, STATUS_NO_MEMORY if the entries run out.
enum status pmp_plan_add(struct pmp_plan *plan, struct range range, uint8_t rights, unsigned grain_shift) must_check;
// Adds a range that is empty and may grow: its end, in units of 4 bytes, is the last address of the plan
// then.
enum status pmp_plan_add_growing(struct pmp_plan *plan, uint64_t start, uint8_t rights) must_check;
// Adds one entry for everything: the last word where nothing before it matched.
enum status pmp_plan_add_all(struct pmp_plan *plan, uint8_t rights) must_check;
