// What is on the terminal: whose line is open, and the text that goes there before anything else.
// All under the console's lock.
#pragma once

#include "stream.h"
#include "types.h"

// The most that one call of screen_byte() adds.
#define SCREEN_WORST 160u

struct screen {
    uint8_t out[1024];
    uint32_t length, sent;
    struct stream *line; // whose unfinished line the cursor is on, in the interleaved view
};

extern struct screen screen;

static inline bool screen_has_room(void)
{
    return screen.length + SCREEN_WORST <= sizeof(screen.out);
}

// One byte of a stream as the interleaved view shows it. Needs screen_has_room().
void screen_byte(struct stream *s, uint8_t byte);

// The console's own lines. Each is at home afterwards and fits an empty screen.out.
void screen_line_begin(void);
void screen_text(const char *text);
void screen_number(uint32_t value);
void screen_line_end(void);

// "N bytes of output dropped", if so.
void screen_dropped(struct stream *s);
