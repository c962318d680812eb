// Moving bytes from the streams to the port. All under the console's lock, but for taking it.
#pragma once

#include "console_state.h"

void console_acquire(void);

// Shows what others left a note about meanwhile.
void console_release(void);

// console_push() for who holds the lock; lets go of it.
void pump_push(struct stream *s);

// Moves what all streams have to show, as far as the port takes it.
void pump_all(void);

// The transmit interrupt, as what was not moved needs it; also if events wait that the caller isn't
// about to take.
void pump_interrupt_update(bool for_events);

// The stream has got room or input: its owner is to be told.
void pump_event(struct stream *s);

// The console service is to look at what there is.
void pump_tell(void);

// A byte that was typed, for who gets the input now.
void input_deliver(uint8_t byte);

// To be called when a stream's `shown` or limit has changed otherwise: a waiting writer is woken.
void pump_starved(struct stream *s);
