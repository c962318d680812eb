// SHIM
#pragma once
#include "vcore.h"
static inline uint64_t sched_idle_time(const struct hart *h) { (void)h; return 0; }
