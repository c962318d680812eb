// The machine's serial port, shared by all capsules and the hypervisor. The hypervisor has this for itself only as long
// as no console service keeps the terminal; the service (programs/console) is made of the same code, and adds keys
// (keys.h) that lead from one view to another, and the prompt.
//
// Two views. Attached to one capsule, its bytes pass both ways untouched (but for the service's escape key), and
// the hypervisor says only what must be said, on lines of its own. Interleaved, whole lines of all
// sources are shown, each with its source's name; input goes to the first capsule. Escape sequences
// and lone carriage returns are taken out there, so that no capsule can write over another's lines.
//
// One lock guards the port and the screen. Who prints puts its bytes into its stream and then tries
// that lock. Who gets it moves bytes to the port; who doesn't, leaves them and a note to the holder,
// who looks for the note after letting go. So nobody waits for the port, and nothing is left behind.
// What the port has no room for is moved by its interrupt.
#pragma once

#include "stream.h"
#include "types.h"

#define CONSOLE_ESCAPE 0x1d // Ctrl-]

// The hypervisor's own words are shown from the beginning, as soon as uart_init() has found a port;
// until console_start() by waiting for it. This chooses the view: `attach` is the name of the capsule
// to attach to, "" the first, NULL none: interleaved. If there is one to attach to, the hypervisor's words
// are shown and the capsules' kept until console_attach().
void console_init(const char *attach, uint32_t timebase_hz);

// From here on the port is moved by console_interrupt(), which the caller has routed here; without
// interrupts by console_poll(), a hundred times a second.
void console_start(bool interrupts);

// A capsule keeps its stream while it restarts: remove it only when its memory goes. Its last words
// are shown first if it is watched. No one may write to it any more.
void console_add(struct stream *s);
void console_remove(struct stream *s);

// All capsules that there are at the start have been added: from here on the view is the one that
// console_init() was told of, or interleaved if there is no such capsule.
void console_attach(void);

// The port's interrupt. Any hart. Call console_next_event() afterwards until it says NULL.
void console_interrupt(void);

extern struct stream *_Atomic console_events;
extern _Atomic bool console_timed;
struct stream *console_event_take(void);
uint64_t console_deadline_read(void);

// Takes out a stream that has got input or room again, NULL if there is none: its UART model wants to
// know. It is the caller's matter that the stream is not removed meanwhile.
static inline struct stream *console_next_event(void)
{
    return unlikely(atomic_load_explicit(&console_events, memory_order_relaxed)) ? console_event_take() : NULL;
}

// When console_poll() wants to be called, UINT64_MAX if not at all. Look at it after each exit that
// wrote to a stream; any hart may call console_poll(), then console_next_event().
static inline bool console_has_deadline(void)
{
    return unlikely(atomic_load_explicit(&console_timed, memory_order_relaxed));
}
static inline uint64_t console_deadline(void)
{
    return console_has_deadline() ? console_deadline_read() : UINT64_MAX;
}
void console_poll(uint64_t now);

// The management prompt's stream, from here on reached by Ctrl-] and d or Enter. It is no capsule's: it is
// shown when attached to, and in no other view. Once; without it there is no prompt.
void console_prompt_set(struct stream *s);

// Is s the prompt's stream rather than a capsule's? For who gets it from console_next_event().
extern struct stream *console_prompt;
static inline bool console_is_prompt(const struct stream *s)
{
    return s == console_prompt;
}

// Is the terminal attached to the prompt now? Any hart, with no lock of the console's held.
bool console_at_prompt(void);

// Takes the note that something else than the prompt's own bytes was shown while attached to it: it
// should draw its line again. An event of its stream comes with the note.
bool console_prompt_disturbed(void);

// A console service keeps the terminal from now on, or does no longer. While it does, nothing is shown but what it
// writes to console_terminal, and all that is typed is its input; capsules wait for their output to be called shown
// (console_shown()) where the service watches it. In the end what was not called shown is shown here, in the
// interleaved view. The stream gets an event when there is anything to read, room to write, or output to show.
void console_keep(bool kept);
bool console_is_kept(void);
// A capsule that may keep the terminal begins to run, or has ended: what is typed waits for it, until it keeps it, or
// gives it back, or there is no room for more.
void console_expect(bool expected);
extern struct stream console_terminal;
static inline bool console_is_terminal(const struct stream *s)
{
    return s == &console_terminal;
}

// For the service, about a stream of a capsule's or console_dio: its writer waits for what it printed to be shown.
void console_watch(struct stream *s, bool watched);
// What is before this position has been shown, modulo 2^32. What is beyond the end is out of range: false.
must_check bool console_shown(struct stream *s, uint32_t position);
// Has it printed what is still to be shown?
bool console_owes(const struct stream *s);
// From here on new output makes an event of console_terminal again.
void console_news_begin(void);
// A capsule has begun or ended; makes such an event, too. Was this called since it was last asked?
void console_change(void);
bool console_has_changed(void);

// The hypervisor's own words, as streams; the second has what must be said in any view, where the first isn't seen.
extern struct stream console_dio, console_urgent;

// Is there a capsule's stream of this name; attaches the terminal to it. False if not.
must_check bool console_has(const char *name);
must_check bool console_go(const char *name);

// Types at a capsule's console for somebody else than the person at the port: how many bytes it took. Its UART
// wants to know afterwards.
size_t console_type(struct stream *s, const uint8_t *bytes, size_t count);

// Waits until everything watched is out of the port's hands: before the machine is switched off.
void console_flush(void);

// Called when a watched stream has something new.
void console_push(struct stream *s);

// One line of the hypervisor for the person at the terminal, shown in either view: a capsule has
// ended, and why. Never blocks; log.c.
void console_announce(const char *format, ...) __attribute__((format(printf, 1, 2)));

// log.c: lines above this level are not made. LOG_INFO at first. Errors are shown in either view,
// others in the interleaved view; what was not on the screen is shown when that is switched to.
void log_level_set(unsigned level);

// For the handler of the hypervisor's own faults: a line straight to the port, whatever the locks and
// rings look like. Call panic() in the end. The first line shows what log lines were still unseen.
void panic_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Stops the other harts and switches off with failure. Whoever owns the harts defines it.
_Noreturn void panic_stop(void);

// For log.c: puts one whole line into the hypervisor's own stream, or on the screen in any view.
void console_say(const char *line, size_t length, bool urgent);

// For log.c, in a panic: takes the port for good, with or without the lock, and shows what the
// hypervisor had said before; then writes to it by polling.
void console_seize(void);
void console_raw(const char *text, size_t length);
