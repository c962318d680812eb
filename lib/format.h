// printf's formatting, as far as log lines need it.
//
// Not the libc's: picolibc as Debian builds it prints 64-bit integers on RV32 only in the variant
// that also prints floating point, which is 9 KiB. This is 1 KiB.
#pragma once

#include <stdarg.h>

#include "types.h"

// Understands %d %i %u %x %X %c %s %p %%, the lengths hh h l ll z j t, the flags - and 0, a width and
// for %s a precision, both also as *. As vsnprintf otherwise: at most size - 1 bytes and a zero, and
// the length that all of it would have is returned. Anything else in a format is printed as it is.
size_t format_text(char *buffer, size_t size, const char *format, va_list arguments);

// The same with arguments of its own: snprintf.
size_t format_print(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
