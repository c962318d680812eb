// System calls and whatever else programs can do, at random: several tasks on three harts, each step as the input says,
// and after each the checker. The same input does the same again.
#pragma once

#include <stddef.h>
#include <stdint.h>

// In the end all tasks are ended, and nothing may be left. The number of calls that were answered with SV_OK.
unsigned chaos_run(const uint8_t *input, size_t size);
