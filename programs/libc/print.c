// The console, as stdio.h knows it.
#include "format.h"
#include "stdio.h"
#include "sv.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 256u // one call's, so that what several tasks print is mixed by lines at worst

static size_t piece_make(char piece[PIECE], const char *text, size_t size, size_t *used)
{
    size_t length = 0, i = 0;
    for (; i < size && length < PIECE - 1; i++) {
        if (text[i] == '\n')
            piece[length++] = '\r';
        piece[length++] = text[i];
    }
    *used = i;
    return length;
}

// All of it, though the console takes less at a time.
static void piece_write(struct sv_handle console, const char *piece, size_t size)
{
    size_t taken;
    while (size && sv_write(console, piece, size, &taken) == SV_OK) {
        piece += taken;
        size -= taken;
    }
}

void sv_console_write(const char *text, size_t size)
{
    struct sv_handle console = sv_granted("console");
    char piece[PIECE];
    size_t used;
    for (; size && !sv_is_none(console); text += used, size -= used) {
        size_t length = piece_make(piece, text, size, &used);
        piece_write(console, piece, length);
    }
}

int vsnprintf(char *to, size_t size, const char *format, va_list arguments)
{
    return (int)format_text(to, size, format, arguments);
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length;
}

// What is longer than a piece is made a second time, where there is room for it.
int vprintf(const char *format, va_list arguments)
{
    char piece[PIECE], *text = piece;
    va_list again;
    va_copy(again, arguments);
    size_t length = format_text(piece, sizeof(piece), format, arguments), made = length;
    if (length >= sizeof(piece)) {
        text = malloc(length + 1);
        made = text ? format_text(text, length + 1, format, again) : sizeof(piece) - 1;
    }
    va_end(again);
    sv_console_write(text ? text : piece, made);
    if (text != piece)
        free(text);
    return (int)length;
}

int printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vprintf(format, arguments);
    va_end(arguments);
    return length;
}

int puts(const char *line)
{
    return printf("%s\n", line);
}

int putchar(int c)
{
    char character = (char)c;
    sv_console_write(&character, 1);
    return (unsigned char)c;
}

static int key_of_console(struct sv_handle console)
{
    struct sv_happening happening;
    unsigned char key;
    size_t taken;
    while (sv_read(console, &key, 1, &taken) == SV_OK) {
        if (taken)
            return key;
        if (sv_wait(console, &happening) != SV_OK || happening.event != SV_EVENT_INPUT)
            break;
    }
    return EOF;
}

int getchar(void)
{
    struct sv_handle keyboard = sv_granted("keyboard");
    struct sv_happening happening;
    if (sv_is_none(keyboard))
        return key_of_console(sv_granted("console"));
    if (sv_wait(keyboard, &happening) != SV_OK || happening.event != SV_EVENT_MESSAGE)
        return EOF;
    return (int)(happening.word[0] & 0xff);
}
