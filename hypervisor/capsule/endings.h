// What an ending means, and what is kept of it.
#pragma once

#include "capsule_state.h"

// docs/manifest.md has the table.
bool ending_is_failure(enum ending why);
bool ending_restarts(const struct capsule_state *s, enum ending why);
// Tells the person at the terminal, once the capsule's `again` is known.
void ending_say(const struct capsule_state *s, enum ending why);
// Keeps what the vcore did that ended the capsule, while its memory is still there.
void crash_record(struct capsule_state *s);
