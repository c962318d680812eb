#include "out.h"

#include <stdarg.h>

#include "format.h"
#include "prompt.h"
#include "session.h"

void out_char(char c)
{
    if (session.out_length < OUT_SIZE)
        session.out[session.out_length++] = c;
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
    out_text(prompt_is_at_terminal ? "\r\n" : "\n");
}

void out_format(const char *format, ...)
{
    va_list arguments;
    char *at = session.out + session.out_length;
    size_t room = OUT_SIZE - session.out_length;

    va_start(arguments, format);
    size_t made = format_text(at, room, format, arguments);
    va_end(arguments);
    if (made >= room)
        made = room ? room - 1 : 0;
    session.out_length += made;
    for (; made--; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
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
    return session.out_length;
}

bool out_flush(void)
{
    struct session *s = &session;

    if (s->out_sent < s->out_length)
        s->out_sent += out_write(s->out + s->out_sent, s->out_length - s->out_sent);
    if (s->out_sent < s->out_length)
        return false;
    s->out_length = s->out_sent = 0;
    return true;
}
