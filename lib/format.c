#include "format.h"

#include <limits.h>

struct output {
    char *buffer;
    size_t size, length;
};

struct conversion {
    bool left, zero;
    unsigned width;
    unsigned precision; // of %s; UINT_MAX: all of it
    unsigned length;    // bytes of the integer argument
};

static void put(struct output *o, char c)
{
    if (o->length + 1 < o->size)
        o->buffer[o->length] = c;
    o->length++;
}

static void fill(struct output *o, char c, unsigned count)
{
    while (count--)
        put(o, c);
}

// Zeros go between a sign and its digits.
static void put_field(struct output *o, const struct conversion *c, const char *text, size_t length)
{
    unsigned padding = c->width > length ? c->width - (unsigned)length : 0;
    bool sign = c->zero && length && *text == '-';

    if (!c->left && !c->zero)
        fill(o, ' ', padding);
    if (sign)
        put(o, *text);
    if (!c->left && c->zero)
        fill(o, '0', padding);
    for (size_t i = sign; i < length; i++)
        put(o, text[i]);
    if (c->left)
        fill(o, ' ', padding);
}

static void put_integer(struct output *o, const struct conversion *c, uint64_t value, char kind)
{
    char digits[24], *at = digits + sizeof(digits);
    unsigned base = kind == 'x' || kind == 'X' || kind == 'p' ? 16 : 10;
    bool negative = (kind == 'd' || kind == 'i') && (int64_t)value < 0;

    if (negative)
        value = -value;
    do {
        unsigned digit = (unsigned)(value % base);
        *--at = (char)(digit < 10 ? '0' + digit : (kind == 'X' ? 'A' : 'a') + digit - 10);
    } while (value /= base);
    if (kind == 'p') {
        *--at = 'x';
        *--at = '0';
    }
    if (negative)
        *--at = '-';
    put_field(o, c, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_string(struct output *o, struct conversion *c, const char *text)
{
    size_t length = 0;
    if (!text)
        text = "(null)";
    while (length < c->precision && text[length])
        length++;
    c->zero = false;
    put_field(o, c, text, length);
}

static unsigned parse_number(const char **format, va_list *arguments)
{
    unsigned value = 0;
    if (**format == '*') {
        (*format)++;
        int given = va_arg(*arguments, int);
        return given < 0 ? 0 : (unsigned)given;
    }
    while (**format >= '0' && **format <= '9')
        value = value * 10 + (unsigned)(*(*format)++ - '0');
    return value;
}

static unsigned parse_length(const char **format)
{
    unsigned length = sizeof(int);
    for (bool again = false;; (*format)++) {
        switch (**format) {
        case 'h':
            length /= 2;
            break;
        case 'l':
            length = again ? sizeof(long long) : sizeof(long);
            again = true;
            break;
        case 'z':
        case 't':
            length = sizeof(size_t);
            break;
        case 'j':
            length = sizeof(intmax_t);
            break;
        default:
            return length;
        }
    }
}

static struct conversion parse(const char **format, va_list *arguments)
{
    struct conversion c = {.precision = UINT_MAX};
    for (;; (*format)++) {
        if (**format == '-')
            c.left = true;
        else if (**format == '0')
            c.zero = true;
        else
            break;
    }
    c.zero = c.zero && !c.left;
    c.width = parse_number(format, arguments);
    if (**format == '.') {
        (*format)++;
        c.precision = parse_number(format, arguments);
    }
    c.length = parse_length(format);
    return c;
}

static uint64_t integer(const struct conversion *c, char kind, va_list *arguments)
{
    bool is_signed = kind == 'd' || kind == 'i';
    unsigned unused_bits = 64 - 8 * c->length;
    uint64_t value = c->length > sizeof(int) ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
    value <<= unused_bits;
    return is_signed ? (uint64_t)((int64_t)value >> unused_bits) : value >> unused_bits;
}

static void convert(struct output *o, struct conversion *c, char kind, va_list *arguments)
{
    char character;
    switch (kind) {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
        put_integer(o, c, integer(c, kind, arguments), kind);
        break;
    case 'p':
        c->zero = false;
        put_integer(o, c, (uintptr_t)va_arg(*arguments, void *), kind);
        break;
    case 's':
        put_string(o, c, va_arg(*arguments, const char *));
        break;
    case 'c':
        character = (char)va_arg(*arguments, int);
        put_field(o, c, &character, 1);
        break;
    default:
        put(o, kind);
    }
}

size_t format_text(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output o = {.buffer = buffer, .size = size};
    va_list rest;

    va_copy(rest, arguments); // so that its address has the same type everywhere
    while (*format) {
        if (*format != '%') {
            put(&o, *format++);
            continue;
        }
        format++;
        struct conversion c = parse(&format, &rest);
        if (*format)
            convert(&o, &c, *format++, &rest);
    }
    va_end(rest);
    if (size)
        buffer[o.length < size ? o.length : size - 1] = 0;
    return o.length;
}

size_t format_print(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_text(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
