// Measures lives of capsules, from inside one with the right `manage`: what its children and clones cost, and what
// neighbours cost who sleeps. Prints lines `LIVES name figure`; times in nanoseconds.
#pragma once

#include <string.h>

#include "diosix.h"
#include "test.h"

// The least that holds the payload, the device tree and what lies before them: large pages.
#define CHILD_MEMORY_LEAST (XLEN == 32 ? 12 << 20 : 8 << 20)

struct child {
    const char *role;   // its lives=..., of this payload
    const char *kernel; // another's; its command line is then `role`
    const char *initrd;
    uint64_t memory;
    uint32_t vcores, weight; // weight 0: the default
};

struct sbi_result manage(unsigned function, unsigned long a0, unsigned long a1, unsigned long a2);
struct diosix_status status_of(uint32_t id);

// Their id; 0, and a line that says why, if it can't be.
uint32_t child_create(const struct child *);
uint32_t child_start(const struct child *);
void child_destroy(uint32_t id);
// The number behind the line-th `word ` that a child prints, waiting for it; 0 if it never comes.
unsigned long child_says(uint32_t id, const char *word, unsigned lines);

// Whether `text` is in what a child has printed, in ten minutes at most; so that looking costs the child little, every
// 100 microseconds.
bool child_prints(uint32_t id, const char *text);

void sleep_us(unsigned microseconds);
void sleep_ms(unsigned milliseconds);
unsigned long ns(unsigned long time);

// beside.c
bool beside_works(void); // once it does
void measure_exits(void);

// linux.c
void measure_linux(void);
void measure_linux_fork(void);

// schedule.c
void measure_shares(void);
void measure_wakes(void);
void measure_wakes_beside(void);
void measure_switches(void);
_Noreturn void role_spin(void);
_Noreturn void role_turns(void);
