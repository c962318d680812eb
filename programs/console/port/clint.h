// The time, for the console's code.
#pragma once

#include "sv.h"

static inline uint64_t clint_now(void)
{
    return sv_time();
}
