// What an ending means, and what is kept of it.
#pragma once

#include "capsule_state.h"
#include "log.h"

// docs/manifest.md has the table.
bool ending_is_failure(enum ending why);
bool ending_restarts(const struct capsule_state *s, enum ending why);
// How urgent the end is, once `again` and `failures` are known. LOG_ERROR interrupts whoever is attached to another
// capsule: for the ends of the root's own children alone, and not for those that a guest can go on with at will.
enum log_level ending_level(const struct capsule_state *s);
// Tells the person at the terminal, likewise.
void ending_say(const struct capsule_state *s, enum ending why);
// Keeps what the vcore did that ended the capsule, while its memory is still there; nothing of one that shut down.
void crash_record(struct capsule_state *s, enum ending why);
