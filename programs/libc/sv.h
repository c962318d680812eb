// The small libc of programs: the system calls as C functions, and straight-line code on top of them.
//
// A program defines one of two functions:
//
//   void program(void)                its first run, in the style of continuations: it asks for what is to happen
//                                     (sv_then) and returns; the task ends when nothing is left to happen
//   int main(int argc, char **argv)   straight-line code, that waits where it stands (sv_wait); what it returns is
//                                     the task's status
//
// What the calls mean, which rights they need and how they fail is in supervisor.h, at enum sv_call. Those here
// return enum sv_status, and write what they make through pointers, of which those that may be NULL are named so.
// Of the C library there are string.h, ctype.h, stdio.h (ours: printf and a few more), and malloc.
#pragma once

#include <stdbool.h>

#include "riscv/ecall.h"
#include "supervisor.h"

// Nothing here is shared with other images: no detours through a table of addresses.
#pragma GCC visibility push(hidden)

void program(void); // yours

// ---- What a program starts with ----

extern const struct sv_start_page *sv_started;        // what the kernel left for us
extern struct sv_handle sv_self, sv_frames, sv_clock; // our own task, budget of memory, and clock

#define SV_NONE ((struct sv_handle){{0}})

static inline bool sv_is_none(struct sv_handle handle)
{
    return !(handle.word[0] | handle.word[1] | handle.word[2] | handle.word[3]);
}

// What we were given by that name; SV_NONE if nothing.
struct sv_handle sv_granted(const char *name);

// ---- Continuations ----

// Each adds one: when 'source' has something to say, 'code' runs with 'argument'. See SV_THEN.
enum sv_status sv_then(struct sv_handle source, sv_code *code, sv_word argument);
enum sv_status sv_then_always(struct sv_handle source, sv_code *code, sv_word argument); // SV_AGAIN
enum sv_status sv_then_room(struct sv_handle channel, sv_code *code, sv_word argument);  // SV_ROOM
enum sv_status sv_then_at(uint64_t ticks, sv_code *code, sv_word argument);
enum sv_status sv_then_now(sv_code *code, sv_word argument);
enum sv_status sv_on_error(sv_code *code, sv_word argument); // SV_ON_ERROR

// All that SV_THEN can do.
struct sv_then {
    sv_code *code;
    sv_word argument;
    unsigned flags;                // enum sv_then_flag
    uint64_t ticks;                // of a clock
    const struct sv_handle *group; // NULL: no limits
};
enum sv_status sv_then_with(struct sv_handle source, const struct sv_then *then, sv_word *number); // NULL: not needed

enum sv_status sv_cancel(sv_word number);
_Noreturn void sv_finish(void);         // ends the run, as returning from its code does
_Noreturn void sv_exit(sv_word status); // ends this task
enum sv_status sv_end(struct sv_handle task, sv_word status);

// ---- Capabilities ----

struct sv_what {
    enum sv_type type;
    unsigned rights;
    sv_word value[2]; // by type, see SV_WHAT
};
enum sv_status sv_what(struct sv_handle handle, struct sv_what *what);
enum sv_status sv_copy(struct sv_handle handle, unsigned rights, struct sv_handle *copy);
enum sv_status sv_revoke(struct sv_handle handle);
enum sv_status sv_drop(struct sv_handle handle);
enum sv_status sv_group(const struct sv_handle *handles, unsigned count, struct sv_handle *group);
enum sv_status sv_member(struct sv_handle group, unsigned n, struct sv_handle *member);

// ---- Memory ----

// 'address' may be NULL.
enum sv_status sv_allocate(struct sv_handle frames, size_t size, unsigned access, unsigned flags, void **address,
                           struct sv_handle *region);
enum sv_status sv_access(struct sv_handle region, unsigned access);
enum sv_status sv_split(struct sv_handle frames, size_t count, struct sv_handle *part);

// ---- Messages ----

enum sv_status sv_channel(struct sv_handle frames, unsigned depth, struct sv_handle *channel);
static inline enum sv_status sv_send(struct sv_handle channel, sv_word word0, sv_word word1, sv_word word2,
                                     sv_word word3)
{
    sv_word a[] = {word0, word1, word2, word3, 0, 0};
    return sv_ecall(SV_SEND, &channel, a, 6);
}

// The last thing that a run does: when the message has gone, the run is over, and so is the flow that it may be in.
// Returns errors only.
static inline enum sv_status sv_send_last(struct sv_handle channel, sv_word word0, sv_word word1, sv_word word2,
                                          sv_word word3)
{
    sv_word a[] = {word0, word1, word2, word3, 0, SV_LAST};
    return sv_ecall(SV_SEND, &channel, a, 6);
}

// With capabilities; 'count' may have SV_LAST added.
enum sv_status sv_send_with(struct sv_handle channel, const sv_word words[SV_MESSAGE_WORDS],
                            const struct sv_transfer *transfers, unsigned count);

// A copy with fewer rights, or the thing itself, to go along with a message or grant.
static inline struct sv_transfer sv_share(struct sv_handle handle, unsigned rights)
{
    return (struct sv_transfer){.handle = handle, .rights = rights};
}
struct sv_transfer sv_share_all(struct sv_handle handle); // with all rights that we have
static inline struct sv_transfer sv_move(struct sv_handle handle)
{
    return (struct sv_transfer){.handle = handle, .rights = SV_RIGHTS_ALL, .move = 1};
}

// ---- Other programs ----

enum sv_status sv_open(struct sv_handle archive, const char *name, struct sv_handle *image);

// 'task' may be NULL: nobody watches it then. 'fault' (may be NULL) says why an image can't be loaded.
enum sv_status sv_start(struct sv_handle image, const struct sv_start *start, struct sv_handle *task,
                        enum sv_image_fault *fault);

// Prepares one: paid from our own budget, 'frame_count' frames for the new task, no grants yet. Arguments that
// are too long are cut.
void sv_start_prepare(struct sv_start *start, size_t frame_count, const char *arguments);
// Adds a grant to it; 'grants' is an array with room for SV_GRANTS_MAX, the same for all of one start.
void sv_start_grant(struct sv_start *start, struct sv_grant *grants, const char *name, struct sv_transfer transfer);

// ---- Time, randomness, devices, the whole ----

uint64_t sv_time(void); // now, in ticks
static inline uint64_t sv_ticks(uint64_t milliseconds)
{
    return sv_started->ticks_per_second * milliseconds / 1000;
}
enum sv_status sv_random(void *to, size_t size);
enum sv_status sv_write(struct sv_handle console, const void *bytes, size_t size, size_t *taken);
enum sv_status sv_read(struct sv_handle console, void *bytes, size_t size, size_t *taken);
enum sv_status sv_complete(struct sv_handle interrupt);
enum sv_status sv_inspect(struct sv_handle system, enum sv_kind kind, uint32_t from, void *to, size_t size,
                          uint32_t *id);
// SV_FAILED: *error is the SBI error, and *value says more.
enum sv_status sv_hypervisor(struct sv_handle hypervisor, sv_word function, struct sv_hypervisor_call *call,
                             sv_word *value, sv_word *error);
enum sv_status sv_power(struct sv_handle system, bool reboot);

// ---- Straight-line code ----
//
// A flow is code with a stack of its own that may wait where it stands. main() is one. Under it are continuations:
// while a flow waits its task does not run, and the task's other continuations and flows may.

// Something to wait for, and how it went.
struct sv_source {
    struct sv_handle handle;
    unsigned flags; // SV_ROOM or 0
    uint64_t ticks; // of a clock: when
};
struct sv_happening {
    unsigned source; // which of them
    enum sv_event event;
    sv_word word[SV_MESSAGE_WORDS];
    unsigned handle_count;
    struct sv_handle handle[SV_MESSAGE_HANDLES];
};

#define SV_SOURCES_MAX 8

// Only in flows, else SV_INVALID. Other errors are those of SV_THEN.
enum sv_status sv_wait(struct sv_handle source, struct sv_happening *happening);
enum sv_status sv_wait_any(const struct sv_source *sources, unsigned count, struct sv_happening *happening);
enum sv_status sv_sleep(uint64_t milliseconds);

// Starts another flow, which runs when this run has ended. Its stack is paid from our own budget.
enum sv_status sv_go(void (*function)(void *), void *argument);

// ---- The console ----
//
// printf() and what else is in stdio.h write to the grant "console". Keys come from the grant "keyboard", a channel
// with one in word 0 of each message, or from "console" if that may be read.

// Writes all of it, with a carriage return before each new line. Nothing if there is no console.
void sv_console_write(const char *text, size_t size);

// ---- Words for people ----

const char *sv_status_text(enum sv_status status);
const char *sv_image_fault_text(enum sv_image_fault fault);
// How a task ended, from the words of SV_EVENT_END or SV_EVENT_ERROR, in less than 80 characters.
void sv_end_text(char text[80], const sv_word words[SV_MESSAGE_WORDS]);

#pragma GCC visibility pop
