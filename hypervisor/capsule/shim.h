// SHIM
#pragma once
#include "vcore.h"
static inline uint64_t sched_idle_time(const struct hart *h) { (void)h; return 0; }
static inline bool console_at_prompt(void) { return false; }
static inline enum exit sbi_yield(struct vcore *v, unsigned long n) { (void)v, (void)n; return EXIT_RESUME; }
