// Instructions that trapped because we asked for it, or because the hart lacks them.
#pragma once

#include "vcore.h"

#define INSN_WFI 0x10500073u

// WFI and WRS.NTO, reads of `time`; anything else is the guest's own illegal instruction.
enum exit emulate_instruction(struct vcore *v);
// A misaligned load or store of integers, bytewise; anything else the guest sees itself.
enum exit emulate_misaligned(struct vcore *v, unsigned long cause);
