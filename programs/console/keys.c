// The escape key, and what it leads to.
#include "keys.h"

#include "console.h"
#include "pump.h"
#include "screen.h"
#include "view.h"

static bool escaped; // the escape key was the last key

static void attach(struct stream *s)
{
    if (s)
        view_set(s);
    else
        console.notices |= NOTICE_HELP;
}

// The key after the escape key.
static void command(uint8_t key)
{
    if (key >= '1' && key <= '9') {
        attach(view_capsule(key - '1'));
        return;
    }
    switch (key) {
    case CONSOLE_ESCAPE:
        input_deliver(key);
        break;
    case 'n':
    case 'N':
        attach(view_next(console.attached));
        break;
    case 'p':
    case 'P':
        attach(view_previous(console.attached));
        break;
    case 'a':
    case 'A':
        view_set(NULL);
        break;
    case 'd':
    case 'D':
    case '\r':
    case '\n':
        attach(console_prompt);
        break;
    case 'Q': // not q: it can't be taken back
        keys_off();
        break;
    default:
        console.notices |= NOTICE_HELP;
    }
}

void keys_take(uint8_t byte)
{
    if (escaped) {
        escaped = false;
        command(byte);
    } else if (byte == CONSOLE_ESCAPE) {
        escaped = true;
    } else {
        input_deliver(byte);
    }
}

static void line(const char *text)
{
    screen_line_begin();
    screen_text(text);
    screen_line_end();
}

void keys_help(void)
{
    line("Ctrl-] and then");
    line("  n, p    next, previous capsule");
    line("  1 to 9  that capsule:");
    screen_line_begin();
    struct stream *s;
    for (unsigned i = 0; i < 9 && (s = view_capsule(i)); i++) {
        screen_text(s == console.attached ? "  *" : "  ");
        screen_number(i + 1);
        screen_text(" ");
        screen_text(s->name);
    }
    screen_line_end();
    line("  a       all capsules, line by line with their names");
    line("  d       the management prompt: list, start, stop, ...; help there tells more");
    line("  Ctrl-]  is sent to the capsule");
    line("  Q       switch the machine off, whatever runs");
    line("  other   this help");
}

void keys_hint(void)
{
    screen_text(console.attached ? " - Ctrl-] then n: next capsule, a: all, " : " - Ctrl-] then 1-9: one capsule, ");
    if (!console.attached || console.attached != console_prompt)
        screen_text("d: prompt, ");
    screen_text("Q: off, h: help");
}
