// Harts, and which task each of them runs.
//
// Tasks that are ready wait in one queue for all harts, first come first served. A hart takes the first, begins its
// next run (or goes on with one that was interrupted), and stays with it until the run ends or others are ready and its
// slice is over. Each hart keeps the clocks of the continuations that were made on it.
#pragma once

#include "arch.h"
#include "heap.h"
#include "object.h"

#define SLICE_NANOSECONDS 5000000

#define ATTENTION_NEXT 1 // another run
#define ATTENTION_KICK 2 // harts that wait
#define ATTENTION 4      // other things

struct hart {
    uint8_t attention; // why kernel_next() may not just go on; first: the architecture looks at it
    uint8_t number;
    bool slice_over;
    struct task *current;
    struct object *dying;       // what it has to take apart
    struct heap clocks;         // of continuations
    uint64_t alarm;             // that is set; no later than what is wanted
    uint64_t since;             // when the slice of the current task began; without one, the last one's end, or 0
} __attribute__((aligned(64))); // found by a shift

extern struct hart harts[HARTS_MAX];

void harts_init(const struct machine *m);

// There is nothing to see to but that another run may be the current one: what kernel_next() looks for first.
static inline bool hart_is_set(const struct hart *h)
{
    return h->current && h->attention <= ATTENTION_NEXT;
}

// Nanoseconds in ticks of the clock, at least 1; saturates.
uint64_t ticks_of(uint64_t nanoseconds);

// Another object for this hart to take apart.
void hart_mourn(struct object *o);

// Lets others have the lock for a moment. What the caller knew of things that others can change may be wrong
// afterwards.
void kernel_breathe(void);

// The task has something to run now.
void task_wake(struct task *t);

// This hart's task does not go on: its run has ended, or the task has.
void hart_leave_task(void);

// What a run of it may take.
void task_limit_runs(struct task *t, uint64_t ticks);

// This hart's run is over. If nobody else waits, the next one of its task begins.
void hart_end_run(void);

// If nobody else waits for a hart, and this one has nothing else to do, it can go on with a task that waits.
bool hart_is_free_for(const struct task *t);
void hart_switch(struct task *t);

// Out of the queue, if it is in it.
void task_unqueue(struct task *t);

// The task ends where it runs now, on another hart, as soon as that comes to the kernel.
void hart_doom(struct task *t);

// The alarm of this hart comes at that time at the latest.
void hart_alarm_by(uint64_t time);
