// Completion of the word before the cursor.
#pragma once

#include "command.h"

// Tab was typed: until complete_step() says NEXT_DONE, in steps of a few words each.
void complete_begin(void);
bool complete_is_busy(void);
enum next complete_step(void);
