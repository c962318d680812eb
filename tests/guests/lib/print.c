#include "print.h"

#include <string.h>

#include "hart.h"
#include "sbi.h"

struct output {
    char *buffer;
    size_t size, used;
};

static void put(struct output *o, char c)
{
    if (o->used + 1 < o->size)
        o->buffer[o->used++] = c;
}

static void put_number(struct output *o, uint64_t value, unsigned base)
{
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = "0123456789abcdef"[value % base];
    while (value /= base);
    while (n)
        put(o, digits[--n]);
}

static void put_signed(struct output *o, int64_t value)
{
    if (value < 0)
        put(o, '-');
    put_number(o, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static int64_t number_fetch(va_list *arguments, unsigned longs, bool is_signed)
{
    if (longs == 2)
        return va_arg(*arguments, int64_t);
    if (longs == 1)
        return is_signed ? (int64_t)va_arg(*arguments, long) : (int64_t)(uint64_t)va_arg(*arguments, unsigned long);
    return is_signed ? (int64_t)va_arg(*arguments, int) : (int64_t)(uint64_t)va_arg(*arguments, unsigned);
}

static void put_argument(struct output *o, char kind, unsigned longs, va_list *arguments)
{
    switch (kind) {
    case 's':
        for (const char *s = va_arg(*arguments, const char *); *s; s++)
            put(o, *s);
        break;
    case 'c':
        put(o, va_arg(*arguments, int));
        break;
    case 'd':
        put_signed(o, number_fetch(arguments, longs, true));
        break;
    case 'u':
        put_number(o, number_fetch(arguments, longs, false), 10);
        break;
    case 'x':
        put_number(o, number_fetch(arguments, longs, false), 16);
        break;
    default:
        put(o, kind);
    }
}

size_t print_format(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output o = {buffer, size, 0};
    va_list copy;
    va_copy(copy, arguments);
    for (; *format; format++) {
        unsigned longs = 0;
        if (*format != '%') {
            put(&o, *format);
            continue;
        }
        while (*++format == 'l')
            longs++;
        put_argument(&o, *format, longs, &copy);
    }
    va_end(copy);
    buffer[o.used] = 0;
    return o.used;
}

static void console_out(const char *text, size_t size)
{
    static int has_dbcn = -1;
    if (has_dbcn < 0)
        has_dbcn = sbi_has(SBI_DBCN);
    while (size && has_dbcn) {
        struct sbi_result r = sbi_console(DBCN_WRITE, size, (unsigned long)text, 0);
        if (r.error)
            break;
        text += r.value;
        size -= r.value;
    }
    for (; size; size--)
        sbi_call3(LEGACY_PUTCHAR, 0, *text++, 0, 0);
}

void print(const char *format, ...)
{
    char line[400];
    va_list arguments;
    va_start(arguments, format);
    size_t size = print_format(line, sizeof line, format, arguments);
    va_end(arguments);
    console_out(line, size);
}
