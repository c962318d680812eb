#include "console.h"

#include <string.h>

#include "clint.h"
#include "keys.h"
#include "log.h"
#include "pump.h"
#include "uart.h"
#include "view.h"

#define DIO_RING 4096u
#define URGENT_RING 1024u
#define INPUT_MAX 64u       // bytes taken from the port at once
#define PARTIAL_HZ 20u      // a line without end waits 50 ms
#define POLL_HZ 100u        // how often a port without interrupt is looked at
#define PATIENCE (1u << 20) // rounds without progress before a port counts as dead

static uint8_t dio_ring[DIO_RING], urgent_ring[URGENT_RING];

struct stream console_dio = {
    .name = "dio",
    .ring = dio_ring,
    .size = DIO_RING,
    .mask = DIO_RING - 1,
    .limit = DIO_RING,
    .link = {&console.streams, &console.streams},
};

struct stream console_urgent = {
    .name = "dio",
    .ring = urgent_ring,
    .size = URGENT_RING,
    .mask = URGENT_RING - 1,
    .limit = URGENT_RING,
};

struct console console = {
    .streams = {&console_dio.link, &console_dio.link},
    .turn = &console.streams,
};

struct stream *console_prompt;
struct stream *_Atomic console_events;
_Atomic bool console_timed;

void console_init(const char *attach, uint32_t timebase_hz)
{
    console_acquire();
    console.hold = timebase_hz / PARTIAL_HZ;
    console.poll_period = timebase_hz / POLL_HZ;
    console.waiting = attach;
    if (attach)
        strncpy(console.wanted, attach, sizeof(console.wanted) - 1);
    console_release();
}

void console_start(bool interrupts)
{
    console_acquire();
    pump_all();
    console.drain = interrupts ? DRAIN_INTERRUPT : DRAIN_POLL;
    if (interrupts) {
        uart_interrupts_on();
    } else {
        console.deadline = clint_now();
        console_timed = true;
    }
    pump_interrupt_update(true);
    console_release();
}

void console_add(struct stream *s)
{
    console_acquire();
    list_add_tail(&console.streams, &s->link);
    stream_watch(s, console.kept || (!console.attached && !console.waiting));
    pump_all();
    pump_interrupt_update(true);
    console_release();
    console_change();
}

// Attaches to the capsule that console_init() was told of, or shows all if it isn't there.
static void settle(void)
{
    struct stream *s;
    if (!console.waiting)
        return;
    console.waiting = false;
    if (console.kept)
        return;
    for (unsigned i = 0; (s = view_capsule(i)) && *console.wanted && strcmp(console.wanted, s->name); i++) {
    }
    view_set(s);
}

// Waits until everything that is shown here is out of the port's hands.
static void flush(bool is_last)
{
    console_acquire();
    enum console_drain drain = console.drain;
    console.drain = DRAIN_WAIT;
    if (is_last) { // no service will go on showing
        console.ends = console.kept;
        console.kept = false;
    }
    for (struct list *link = console.streams.next; link != &console.streams; link = link->next)
        container_of(link, struct stream, link)->flush = true;
    pump_all();
    for (unsigned patience = PATIENCE; patience && uart_tx_depth() && !uart_tx_ready(); patience--) {
    }
    console.drain = drain;
    pump_interrupt_update(true);
    console_release();
}

void console_attach(void)
{
    flush(false); // once attached, what the hypervisor has said so far would be held back
    console_acquire();
    settle();
    pump_all();
    pump_interrupt_update(true);
    console_release();
}

void console_prompt_set(struct stream *s)
{
    console_acquire();
    console_prompt = s;
    console_release();
}

bool console_at_prompt(void)
{
    console_acquire();
    bool at = console.attached && console.attached == console_prompt;
    console_release();
    return at;
}

bool console_prompt_disturbed(void)
{
    return atomic_exchange_explicit(&console.disturbed, 0, memory_order_relaxed);
}

static struct stream *find(const char *name)
{
    for (struct list *link = console_dio.link.next; link != &console.streams; link = link->next)
        if (!strcmp(console_stream(link)->name, name))
            return console_stream(link);
    return NULL;
}

bool console_has(const char *name)
{
    console_acquire();
    bool found = find(name);
    console_release();
    return found;
}

bool console_go(const char *name)
{
    console_acquire();
    struct stream *s = find(name);
    if (s) {
        view_set(s);
        pump_all();
        pump_interrupt_update(true);
    }
    console_release();
    return s;
}

// Shows a stream's last words, for as long as the port goes on taking them.
static void drain(struct stream *s)
{
    uint32_t last = s->shown;
    unsigned patience = PATIENCE;

    for (bool more = !console.kept; more && patience;) {
        console_acquire();
        s->flush = true;
        pump_all();
        more = stream_watched(s) && (s->shown != s->head || console.current == s || screen.length);
        patience = s->shown == last ? patience - 1 : PATIENCE;
        last = s->shown;
        pump_interrupt_update(true);
        console_release();
    }
}

static void event_cancel(struct stream *s)
{
    struct stream *before = NULL, *e = console_events;
    if (!s->event)
        return;
    for (; e != s; e = e->next_event)
        before = e;
    if (before)
        before->next_event = s->next_event;
    else
        atomic_store_explicit(&console_events, s->next_event, memory_order_relaxed);
    if (console.events_last == s)
        console.events_last = before;
    s->event = false;
}

// Nothing of the console's refers to s any more.
static void forget(struct stream *s)
{
    if (console.turn == &s->link)
        console.turn = s->link.next;
    if (console.current == s)
        console.current = NULL;
    if (console.fast == s)
        console.fast = NULL;
    if (console.full == s)
        console.full = NULL;
    if (screen.line == s)
        screen.line = NULL;
    event_cancel(s);
    list_remove(&s->link);
}

// Who was there, or typed there, is told where that goes now.
static void move_on(struct stream *s)
{
    struct stream *next = view_next(s);
    if (console.attached == s)
        view_set(next == s ? NULL : next);
    if (next == s) // nobody left to go to
        console.notices &= ~(unsigned)NOTICE_VIEW;
    else
        console.notices |= NOTICE_VIEW;
}

void console_remove(struct stream *s)
{
    console_acquire();
    settle();
    console_release();
    drain(s);
    console_acquire();
    if (view_input() == s)
        move_on(s);
    stream_watch(s, false);
    forget(s);
    pump_all();
    pump_interrupt_update(true);
    console_release();
}

size_t console_type(struct stream *s, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    console_acquire();
    while (taken < count && stream_feed(s, bytes[taken]))
        taken++;
    console_release();
    return taken;
}

static void input_take(void)
{
    int byte;
    for (unsigned i = 0; i < INPUT_MAX && (byte = uart_rx()) >= 0; i++)
        if (!terminal_take((uint8_t)byte))
            keys_take((uint8_t)byte);
}

void console_interrupt(void)
{
    console_acquire();
    uart_interrupt_clear();
    input_take();
    pump_all();
    pump_interrupt_update(false);
    console_release();
}

struct stream *console_event_take(void)
{
    console_acquire();
    struct stream *s = console_events;
    if (s)
        event_cancel(s);
    pump_interrupt_update(true);
    console_release();
    return s;
}

// The deadline is 64 bits wide and so not read without the lock.
uint64_t console_deadline_read(void)
{
    console_acquire();
    uint64_t deadline = console_timed ? console.deadline : UINT64_MAX;
    console_release();
    return deadline;
}

// Lines that have waited long enough are shown; the first of the others gives the new deadline.
static void deadlines_pass(uint64_t now)
{
    console_timed = console.drain == DRAIN_POLL;
    console.deadline = console_timed ? now + console.poll_period : UINT64_MAX;
    for (struct list *link = console.streams.next; link != &console.streams; link = link->next) {
        struct stream *s = container_of(link, struct stream, link);
        if (!s->partial)
            continue;
        if (s->partial_at <= now) {
            s->flush = true;
        } else if (!console_timed || s->partial_at < console.deadline) {
            console_timed = true;
            console.deadline = s->partial_at;
        }
    }
}

void console_poll(uint64_t now)
{
    console_acquire();
    if (console_timed && console.deadline <= now) {
        if (console.drain == DRAIN_POLL)
            input_take();
        deadlines_pass(now);
        pump_all();
        pump_interrupt_update(true);
    }
    console_release();
}

void console_flush(void)
{
    flush(true);
}

// The hypervisor's own words -----------------------------------------------------------------------

// For a lock that its holder may never let go because it has crashed.
static bool latch_with_patience(struct latch *l)
{
    for (unsigned patience = PATIENCE; patience; patience--)
        if (latch_try(l))
            return true;
    return false;
}

// The whole line or nothing: half of it would be taken for all.
static void put_line(struct stream *s, const char *line, size_t length)
{
    if (stream_watched(s) && s->size - (s->head - s->shown) < length)
        atomic_fetch_add_explicit(&s->dropped, (uint32_t)length, memory_order_relaxed);
    else
        stream_put(s, (const uint8_t *)line, length);
}

void console_say(const char *line, size_t length, bool urgent)
{
    struct stream *s = urgent && (console.kept || !stream_watched(&console_dio)) ? &console_urgent : &console_dio;

    if (!latch_with_patience(&s->lock)) {
        console_raw(line, length);
        return;
    }
    put_line(s, line, length);
    bool watched = stream_watched(s);
    latch_release(&s->lock);
    if (watched)
        console_push(s);
}

static void raw_byte(uint8_t byte)
{
    unsigned patience = uart_tx_depth() ? PATIENCE : 0;
    while (patience && !uart_tx_ready())
        patience--;
    if (patience)
        uart_tx(byte);
}

void console_raw(const char *text, size_t length)
{
    console.budget = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            raw_byte('\r');
        raw_byte((uint8_t)text[i]);
    }
}

// What was said and not shown yet tells how it came to this.
static void raw_rest(struct stream *s)
{
    uint32_t head = s->head, unshown = head - s->shown;
    if (unshown > s->size)
        unshown = s->size;
    for (uint32_t at = head - unshown; at != head; at++)
        console_raw((const char *)&s->ring[at & s->mask], 1);
    s->shown = head;
}

void console_seize(void)
{
    bool latched = latch_with_patience(&console.lock);
    (void)latched; // or not: nobody else is worth waiting for now, and we never let go
    console_raw("\n", 1);
    raw_rest(&console_dio);
    raw_rest(&console_urgent);
}
