// Traps of the hypervisor itself.
#pragma once

#include "hart.h"

// Called by trap.S with the registers in h->own, on the hart's emergency stack. Returns only for a
// guarded access (csr.h FIXUP), with mepc at its cure and the cause in h->own.
void own_trap(struct hart *h);
