// Drives the prompt without a machine: a keyboard, a stream with as much room as wanted, a clock.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern char prompt_shown[1 << 20]; // what the prompt has written
extern size_t prompt_shown_length;
extern size_t prompt_room;   // bytes its stream will take; SIZE_MAX: any number
extern bool prompt_attached; // is the terminal at the prompt
extern bool prompt_disturb;  // its line was interrupted
extern char prompt_went_to[32];
extern uint64_t prompt_clock; // ticks of a microsecond

// Steps until there is nothing to do but to wait; at most `most` times. False: it goes on and on.
bool prompt_settle(unsigned most);
// Goes on to when it wants to be woken, if there is such a time.
bool prompt_time_passes(void);
void prompt_keys(const void *keys, size_t count);
