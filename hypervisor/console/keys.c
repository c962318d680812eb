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

// A service that does not read has lost the terminal, or the person at it could do nothing.
static void keep_deliver(uint8_t byte)
{
    if (stream_feed(&console_terminal, byte)) {
        pump_event(&console_terminal);
        return;
    }
    console.kept = false;
    console_announce("the console service does not read");
}

void keys_take(uint8_t byte)
{
    if (console.kept) {
        keep_deliver(byte);
        return;
    }
    if (console.escaped) {
        console.escaped = false;
        command(byte);
    } else if (byte == CONSOLE_ESCAPE) {
        console.escaped = true;
    } else {
        deliver(byte);
    }
}
