// The terminal in the hands of a console service: a program in a capsule that shows what capsules print, and reads
// what is typed. Here are only its two rings; what capsules print stays in theirs until it says that it was shown.
#include "clint.h"
#include "console.h"
#include "pump.h"
#include "view.h"

#define TERMINAL_RING 4096u
#define DEAF_HOLDS 40u // two seconds

static uint8_t ring[TERMINAL_RING];

struct stream console_terminal = {
    .name = "terminal",
    .ring = ring,
    .size = TERMINAL_RING,
    .mask = TERMINAL_RING - 1,
    .limit = TERMINAL_RING + 1,
    .link = {&console_terminal.link, &console_terminal.link},
};

// What it leaves unread is lost with it; what it wrote is on its way to the port (pump.c, terminal_left()).
void console_keep(bool kept)
{
    console_acquire();
    console.expected = false;
    if (kept != console.kept) {
        console.kept = kept;
        console.told = 0;
        if (kept)
            view_set(&console_terminal);
        pump_all();
        pump_interrupt_update(true);
    }
    console_release();
}

void console_expect(bool expected)
{
    console_acquire();
    console.expected = expected && !console.kept;
    console_release();
}

bool console_is_kept(void)
{
    return atomic_load(&console.kept);
}

// There was no room for a key, and still is none some time later.
static bool is_deaf(void)
{
    uint64_t now = clint_now();

    if (!console.deaf_at)
        console.deaf_at = now + DEAF_HOLDS * console.hold;
    return now >= console.deaf_at;
}

// A service that does not read has lost the terminal, or the person at it could do nothing. It may just be slow: keys
// that come faster than it reads are lost meanwhile.
bool terminal_take(uint8_t byte)
{
    if (!console.kept && !console.expected)
        return false;
    if (stream_feed(&console_terminal, byte)) {
        console.deaf_at = 0;
        pump_event(&console_terminal);
    } else if (is_deaf()) {
        console.kept = console.expected = false;
        console.deaf_at = 0;
        console_announce("the console service does not read");
    }
    return true;
}

void console_watch(struct stream *s, bool watched)
{
    console_acquire();
    stream_watch(s, watched);
    pump_starved(s);
    pump_interrupt_update(true);
    console_release();
}

bool console_shown(struct stream *s, uint32_t position)
{
    console_acquire();
    latch_acquire(&s->lock);
    uint32_t shown = s->shown, unshown = s->head - shown;
    bool good = position - shown <= unshown;
    if (good) {
        atomic_store_explicit(&s->shown, position, memory_order_release);
        s->scanned = position; // or its next line would be looked for before where it begins
    }
    latch_release(&s->lock);
    pump_starved(s);
    pump_interrupt_update(true);
    console_release();
    return good;
}

bool console_owes(const struct stream *s)
{
    return atomic_load(&s->head) != atomic_load(&s->shown);
}

void console_change(void)
{
    atomic_store(&console.changed, 1);
    if (!console_is_kept())
        return;
    console_acquire();
    pump_tell();
    console_release();
}

bool console_has_changed(void)
{
    return atomic_exchange(&console.changed, 0);
}

void console_news_begin(void)
{
    atomic_store(&console.told, 0);
}
