#include "notice.h"

#include "console.h"
#include "screen.h"
#include "view.h"

static void line(const char *text)
{
    screen_line_begin();
    screen_text(text);
    screen_line_end();
}

static void prompt_key(void)
{
    if (console_prompt && console.attached != console_prompt)
        screen_text("d: prompt, ");
    screen_text("Q: off, h: help");
}

static void here(void)
{
    struct stream *input = view_input();

    screen_line_begin();
    if (console.attached) {
        screen_text("at ");
        screen_text(input->name);
        screen_text(" - Ctrl-] then n: next capsule, a: all, ");
        prompt_key();
    } else {
        screen_text("all capsules");
        if (input) {
            screen_text(", input to ");
            screen_text(input->name);
        }
        screen_text(" - Ctrl-] then 1-9: one capsule, ");
        prompt_key();
    }
    screen_line_end();
    if (console.attached)
        screen_dropped(console.attached);
}

static void input_lost(void)
{
    if (!console.full)
        return;
    screen_line_begin();
    screen_text(console.full->name);
    screen_text(" does not read: ");
    screen_number(console.full->input_lost);
    screen_text(" bytes of input lost");
    screen_line_end();
}

static void help(void)
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
    if (console_prompt)
        line("  d       the management prompt: list, start, stop, ...; help there tells more");
    line("  Ctrl-]  is sent to the capsule");
    line("  Q       switch the machine off, whatever runs");
    line("  other   this help");
}

// One at a time: each fits the screen's text.
void notice_compose(void)
{
    static void (*const words[])(void) = {here, input_lost, help};
    for (unsigned i = 0; i < array_length(words); i++)
        if (console.notices & 1u << i) {
            console.notices &= ~(1u << i);
            words[i]();
            return;
        }
}
