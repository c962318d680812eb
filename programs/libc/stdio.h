// The part of stdio.h that programs have: the console, without files. printf and its like understand what
// lib/format.h says: integers of all sizes, strings and pointers, no floating point.
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define EOF (-1)

int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *format, va_list arguments);
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *to, size_t size, const char *format, va_list arguments);
int puts(const char *line);
int putchar(int c);

// The next key, without echo; waits for it, and so belongs into straight-line code. EOF: there is no keyboard, or
// it was taken away.
int getchar(void);
