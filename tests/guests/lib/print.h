// Text to the console: whole calls go out together, whichever hart makes them.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// %s %c %d %u %x, %lu %lx %ld, %llu %llx.
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
size_t print_format(char *buffer, size_t size, const char *format, va_list arguments);

extern char image_start[], image_end[];
