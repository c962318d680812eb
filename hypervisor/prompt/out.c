#include "out.h"

#include <stdarg.h>

#include "edit.h"
#include "format.h"

static char buffer[OUT_SIZE];
static size_t length, sent;

void out_char(char c)
{
    if (length < OUT_SIZE)
        buffer[length++] = c;
}

const char edit_prompt[] = "dio> ";

void edit_put(char c)
{
    out_char(c);
}

void out_repeat(char c, unsigned count)
{
    while (count--)
        out_char(c);
}

void out_text(const char *text)
{
    while (*text)
        out_char(*text++);
}

void out_line_end(void)
{
    out_text("\r\n");
}

void out_format(const char *format, ...)
{
    va_list arguments;
    size_t room = OUT_SIZE - length;

    va_start(arguments, format);
    size_t made = format_text(buffer + length, room, format, arguments);
    va_end(arguments);
    if (made >= room)
        made = room ? room - 1 : 0;
    for (; made--; length++)
        if ((unsigned char)buffer[length] < ' ' || buffer[length] == 0x7f)
            buffer[length] = '?';
}

unsigned text_number(char *to, uint32_t value)
{
    char digits[10];
    unsigned count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
    } while (value /= 10);
    for (unsigned i = 0; i < count; i++)
        to[i] = digits[count - 1 - i];
    to[count] = 0;
    return count;
}

size_t out_length(void)
{
    return length;
}

bool out_flush(void)
{
    if (sent < length)
        sent += out_write(buffer + sent, length - sent);
    if (sent < length)
        return false;
    length = sent = 0;
    return true;
}
