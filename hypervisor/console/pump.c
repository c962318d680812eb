// Moving bytes: from streams to the port, line by line or as they come.
#include "pump.h"

#include "clint.h"
#include "console.h"
#include "notice.h"
#include "uart.h"
#include "view.h"

#define PIECE_MAX 512u        // longer lines are shown in pieces
#define LOADS_MAX 16u         // FIFO loads that one exit moves for others; the interrupt does the rest
#define SILENT_MAX 16u        // pieces moved at once that show nothing; a deadline does the rest
#define ROUNDS_MAX 8u         // notes looked at before the interrupt is left to it
#define WAIT_TRIES (1u << 20) // for a port that is not ready, seconds at the slowest

static uint32_t stream_unshown(const struct stream *s)
{
    return atomic_load_explicit(&s->head, memory_order_acquire) - atomic_load_explicit(&s->shown, memory_order_relaxed);
}

// The port ----------------------------------------------------------------------------------------

static bool port_ready(void)
{
    unsigned tries = console.drain == DRAIN_WAIT ? WAIT_TRIES : 1;
    if (!uart_tx_depth())
        return false;
    while (tries--)
        if (uart_tx_ready())
            return true;
    return false;
}

// False, and blocked, if nothing more can be sent now.
static bool port_load(void)
{
    if (!console.loads || !port_ready()) {
        console.blocked = true;
        return false;
    }
    if (console.drain != DRAIN_WAIT)
        console.loads--;
    console.budget = uart_tx_depth();
    return true;
}

static inline bool port_room(void)
{
    return likely(console.budget) || port_load();
}

static inline void port_send(uint8_t byte)
{
    console.budget--;
    uart_tx(byte);
}

// With events waiting, the interrupt calls a hart that will take them.
void pump_interrupt_update(bool for_events)
{
    bool on = console.drain == DRAIN_INTERRUPT && (console.blocked || (for_events && console_events));
    if (on == console.tx_interrupt)
        return;
    console.tx_interrupt = on;
    uart_tx_interrupt(on);
}

// Events ------------------------------------------------------------------------------------------

void pump_event(struct stream *s)
{
    if (s->event)
        return;
    s->event = true;
    s->next_event = NULL;
    if (console_events)
        console.events_last->next_event = s;
    else
        atomic_store_explicit(&console_events, s, memory_order_relaxed);
    console.events_last = s;
}

// A quarter of the ring is worth waking a writer; what is not watched always has room.
static void __attribute__((noinline)) starved_wake(struct stream *s)
{
    uint32_t unshown = stream_unshown(s);
    if (stream_watched(s) && s->size - unshown < s->size / 4)
        return;
    atomic_store_explicit(&s->starved, 0, memory_order_relaxed);
    pump_event(s);
}

// The fence pairs with stream_room_slow()'s.
void pump_starved(struct stream *s)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (unlikely(atomic_load_explicit(&s->starved, memory_order_relaxed)))
        starved_wake(s);
}

static inline void shown_set(struct stream *s, uint32_t shown)
{
    atomic_store_explicit(&s->shown, shown, memory_order_release);
    pump_starved(s);
}

// Input is kept until the guest reads it, as far as there is room; then it is lost, counted, and said.
void input_deliver(uint8_t byte)
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

// Showing -----------------------------------------------------------------------------------------

// Bytes of the attached capsule, as they are.
static inline void send_to(struct stream *s, uint32_t end)
{
    uint32_t shown = atomic_load_explicit(&s->shown, memory_order_relaxed);

    while (shown != end && port_room()) {
        uint8_t byte = s->ring[shown++ & s->mask];
        port_send(byte);
        console.midline = byte != '\n';
    }
    shown_set(s, shown);
}

static inline void send(struct stream *s)
{
    send_to(s, atomic_load_explicit(&s->head, memory_order_acquire));
}

static void send_line(struct stream *s)
{
    uint32_t head = atomic_load_explicit(&s->head, memory_order_acquire);
    uint32_t end = atomic_load_explicit(&s->shown, memory_order_relaxed);

    while (end != head && s->ring[end++ & s->mask] != '\n') {
    }
    send_to(s, end);
}

// True if the screen's own text is all out.
static bool out_send(void)
{
    while (screen.sent < screen.length) {
        if (!port_room())
            return false;
        port_send(screen.out[screen.sent++]);
    }
    screen.length = screen.sent = 0;
    return true;
}

static void deadline_set(uint64_t when)
{
    if (console_timed && console.deadline <= when)
        return;
    console.deadline = when;
    console_timed = true;
}

// Searches on for the end of the stream's line; true if there is one, or the line is too long.
static bool line_scan(struct stream *s)
{
    uint32_t head = atomic_load_explicit(&s->head, memory_order_acquire);
    uint32_t shown = atomic_load_explicit(&s->shown, memory_order_relaxed);

    while (s->scanned != head && s->scanned - shown < PIECE_MAX)
        if (s->ring[s->scanned++ & s->mask] == '\n')
            return true;
    return s->scanned - shown >= PIECE_MAX;
}

// How far the stream may be shown now: to the end of its line, or a part of it if that is what the
// person waits for.
static uint32_t line_end(struct stream *s)
{
    uint32_t before = s->scanned;
    if (line_scan(s) || s->flush || screen.line == s) {
        s->partial = s->flush = false;
        return s->scanned;
    }
    if (s->scanned != before) {
        s->partial = true;
        s->partial_at = clint_now() + console.hold;
        deadline_set(s->partial_at);
    }
    return s->shown;
}

// To the screen with what `current` still has to show of its line.
static void line_move(void)
{
    struct stream *s = console.current;
    uint32_t shown = s->shown;
    while (shown != console.current_end && screen_has_room())
        screen_byte(s, s->ring[shown++ & s->mask]);
    shown_set(s, shown);
    if (shown == console.current_end)
        console.current = NULL;
}

static bool line_begin(struct stream *s)
{
    if (unlikely(s->starved))
        starved_wake(s);
    console.current_end = line_end(s);
    if (console.current_end == s->shown)
        return false;
    console.current = s;
    return true;
}

// A line of whoever's turn it is. Not of all, before console_attach().
static bool line_find(void)
{
    struct list *first = console.turn, *link = first;
    do {
        struct list *next = link->next;
        if (link != &console.streams && stream_watched(console_stream(link)) && line_begin(console_stream(link))) {
            console.turn = next;
            return true;
        }
        link = next;
    } while (link != first);
    return false;
}

// The prompt's line was interrupted.
static void disturb(void)
{
    if (!console.attached || console.attached != console_prompt)
        return;
    atomic_store_explicit(&console.disturbed, 1, memory_order_relaxed);
    pump_event(console_prompt);
}

// A service that lost the terminal has shown its last: all is shown here again. At the machine's end only what it
// still owed: the output of others, which nobody looked at, would bury the last lines of whom somebody did.
static bool terminal_left(void)
{
    if (likely(console.attached != &console_terminal || console.kept || stream_unshown(&console_terminal)))
        return false;
    if (console.ends)
        console.attached = NULL;
    else
        view_set(NULL);
    if (console.drain == DRAIN_WAIT) // the machine's end, or its beginning: nobody goes anywhere
        console.notices = 0;
    return true;
}

static bool is_midline(void)
{
    return console.midline && console.attached && console.attached != console_prompt && !console.kept &&
           console.drain != DRAIN_WAIT;
}

// A line that the attached capsule is just printing may end before an urgent one is shown, for as long as a line
// without end waits elsewhere: torn lines are hard to read, for programs too.
static bool urgent_held(void)
{
    if (likely(!stream_unshown(&console_urgent)) || !is_midline()) {
        console.held = false;
        return false;
    }
    uint64_t now = clint_now();
    if (!console.held) {
        console.held = true;
        console.held_until = now + console.hold;
        deadline_set(console.held_until);
    }
    return now < console.held_until;
}

static bool urgent_begin(void)
{
    return !console.kept && !urgent_held() && line_begin(&console_urgent);
}

// Puts the next thing to show into screen.out, or sends it; false if there is nothing more.
static bool compose(struct stream *hint)
{
    if (!console.current && console.notices) {
        notice_compose();
        disturb();
        return true;
    }
    if (!console.current && !urgent_begin()) {
        if (console.held) {
            send_line(console.attached);
            return !console.midline && !console.blocked;
        }
        if (console.attached) {
            send(console.attached);
            return terminal_left();
        }
        if (!(console.scan ? line_find() : hint && line_begin(hint)))
            return false;
    }
    line_move();
    disturb();
    return true;
}

// What shows nothing takes no room at the port, which else makes an end of this.
static bool is_too_silent(unsigned *silent)
{
    if (screen.length || console.drain == DRAIN_WAIT || --*silent)
        return false;
    deadline_set(clint_now() + console.poll_period);
    return true;
}

static void pump(struct stream *hint)
{
    unsigned silent = SILENT_MAX;
    bool enough = false;
    console.blocked = false;
    console.fast = NULL;
    console.loads = LOADS_MAX;
    while (!enough && out_send() && compose(hint))
        enough = is_too_silent(&silent);
    console.scan = console.blocked || enough;
    if (!console.scan && !console.held)
        console.fast = console.attached;
}

// The lock ----------------------------------------------------------------------------------------

static inline bool note_take(void)
{
    if (likely(!atomic_load_explicit(&console.note, memory_order_relaxed)))
        return false;
    atomic_exchange_explicit(&console.note, 0, memory_order_acquire);
    return true;
}

// Either we get the lock, or its holder finds the note after letting go.
static inline bool acquire_or_leave_note(void)
{
    if (likely(latch_try(&console.lock)))
        return true;
    atomic_store_explicit(&console.note, 1, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    return latch_try(&console.lock);
}

static inline bool release_unless_noted(void)
{
    latch_release(&console.lock);
    atomic_thread_fence(memory_order_seq_cst);
    return likely(!atomic_load_explicit(&console.note, memory_order_relaxed)) || !latch_try(&console.lock);
}

// Shows what others left a note about, in turns that end: if they go on without end, the interrupt
// does it.
static void release_noted(void)
{
    unsigned rounds = 0;
    do {
        pump_all();
        if (++rounds == ROUNDS_MAX) {
            console.blocked = console.scan = true;
            console.fast = NULL;
            pump_interrupt_update(true);
            latch_release(&console.lock);
            return;
        }
        pump_interrupt_update(true);
    } while (!release_unless_noted());
}

void console_acquire(void)
{
    latch_acquire(&console.lock);
}

void console_release(void)
{
    if (unlikely(!release_unless_noted()))
        release_noted();
}

void pump_all(void)
{
    note_take();
    console.scan = true;
    pump(NULL);
}

// The service looks when it is told once.
void pump_tell(void)
{
    if (atomic_exchange(&console.told, 1))
        return;
    pump_event(&console_terminal);
    pump_interrupt_update(true);
}

// What a push does when it is not just a byte of the attached capsule.
static void __attribute__((noinline)) push_slow(struct stream *s)
{
    if (console.kept && s != &console_terminal) {
        pump_tell();
        return;
    }
    if (note_take())
        console.scan = true;
    pump(s);
    pump_interrupt_update(true);
}

// The port is full, or the writer's ring has room again.
static void __attribute__((noinline)) push_blocked(void)
{
    if (console.blocked) {
        console.fast = NULL;
        console.scan = true;
    }
    pump_interrupt_update(true);
}

void console_push(struct stream *s)
{
    if (likely(acquire_or_leave_note()))
        pump_push(s);
}

void pump_push(struct stream *s)
{
    if (likely(console.fast == s && !atomic_load_explicit(&console.note, memory_order_relaxed))) {
        console.loads = LOADS_MAX;
        send(s);
        if (unlikely(console.blocked || s->event))
            push_blocked();
    } else {
        push_slow(s);
    }
    console_release();
}
