// Physical memory, by the frame (the calls are in kernel.h).
#pragma once

#include "kernel.h"

// The memory that there is to give: these ranges, all in 'span'. They don't overlap. The allocator's table goes to the
// first of them that has room. STATUS_NO_MEMORY: none has.
must_check enum status frames_init(struct range span, const struct range *usable, size_t count);
