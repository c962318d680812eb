#include "print.h"

#include <string.h>

#include "arch.h"
#include "format.h"
#include "sbi.h"

// One line, after a prefix. What the console does not take for long is lost.
static void line_write(const char *prefix, const char *format, va_list arguments)
{
    char line[240];
    size_t size = strlen(prefix), at = 0;

    memcpy(line, prefix, size);
    size += format_text(line + size, sizeof(line) - size - 2, format, arguments);
    if (size > sizeof(line) - 3)
        size = sizeof(line) - 3;
    line[size++] = '\r';
    line[size++] = '\n';
    for (unsigned tries = 0; at < size && tries < 100000; tries++)
        at += sbi_console_write(line + at, (unsigned)(size - at));
}

void print_now(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line_write("", format, arguments);
    va_end(arguments);
}

void log_print(enum log_level level, const char *format, ...)
{
    va_list arguments;

    if (level == LOG_DEBUG)
        return;
    va_start(arguments, format);
    line_write(level == LOG_ERROR ? "supervisor: error: " : "supervisor: ", format, arguments);
    va_end(arguments);
}

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    line_write("supervisor: panic: ", format, arguments);
    va_end(arguments);
    sbi_power(false, true);
}
