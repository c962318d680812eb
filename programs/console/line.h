// The prompt's line at the terminal: keys, completion, and the command that runs.
#pragma once

#include "command.h"

// A step of whatever is to be done. NEXT_WAIT: until there is a key, or *deadline, which is set if there is one.
enum next line_step(uint64_t *deadline);

// prompt.c: the next key, -1 if there is none; is all that was written on the screen?
int line_key(void);
bool line_is_shown(void);
