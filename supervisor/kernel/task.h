// Tasks: programs that run, with their capabilities and continuations.
//
// A task lies in one block of frames: its registers, its continuations, and the first part of its table of
// capabilities. Whoever starts it pays for the block; all else is paid from its own budget.
//
//      LOADING --> WAITING <--> READY <--> RUNNING
//                     \____________\__________\__> ENDED --> no more, when nobody holds a capability to it
//
// A task that is to end while it runs on another hart is doomed: it ends as soon as that hart comes into the kernel.
#pragma once

#include "arch.h"
#include "capability.h"
#include "group.h"
#include "heap.h"

#define STEP_WORK 64 // pages, entries or the like that are dealt with before others get the lock

enum continuation_state { CONTINUATION_FREE, CONTINUATION_WAITING, CONTINUATION_FIRED, CONTINUATION_RUNNING };

// What a task runs when something happens. Its event is what it waits for, or what happened.
struct continuation {
    struct list link; // with others that wait for the same, or are to run
    struct heap_node clock;
    struct task *task;
    struct capability *by; // by which it waits; NULL: for itself, or it can't any more
    struct group *limit;   // what its run is limited to; NULL: nothing
    uintptr_t code;
    sv_word argument;
    sv_word words[SV_MESSAGE_WORDS];
    uint32_t generation; // of its place
    uint8_t state;       // enum continuation_state
    uint8_t event;       // enum sv_event
    uint8_t hart;        // whose clock it waits for
    uint8_t flags;       // enum sv_then_flag
};

enum task_state { TASK_LOADING, TASK_WAITING, TASK_READY, TASK_RUNNING, TASK_ENDED };

struct task_end {
    sv_word words[SV_MESSAGE_WORDS]; // enum sv_end, status or enum sv_fault, pc, address
};

// Frames of entries that a task's table is made of beside what is in its block.
#define TABLE_FRAME (FRAME_SIZE / sizeof(struct capability))
#define TABLE_FRAMES ((SV_CAPABILITIES_MAX + TABLE_FRAME - 1) / TABLE_FRAME)
#define TABLE_INLINE 32
#define TASK_BUCKETS (512 / sizeof(void *)) // of its hash table

struct task {
    struct frame frame; // first: its address is the task's
    struct object object;
    struct capability *bucket[TASK_BUCKETS];
    unsigned fast_calls; // calls with numbers below it need nothing but a capability that passed
    struct space space;

    uint8_t state;        // enum task_state
    bool is_ending;       // its space is no more
    bool is_interrupted;  // in the middle of a run
    bool is_doomed;       // to end as 'end' says
    unsigned hart;        // it runs or ran last on
    struct list ready;    // in the queue
    struct task_end end;  // how it ended or will
    struct group *limit;  // of this run
    uint64_t run_limit;   // ticks that a run may take
    uint32_t first_alarm; // ticks after the beginning of a run
    uint64_t run_ticks;   // that this one took before its slice
    uint64_t ticks;       // that it ran
    sv_word runs;

    struct list fired, free;       // continuations
    struct continuation *running;  // NULL: it was used up
    struct continuation *on_error; // runs when a run goes wrong
    unsigned pending;              // continuations but that one

    uint32_t parent;      // id
    struct funds *payer;  // of the block
    struct funds *funds;  // its own
    uintptr_t entry;      // of its program
    uintptr_t start_page; // addresses
    uintptr_t stack_low, stack_high;
    unsigned char *stack_top; // the kernel's view of the page below stack_high
    char program[SV_NAME_SIZE];

    unsigned capabilities; // in the table
    struct capability *free_entry;
    struct capability *place; // for what a call makes
    struct capability *table[TABLE_FRAMES];
    unsigned table_frames;
    struct continuation continuation[SV_CONTINUATIONS_MAX];
    struct capability entry_inline[TABLE_INLINE];
};

static inline struct task *task_of(struct object *o)
{
    return container_of(o, struct task, object);
}

// A task that isn't running anything yet, with a space, and a budget of 'frames' out of 'pays'. Its one reference goes
// when it has ended (task_end()).
must_check enum sv_status task_create(struct funds *pays, uint64_t frames, struct task **out);

// What the block of a task takes.
uint64_t task_block_frames(void);

// It ends, for this reason. If it runs on another hart, that is soon; else now.
void task_end(struct task *t, struct task_end end);
// Why the last one that ended did.
const struct task_end *task_last_end(void);

// What a run of it did goes wrong: its error continuation runs, or it ends.
void task_fail(struct task *t, struct task_end why);

// A step of what is left to do when a task has ended, or nobody knows of it any more.
bool task_destroy(struct object *o);

// --- its table of capabilities

// A free place. SV_LIMIT, SV_NO_MEMORY
must_check enum sv_status table_take(struct task *t, struct capability **out);
void table_put(struct task *t, struct capability *place);

// Places of the table, taken or not.
static inline unsigned table_size(const struct task *t)
{
    return TABLE_INLINE + t->table_frames * TABLE_FRAME;
}
static inline struct capability *table_entry(const struct task *t, unsigned n)
{
    if (n < TABLE_INLINE)
        return (struct capability *)(uintptr_t)&t->entry_inline[n];
    n -= TABLE_INLINE;
    return &t->table[n / TABLE_FRAME][n % TABLE_FRAME];
}

// The capability of that handle, as two numbers; NULL: it has no such.
static inline struct capability **task_bucket(const struct task *t, uint64_t low)
{
    size_t offset = (size_t)low & (sizeof(t->bucket) - sizeof(*t->bucket)); // fewer steps than an index takes
    return (struct capability **)((uintptr_t)t->bucket + offset);
}
static inline struct capability *capability_named(const struct task *t, uint64_t low, uint64_t high)
{
    struct capability *c = *task_bucket(t, low);

    while (c && (c->handle[0] != low || c->handle[1] != high))
        c = c->chain;
    return c;
}

// --- its continuations (continuation.c)

void continuations_init(struct task *t);

// One that is to run; NULL: SV_CONTINUATIONS_MAX are there.
must_check struct continuation *continuation_take(struct task *t, uintptr_t code, sv_word argument,
                                                  struct group *limit);

// It waits for what its capability names to have something for it, or has it already.
void continuation_wait(struct continuation *c);

// It is to run now, for this reason.
void continuation_fire(struct continuation *c, enum sv_event event);

// It is to run once more, to hear that what it waited for can't happen any more.
void continuation_gone(struct continuation *c);

// All in a list of those that wait, for this reason; 'words' of the event, or NULL.
void continuations_fire(struct list *waiters, enum sv_event event, const sv_word *words);

// Begins the run of a continuation in the task's frame, with these words, and with so many handles on its stack. It is
// in no list.
void run_enter(struct task *t, struct continuation *c, const sv_word *words, unsigned count);

// Begins the first run that there is.
void run_begin(struct task *t);

// This run is over. False: nothing is left that the task waits for.
bool run_end(struct task *t);

// It is over as its program wishes. The answer of a call that does that.
enum sv_status run_finish(struct task *t);

// The same, with a message in its call's arguments for a continuation that waits, whose run begins on this hart.
enum sv_status run_hand_over(struct task *t, struct continuation *c);

// All are gone.
void continuations_clear(struct task *t);

// Those that wait by this capability can't any more.
void continuations_lose(struct task *t, const struct capability *by);

// (source, code, argument, flags, ticks low, ticks high, group), (own task, number), (own task), (task, status)
enum sv_status call_then(struct task *t, struct capability *c);
enum sv_status call_cancel(struct task *t, struct capability *c);
enum sv_status call_finish(struct task *t, struct capability *c);
enum sv_status call_end(struct task *t, struct capability *c);
