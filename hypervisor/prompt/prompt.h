// The management prompt: what a person at the terminal does to capsules while they run.
//
//   input -> edit (a line) -> command (words, the named capsule) -> ask (a management call) -> out -> output
//
// It is a client of the management calls and knows nothing else of capsules, so that it can become a program
// outside of M-mode. Its entity runs on any hart, one at a time, in short steps: a step reads a few keys, or
// makes about one line of output; the next comes when the output stream has taken that. All state is static;
// nobody else touches it, so there is no lock.
#pragma once

#include "sched.h"

// Puts the prompt on the console, its entity at home on this hart. Once, before any capsule is launched.
void prompt_init(struct hart *home);

// For its own parts: the next key, -1 if there is none. The time now, and in so many milliseconds.
int prompt_key(void);
uint64_t prompt_time(unsigned milliseconds_from_now);
