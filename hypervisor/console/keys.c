#include "keys.h"

#include "console.h"
#include "pump.h"
#include "view.h"

// Input is kept until the guest reads it, as far as there is room; then it is lost, counted, and said.
static void deliver(uint8_t byte)
{
    struct stream *s = view_input();
    if (!s)
        return;
    bool taken = stream_feed(s, byte);
    if (taken)
        pump_event(s);
    else
        s->input_lost++;
    if (taken == s->input_full) { // at the first byte lost, and when bytes are taken again
        s->input_full = !taken;
        console.full = s;
        console.notices |= NOTICE_INPUT;
    }
}

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
        deliver(key);
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
        atomic_store_explicit(&console.off_asked, 1, memory_order_relaxed);
        break;
    default:
        console.notices |= NOTICE_HELP;
    }
}

void keys_take(uint8_t byte)
{
    if (console.escaped) {
        console.escaped = false;
        command(byte);
    } else if (byte == CONSOLE_ESCAPE) {
        console.escaped = true;
    } else {
        deliver(byte);
    }
}
