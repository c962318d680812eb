// Words for people, on the console.
#pragma once

#include "types.h"

// Straight to the firmware, from any hart at any time, also before anything else is there.
void print_now(const char *format, ...) __attribute__((format(printf, 1, 2)));
