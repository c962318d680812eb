// What the packer tells people: one line, with the place and the cure.
#pragma once

#include <stddef.h>

// A place in a manifest. Line 0: the file as a whole.
struct place {
    const char *file;
    size_t line;
};

// Prints `FILE:LINE: TEXT` and counts it: what follows may still find more.
void report_error(struct place place, const char *format, ...) __attribute__((format(printf, 2, 3)));

// How many errors were reported.
size_t report_count(void);

// Ends the program: for what makes going on senseless.
_Noreturn void report_fatal(struct place place, const char *format, ...) __attribute__((format(printf, 2, 3)));

// malloc that can't fail.
void *report_allocate(size_t size);
