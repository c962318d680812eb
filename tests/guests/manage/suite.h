#pragma once

#include "diosix.h"
#include "test.h"

// One call each; structures by address. Where the child is made: "kernel-1" is this payload.
struct sbi_result manage_call(unsigned function, unsigned long a0, unsigned long a1, unsigned long a2);
struct sbi_result manage_struct(unsigned function, unsigned long id, size_t size, const void *at);
struct sbi_result manage_set(unsigned long id, enum diosix_setting setting, uint64_t value);
struct sbi_result manage_give_up(enum diosix_setting setting, uint64_t value);

#define INVALID_STATE (-10)

// A child with a role, created but not started; 0 if that failed.
uint32_t child_create(const char *name, const char *cmdline);
uint32_t child_start(const char *name, const char *cmdline);
struct diosix_status child_status(uint32_t id);
bool child_becomes(uint32_t id, enum diosix_state state);
bool child_says(uint32_t id, const char *text);
// Destroys it and waits until it is gone.
bool child_remove(uint32_t id);

int child_main(void); // what children do

void manage_version(void);
void manage_self(void);
void manage_create_bad(void);
void manage_addresses(void);
void manage_foreign(void);
void life_start_and_end(void);
void life_kill(void);
void life_restart(void);
void life_pause(void);
void life_stop(void);
void life_crash(void);
void life_details(void);
void life_console(void);
void life_devices(void);
void life_destroy(void);
void tree_grandchildren(void);
void tree_ends_with_parent(void);
void tree_quota(void);
void tree_rights(void);
void settings(void);
void trace_kinds(void);
void trace_lives(void);
void trace_switch(void);
void fork_self(void);
void fork_child(void);
void fork_counts(void);
void fork_asked(void);
void fork_rights(void);
void fork_many(void);
void machine_tell(void);
void loops_from_all_harts(void);
void give_up(void);
void socket_service(void);
void socket_refusals(void);
