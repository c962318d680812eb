// The hypervisor's own words (lib/log.h).
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "console.h"
#include "format.h"
#include "power.h"

#define TEXT_MAX 200u // a longer line ends in dots

struct text {
    char bytes[TEXT_MAX + 2]; // room for the line's end
    size_t length;
};

static unsigned level_shown = LOG_INFO;
static _Atomic uint32_t panics;

void log_level_set(unsigned level)
{
    level_shown = level;
}

// One line: whatever names from outside contain, they neither end it nor steer the terminal.
static void text_make(struct text *t, const char *format, va_list arguments)
{
    t->length = format_text(t->bytes, TEXT_MAX + 1, format, arguments);
    if (t->length > TEXT_MAX) {
        t->length = TEXT_MAX;
        t->bytes[TEXT_MAX - 1] = t->bytes[TEXT_MAX - 2] = t->bytes[TEXT_MAX - 3] = '.';
    }
    for (size_t i = 0; i < t->length; i++)
        if ((unsigned char)t->bytes[i] < ' ' || t->bytes[i] == 0x7f)
            t->bytes[i] = '?';
    t->bytes[t->length++] = '\n';
}

void log_print(enum log_level level, const char *format, ...)
{
    struct text t;
    va_list arguments;

    if (level > level_shown)
        return;
    va_start(arguments, format);
    text_make(&t, format, arguments);
    va_end(arguments);
    console_say(t.bytes, t.length, level == LOG_ERROR);
}

void console_announce(const char *format, ...)
{
    struct text t;
    va_list arguments;

    va_start(arguments, format);
    text_make(&t, format, arguments);
    va_end(arguments);
    console_say(t.bytes, t.length, true);
}

static void panic_text(const char *before, const char *format, va_list arguments)
{
    static bool seized;
    struct text t;

    if (!seized) {
        seized = true;
        console_seize();
    }
    text_make(&t, format, arguments);
    console_raw("[dio] ", 6);
    console_raw(before, __builtin_strlen(before));
    console_raw(t.bytes, t.length);
}

void panic_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    panic_text("", format, arguments);
    va_end(arguments);
}

// A second panic is another hart's, which the first is about to stop, or came of the first: then
// nothing here can be relied upon any more. Give the first its time, and go.
static _Noreturn void panic_again(void)
{
    for (volatile uint32_t i = 0; i < 1u << 28; i++) {
    }
    power_off(false);
}

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;

    if (atomic_fetch_add_explicit(&panics, 1, memory_order_relaxed))
        panic_again();
    va_start(arguments, format);
    panic_text("panic: ", format, arguments);
    va_end(arguments);
    panic_stop();
}
