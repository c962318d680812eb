#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static size_t errors;

static void report(struct place place, const char *format, va_list arguments)
{
    if (place.line)
        fprintf(stderr, "%s:%zu: ", place.file, place.line);
    else
        fprintf(stderr, "%s: ", place.file);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    errors++;
}

void report_error(struct place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(place, format, arguments);
    va_end(arguments);
}

size_t report_count(void)
{
    return errors;
}

void report_fatal(struct place place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report(place, format, arguments);
    va_end(arguments);
    exit(1);
}

void *report_allocate(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        report_fatal((struct place){"pack", 0}, "out of memory for %zu bytes", size);
    return memory;
}
