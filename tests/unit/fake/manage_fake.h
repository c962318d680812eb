// A fake manage_as: a table of capsules, and what it was asked last.
#pragma once

#include "manage.h"

#define FAKE_CAPSULES 64u

extern struct diosix_status fake_capsules[FAKE_CAPSULES]; // by id - 1; without a name: gone
extern bool fake_breeds; // capsule 3 makes another child with each look at a whole status
extern bool fake_denies; // capsules have no rights
extern unsigned fake_capsule_count;
uint32_t fake_add(const char *name, uint32_t parent, enum diosix_state state);

extern long fake_error;       // what calls that change something answer
extern long fake_equip_error; // what DIOSIX_EQUIP answers
extern uint64_t fake_lack;
extern struct manage_call fake_last; // the last of these, and a copy of its buffer
extern enum diosix_call fake_last_function;
extern char fake_last_buffer[2048];

extern const char *fake_log;              // everything each capsule printed
extern unsigned fake_records;             // exits kept
extern unsigned fake_calls_until_stopped; // looks at its status after which a capsule has stopped; 0: it goes on

uint64_t fake_uptime(void); // the test's, nanoseconds
