// `console NAME`: goes to a capsule's terminal once the command's result is on the screen.
#pragma once

#include "types.h"

bool leave_is_wanted(void);

// True if it is done; false if it is too early.
must_check bool leave(void);
