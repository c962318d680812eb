// The commands' output: a step's worth of it is gathered here, and the next step comes when all of it was taken.
#pragma once

#include "types.h"

#define OUT_SIZE 1024u

// What doesn't fit any more is dropped: a step makes less.
void out_char(char c);
void out_repeat(char c, unsigned count);
void out_text(const char *text);
// As printf, understands what format.h says. Control characters in what is formatted become question marks.
void out_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_line_end(void);

// Writes a number's digits and a zero; how many digits. Room for 11 bytes.
unsigned text_number(char *to, uint32_t value);

// How much this step has made.
size_t out_length(void);

// True if everything was taken (prompt.h, out_write()).
must_check bool out_flush(void);
