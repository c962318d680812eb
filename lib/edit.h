// The line editor. It draws with backspaces and spaces alone, so any terminal will do, and a key at the
// line's end is echoed as itself. A line wider than the terminal is edited right, but may look odd.
#pragma once

#include "types.h"

#define EDIT_SIZE 256u // of a line with its terminating zero

// Given by who uses the editor: where it draws, and what stands before a line.
void edit_put(char c);
extern const char edit_prompt[];

enum edit { EDIT_MORE, EDIT_LINE, EDIT_COMPLETE };

// A key. EDIT_LINE: a line is there; edit_line_take() wants to be called. EDIT_COMPLETE: Tab.
enum edit edit_key(uint8_t key);

// Copies the line out, begins a new one and keeps this one in the history.
void edit_line_take(char line[EDIT_SIZE]);

// Shows prompt and line, at the beginning of a line of the screen.
void edit_draw(void);

// The line up to the cursor is *length bytes, without a zero.
const char *edit_before_cursor(unsigned *length);

// Types text at the cursor.
void edit_insert(const char *text, unsigned length);

void edit_bell(void);

// Is that key the second half of a CR LF? Then it is nothing.
bool edit_is_rest_of_line_end(uint8_t key);
