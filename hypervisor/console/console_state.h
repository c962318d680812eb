// The console's insides, shared by its own files: pump.c moves bytes, screen.c lays out lines, view.c
// chooses what is watched, keys.h reads the keyboard, notice.c words what the console says by itself,
// console.c and log.c are the doors.
#pragma once

#include "screen.h"
#include "stream.h"
#include "types.h"

enum console_drain {
    DRAIN_WAIT,      // start and end of the machine: wait for the port
    DRAIN_INTERRUPT, // the port's interrupt goes on where there was no room
    DRAIN_POLL,      // the same without an interrupt
};

// What the console has to say by itself, before anything else.
enum {
    NOTICE_VIEW = 1 << 0,  // where one is now
    NOTICE_INPUT = 1 << 1, // console.full takes no input
    NOTICE_HELP = 1 << 2,
};

struct console {
    struct latch lock;
    _Atomic uint32_t note; // 1: somebody who did not get the lock has left something to show

    struct list streams;     // the hypervisor's own first, then in the order they were added
    struct stream *attached; // NULL: interleaved
    struct stream *fast;     // attached, and nothing is to be shown but its new bytes
    struct stream *current;  // a line on its way to the screen that must be finished first
    uint32_t current_end;
    struct list *turn; // where the search for the next line begins

    enum console_drain drain;
    bool scan;         // any stream may have something to show
    bool blocked;      // the port has no room, or we have done enough for this time
    bool tx_interrupt; // as told to the port
    bool held;         // an urgent line waits, until held_until at most, for the attached capsule to end its own
    bool midline;      // the cursor is not at the left edge
    unsigned budget;   // bytes that the port surely takes
    unsigned loads;    // times that the budget may still be renewed under this hold of the lock

    unsigned notices;
    struct stream *full;

    struct stream *events_last; // console_events is the first

    char wanted[CAPSULE_NAME_SIZE]; // attach to this one, the first if empty, in console_attach()
    bool waiting;                   // for that
    _Atomic bool kept;              // a console service has the terminal
    bool expected;                  // one is starting, and what is typed waits for it
    bool ends;                      // the machine is going, and what is on the screen is all that is shown
    uint64_t deaf_at;               // there is no room for more, and from then on it does not read; 0: there is room
    _Atomic uint32_t told;          // 1: ... and knows that there is something to look at
    _Atomic uint32_t changed;       // 1: capsules have begun or ended since it looked
    _Atomic uint32_t disturbed;     // the prompt has its line to draw again

    uint64_t held_until;
    uint64_t hold;        // ticks that a line without end waits
    uint64_t poll_period; // ticks between polls where there is no interrupt
    uint64_t deadline;    // of the first such line, or of the next poll, if console_timed
};

extern struct console console;

// terminal.c: a byte from the port is the console service's, if that has the terminal.
must_check bool terminal_take(uint8_t byte);

static inline struct stream *console_stream(struct list *link)
{
    return container_of(link, struct stream, link);
}
