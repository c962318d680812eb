// What capsules are made of, for tests of their lives: memory, slabs, images and the console, counted, and each
// of them scarce.
#pragma once

#include "capsule_state.h"

extern uint64_t fake_memory, fake_memory_used; // bytes of all capsules
extern unsigned fake_objects;                  // of slabs, and rings
extern unsigned fake_streams;                  // on the console
extern unsigned fake_scarce;                   // one of so many requests fails; 0: none
extern bool fake_machine_off, fake_machine_well;
extern void (*fake_announced)(const char *format);

void fake_capsules_create(void); // after the harts
// As if somebody had typed at some capsule's console: the next external interrupt tells.
void fake_type(void);

// Ports that are free on every switch.
extern unsigned fake_switch_room;
