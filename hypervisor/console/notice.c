#include "notice.h"

#include "console.h"
#include "keys.h"
#include "screen.h"
#include "view.h"

static void here(void)
{
    struct stream *input = view_input();

    screen_line_begin();
    if (console.attached) {
        screen_text("at ");
        screen_text(input->name);
    } else {
        screen_text("all capsules");
        if (input) {
            screen_text(", input to ");
            screen_text(input->name);
        }
    }
    keys_hint();
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

// One at a time: each fits the screen's text.
void notice_compose(void)
{
    static void (*const words[])(void) = {here, input_lost, keys_help};
    for (unsigned i = 0; i < array_length(words); i++)
        if (console.notices & 1u << i) {
            console.notices &= ~(1u << i);
            words[i]();
            return;
        }
}
