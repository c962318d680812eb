// What each exit costs. Under `-icount shift=0` one instruction is one nanosecond; without it the
// same lines are nanoseconds by the wall clock (boot argument clock=wall).
#pragma once

#include "test.h"

// Nanoseconds of guest time, to a few instructions: waits for the clock's next tick.
uint64_t fine_now(void);
// Average cost of one call, less that of an empty one; prints `MICRO name value`.
void measure(const char *name, void (*operation)(void), unsigned rounds);
void report(const char *name, uint64_t value);

// Vectors in vectors.S, for code that spins in assembly and lends them t3 to t6.
extern char vector_software[], vector_timer[];
unsigned long spin_ipi(unsigned long mask, unsigned long base);
uint64_t spin_timer(unsigned long tick_ns);

void micro_calls(void), micro_devices(void), micro_interrupts(void), micro_cross(void);
void micro_stolen(void), micro_nap(void);
// By the console in the first virtio slot, if one is there.
void micro_virtio(void);
