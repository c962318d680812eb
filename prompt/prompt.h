// The management prompt's commands: what a person, or a program with lines, does to capsules while they run.
//
//   a line -> command (words, the named capsule) -> ask (a management call) -> out -> output
//
// They are a client of the management calls (include/diosix.h) and know nothing else of capsules. Two programs have
// them: the console service (programs/console), at the machine's terminal; and dio-guest (guests/dio-guest), in a Linux
// guest that manages its children. A command runs in short steps: each makes a few calls, or about one line of output.
//
// Here is what a program gives them.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "diosix.h"

// Is the person at the machine's terminal? Commands that make no sense elsewhere are refused.
extern const bool prompt_is_at_terminal;

// Makes a management call as include/diosix.h lists it: `n` are its arguments in order without size and address, 64-bit
// values as one; what those would name lies in `buffer`, which it reads or writes. Answers an SBI error; *value is the
// call's.
long prompt_call(enum diosix_call function, const uint64_t n[3], void *buffer, size_t size, uint64_t *value);

// The time now, and in so many milliseconds, in ticks of whatever kind.
uint64_t prompt_time(unsigned milliseconds_from_now);

// In commands that go on until a key is typed: is there one, or is nobody there any more?
bool prompt_is_interrupted(void);

// A command is over, well or not, or there was none on the line.
void prompt_finished(bool any, bool failed);

// Output (out.h): says how much of it was taken.
size_t out_write(const char *bytes, size_t count);
