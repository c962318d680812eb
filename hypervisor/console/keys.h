// What is typed, and what the console says of keys. In the hypervisor (plain.c) no key means anything: all go to the
// console service, or, without one, to the capsule that gets the input. In the service (programs/console/keys.c) one
// leads from one capsule to the next.
#pragma once

#include "types.h"

// All under the console's lock. A byte from the port, when no service keeps the terminal.
void keys_take(uint8_t byte);

// Adds to the line that says where one is, how one goes elsewhere.
void keys_hint(void);
// Says what the keys are. One notice at a time: each fits the screen's text.
void keys_help(void);

// For the service's main.c: the key that switches the machine off was typed.
void keys_off(void);
