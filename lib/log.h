// The hypervisor's own words. Declared here so that every layer can speak; console/log.c prints
// them, host tests bring their own.
#pragma once

#include "types.h"

enum log_level { LOG_ERROR, LOG_INFO, LOG_DEBUG };

// Prints one line, prefixed `[dio] `. No newline in the format. Any hart, any time.
void log_print(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_print(LOG_ERROR, __VA_ARGS__)
#define log_info(...) log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)

// Stops the machine: for our own broken invariants only, never for what a guest or a person did.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (unlikely(!(condition)))                                                                                    \
            panic("%s:%d: %s", __FILE_NAME__, __LINE__, #condition);                                                   \
    } while (0)
