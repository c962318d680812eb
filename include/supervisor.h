// The supervisor's system calls: what a program and its kernel say to each other.
//
// The model. A program is a task: a set of continuations with capabilities of its own. A continuation is an event
// to wait for, code to run then, and an argument for it. The kernel runs one at a time per task, each on a clean
// stack; a run ends when it says so (SV_FINISH), and what it leaves behind is the continuations it asked for
// (SV_THEN). Nothing else waits: a system call never blocks. A task with no continuation left has ended.
//
// Handles. What a task may do it may do by the capabilities it holds, each named by a handle: 128 bits from the
// kernel's random numbers. A handle names a capability of its holder and is worth nothing in other hands. Each call
// acts by one handle, and its type decides what the call means.
//
// Registers on RISC-V. ECALL with the call in a1, the handle in a2, a3 (RV64) or a2 to a5 (RV32), least significant
// word first, and arguments in t3 to t6, t1, t2. The answer: enum sv_status in a0, values in t3 to t6, and a new
// handle, where a call makes one, where the old one was. Other registers of a, t (and ra) are undefined afterwards, all
// else is as it was. "Word" means a register's width. Floating-point and vector registers are not there.
//
// Runs. The kernel enters a program always at the entry point of its ELF file, with t0 = the continuation's code
// (0 in a task's first run), a0 = its argument (in the first run the address of struct sv_start_page), a1 = enum
// sv_event, a2 to a5 = four words, a6 = a number of handles, a7 = their address (on the stack), sp = the top of the
// clean stack (aligned to 16), and every other register 0. libc's entry calls the code and ends the run when it
// returns, so that code is a plain C function of type sv_code.
//
// Memory. There is one address space: an address means the same to everybody, and may be given to anybody. Whether
// a task may read, write or execute there depends on the regions it holds. Pages appear when they are touched
// first, filled with zero. Structures and buffers named in a call lie in memory that the caller may read (or write,
// where the kernel answers there), else SV_FAULT. They are copied in once. Little-endian, no padding but what is
// named.
//
// Errors, beside each call's own:
//   SV_BAD_HANDLE  no such handle, or not the caller's, or revoked, or outside the group that the run is limited to
//   SV_BAD_TYPE    the handle names something that has no such call
//   SV_DENIED      the capability lacks the right
//   SV_INVALID     an argument is out of its range
//   SV_FAULT       memory that the caller may not access so
//   SV_NO_MEMORY   the frames capability, or the kernel itself, has too little left
//   SV_LIMIT       the task has as many capabilities (SV_CAPABILITIES_MAX) or continuations as it may
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SV_VERSION 2

#define SV_CAPABILITIES_MAX 256  // held by a task
#define SV_CONTINUATIONS_MAX 64  // of a task
#define SV_MESSAGE_WORDS 4       // in a message
#define SV_MESSAGE_HANDLES 4     // in a message
#define SV_QUEUE_MAX 64          // messages in a channel
#define SV_GROUP_MAX 16          // capabilities in a group
#define SV_GRANTS_MAX 16         // capabilities that a new task is given
#define SV_NAME_SIZE 32          // of a program or grant, with its terminating zero
#define SV_ARGUMENTS_SIZE 256    // bytes of a program's arguments, with the terminating zero
#define SV_REGION_MAX (1u << 30) // bytes in a region; on RV32 a quarter of that
#define SV_SEED_MAX 64           // bytes of one SV_RANDOM

typedef uintptr_t sv_word;

// Names a capability. All zero names none.
struct sv_handle {
    _Alignas(8) uint32_t word[4];
};

enum sv_status {
    SV_OK = 0,
    SV_BAD_HANDLE = 1,
    SV_BAD_TYPE = 2,
    SV_DENIED = 3,
    SV_INVALID = 4,
    SV_FAULT = 5,
    SV_NO_MEMORY = 6,
    SV_LIMIT = 7,
    SV_FULL = 8,       // the channel's queue
    SV_NOT_FOUND = 9,  // no such thing, or no more of them
    SV_GONE = 10,      // the other side of it is no more
    SV_BAD_IMAGE = 11, // not a program that can be loaded
    SV_FAILED = 12     // the hypervisor's or firmware's answer is an error
};

// What a capability is for, and the rights it may carry. SV_RIGHT_COPY goes with any type: the holder may make
// further, narrower ones of it (SV_COPY) and send copies; without it, it can only be moved.
enum sv_type {
    SV_TYPE_NONE = 0,
    SV_TYPE_REGION = 1,      // memory: READ, WRITE, EXECUTE. Mapped for whoever holds it
    SV_TYPE_FRAMES = 2,      // a budget of physical memory: USE
    SV_TYPE_CHANNEL = 3,     // a queue of messages: SEND, RECEIVE
    SV_TYPE_TASK = 4,        // WATCH (its end), END
    SV_TYPE_CLOCK = 5,       // WAIT
    SV_TYPE_INTERRUPT = 6,   // WAIT (and SV_COMPLETE)
    SV_TYPE_CONSOLE = 7,     // READ, WRITE
    SV_TYPE_ARCHIVE = 8,     // the programs that came with the kernel: USE
    SV_TYPE_IMAGE = 9,       // one of them: USE
    SV_TYPE_GROUP = 10,      // some capabilities together: USE
    SV_TYPE_SYSTEM = 11,     // the whole: READ (inspect), POWER
    SV_TYPE_HYPERVISOR = 12, // what is beneath: USE (Diosix's SBI extension)
    SV_TYPES
};

enum sv_right {
    SV_RIGHT_READ = 1,
    SV_RIGHT_WRITE = 2,
    SV_RIGHT_EXECUTE = 4,
    SV_RIGHT_SEND = 8,
    SV_RIGHT_RECEIVE = 16,
    SV_RIGHT_WATCH = 32,
    SV_RIGHT_END = 64,
    SV_RIGHT_WAIT = 128,
    SV_RIGHT_USE = 256,
    SV_RIGHT_POWER = 512,
    SV_RIGHT_COPY = 1024,
    SV_RIGHTS_ALL = 2047
};

enum sv_call {
    // (any): what the handle names. Values: enum sv_type, rights, and for a region its address and size in bytes,
    // for frames the frames left and in all, for a channel the messages waiting and its depth, for a task whether
    // it is the caller's own and its id, for a clock the time now in ticks (low and high word, as of SV_EVENT_TIME).
    SV_WHAT = 0,

    // (source, code, argument, flags, ticks low, ticks high, group): adds a continuation to the caller. What it
    // waits for is the source's type: its own task: now (or, with SV_ON_ERROR, an error: below); another task: its
    // end; a clock: the time in ticks (the high half is used on RV32 only; a time that is past is now); a channel:
    // a message, or with SV_ROOM room for one; the console: input; an interrupt: that. 'group': 0, or the address
    // of a group's handle: the run may then act by the capabilities of that group (and its own task) only, and what
    // it makes or receives. Value: the continuation's number in this task. It is used up when it runs, unless SV_AGAIN.
    SV_THEN = 1,

    // (own task, number): takes back a continuation that has not run yet. SV_NOT_FOUND: no such
    SV_CANCEL = 2,

    // (own task): ends the run. Does not return.
    SV_FINISH = 3,

    // (task, status): ends a task at once. Whoever watches it gets SV_EVENT_END. Of the own task: does not return.
    SV_END = 4,

    // (channel, word, word, word, word, transfers, count): sends a message; 'transfers' is the address of 'count'
    // struct sv_transfer. A region that is moved is gone from the sender's memory when the call returns. All or
    // nothing: on an error nothing has moved. With SV_LAST added to 'count', a message that was sent ends the run, as
    // SV_FINISH does; only errors return. SV_FULL: the queue; SV_GONE: nobody can ever receive it
    SV_SEND = 5,

    // (any, rights): a new handle for the caller to the same thing, with these rights and no more than the old one
    // has. It is derived from the old one: revoking that takes it away.
    SV_COPY = 6,

    // (any): everything that was derived from it, by anybody at any remove, is gone. It stays itself.
    SV_REVOKE = 7,

    // (any): the caller's capability is gone, with everything derived from it. A thing that nobody holds any more
    // is no more; what it took of a budget is given back.
    SV_DROP = 8,

    // (own task, address of handles, count): a group of capabilities of the caller's own. It holds copies of them.
    SV_GROUP = 9,

    // (group, n): a handle for the caller to the group's n-th capability, from 0. SV_NOT_FOUND: there are fewer
    SV_MEMBER = 10,

    // (frames, size, access, flags): a region of memory, rounded up to pages, paid from that budget. 'access' is READ
    // or READ|WRITE, enum sv_region_flag. Value: its address. SV_LAZY is the default: frames are taken from the
    // budget when the region is made (they can't run out later) and given pages when first touched.
    SV_ALLOCATE = 11,

    // (region, access): how the caller itself may access it from now on: READ, WRITE, EXECUTE, no more than the
    // capability's rights, and not both of WRITE and EXECUTE. 0 hides it.
    SV_ACCESS = 12,

    // (frames, count): a budget of its own, taken from this one, given back when it is dropped.
    SV_SPLIT = 13,

    // (frames, depth): a channel for 'depth' messages, 1 to SV_QUEUE_MAX. Its handle can send and receive.
    SV_CHANNEL = 14,

    // (image, address of struct sv_start): loads and starts a program. The handle: its task, with all rights.
    // SV_BAD_IMAGE: value enum sv_image_fault says why not
    SV_START = 15,

    // (interrupt): has been dealt with; the next may come.
    SV_COMPLETE = 16,

    // (console, address, size): writes. Value: how many bytes it took.
    SV_WRITE = 17,

    // (console, address, size): takes input that has come, without waiting. Value: how many bytes.
    SV_READ = 18,

    // (system, enum sv_kind, from, address, size): describes what there is: writes the structure of that kind for the
    // thing with the lowest id that is at least 'from'. Value: that id. SV_NOT_FOUND: there is none
    SV_INSPECT = 19,

    // (archive, address of a name, its length): a handle to that program's image. SV_NOT_FOUND
    SV_OPEN = 20,

    // (hypervisor, function, address of struct sv_hypervisor_call): a call of Diosix's SBI extension
    // (include/diosix.h). Values: its value; the SBI error, with SV_FAILED
    SV_HYPERVISOR = 21,

    // (system, 0: off, 1: reboot): of the machine or capsule that the supervisor runs on.
    SV_POWER = 22,

    // (own task, address, size up to SV_SEED_MAX): random bytes.
    SV_RANDOM = 23,

    SV_CALLS
};

enum sv_then_flag {
    SV_AGAIN = 1,   // the continuation waits again when its run has ended. Not for now, errors and clocks
    SV_ROOM = 2,    // of a channel: wait until there is room in its queue (right SEND)
    SV_ON_ERROR = 4 // of the own task: run when a run of this task went wrong; used up by it. One at a time:
                    // the newest replaces the one before
};

enum sv_send_flag { SV_LAST = 256 };

enum sv_region_flag {
    SV_LAZY = 0,
    SV_POPULATED = 1, // all pages are there at once
    SV_GUARDED = 2    // the pages before and behind it stay empty, whatever is made later
};

// Why code runs, in a1, and what its four words say.
enum sv_event {
    SV_EVENT_START = 0, // a task's first run
    SV_EVENT_NOW = 1,
    SV_EVENT_TIME = 2,    // words 0, 1: the time now in ticks, low and high word (word 1 is 0 on RV64)
    SV_EVENT_MESSAGE = 3, // its four words, and the handles that came with it
    SV_EVENT_ROOM = 4,
    SV_EVENT_INPUT = 5,     // word 0: how many bytes are there
    SV_EVENT_INTERRUPT = 6, // word 0: its number
    SV_EVENT_END = 7,       // word 0: enum sv_end, word 1: status, or enum sv_fault of a fault; 2: pc, 3: address
    SV_EVENT_ERROR = 8,     // words as of SV_EVENT_END: what went wrong
    SV_EVENT_GONE = 9       // what it waited for can't happen any more: revoked, or nobody is left to send
};

// How a task ended, or what an error event is about.
enum sv_end {
    SV_END_STATUS = 0,        // by SV_END, or with no continuation left (status 0)
    SV_END_FAULT = 1,         // its code did what it may not
    SV_END_OVERRUN = 2,       // a run took longer than its budget
    SV_END_OUT_OF_MEMORY = 3, // no frame for a page that it touched
    SV_END_KILLED = 4         // by someone else; status as given
};

enum sv_fault {
    SV_FAULT_READ = 1,
    SV_FAULT_WRITE = 2,
    SV_FAULT_EXECUTE = 3,
    SV_FAULT_INSTRUCTION = 4, // illegal
    SV_FAULT_BREAKPOINT = 5,
    SV_FAULT_MISALIGNED = 6,
    SV_FAULT_STACK = 7 // beyond the end of its stack
};

// Why an image is not loaded.
enum sv_image_fault {
    SV_IMAGE_NOT_ELF = 1,
    SV_IMAGE_WRONG_MACHINE = 2, // another architecture or width
    SV_IMAGE_NOT_PIE = 3,       // linked for a fixed address, or wants an interpreter
    SV_IMAGE_BROKEN = 4,        // headers that contradict each other or the file
    SV_IMAGE_TOO_LARGE = 5,
    SV_IMAGE_TLS = 6,           // thread-local storage is not supported
    SV_IMAGE_WRITABLE_CODE = 7, // a segment that is writable and executable
    SV_IMAGE_RELOCATION = 8     // of a kind that is not supported
};

// A capability that goes along with a message or to a new task.
struct sv_transfer {
    struct sv_handle handle;
    uint32_t rights; // of the copy, as in SV_COPY; when moved, what is left of its rights
    uint32_t move;   // 1: the sender has it no longer, and everything derived from it is gone; 0: a copy
};

struct sv_grant {
    char name[SV_NAME_SIZE]; // what the new program looks for
    struct sv_transfer transfer;
};

struct sv_start {
    struct sv_handle frames; // pays for all that the kernel and the new task's memory take; must be the caller's
    uint32_t frame_count;    // how many of these the new task gets, as a budget of its own; its image, stack,
                             // and tables are paid from it. 0: all that is left
    uint32_t grant_count;
    uint64_t budget;     // nanoseconds that a run of it may take; 0: SV_BUDGET_DEFAULT
    uint64_t grants;     // address of struct sv_grant
    uint32_t stack_size; // bytes; 0: SV_STACK_DEFAULT
    uint32_t flags;      // 0
    char arguments[SV_ARGUMENTS_SIZE];
};
#define SV_BUDGET_DEFAULT 1000000000u
#define SV_BUDGET_FIRST 10000000000u // of the first program, which nobody would start again
#define SV_STACK_DEFAULT 65536u

struct sv_named_handle {
    char name[SV_NAME_SIZE];
    struct sv_handle handle;
};

// What a program finds when it starts, in a page of its own that it may read. The kernel itself gives every task
// "task" (its own), "frames" (its budget) and "clock"; the rest comes from its starter. `init`, the first program,
// gets "console", "archive", "system", and where there is one "hypervisor", and "interrupt-N" for each of the
// machine's; its arguments are the kernel's command line (/chosen/bootargs).
struct sv_start_page {
    uint32_t version; // SV_VERSION
    uint32_t count;   // of handles
    uint64_t ticks_per_second;
    uint64_t image_address; // where the program lies
    uint64_t stack_low, stack_high;
    char program[SV_NAME_SIZE];
    char arguments[SV_ARGUMENTS_SIZE];
    struct sv_named_handle handles[SV_GRANTS_MAX + 48];
};

struct sv_hypervisor_call {
    uint64_t argument[3]; // the call's, as include/diosix.h lists them, 64-bit values as one, without size and address
    uint64_t buffer;      // what these would name: memory of the caller's, which the kernel copies to where the
    uint32_t size;        // hypervisor may read and write it, and back; at most 4096 bytes. 0: none
    uint32_t pad;
};

// What SV_INSPECT writes.
enum sv_kind {
    SV_KIND_MACHINE = 0, // one
    SV_KIND_TASK = 1,
    SV_KIND_REGION = 2,
    SV_KIND_CAPABILITY = 3,
    SV_KIND_CHANNEL = 4,
    SV_KIND_PROGRAM = 5 // in the archive
};

struct sv_machine {
    uint32_t harts, tasks, regions, capabilities, channels, programs;
    uint64_t frames, frames_free;     // physical, in all and free
    uint64_t ticks_per_second, ticks; // of the clock, now
    char description[64];             // the kernel's version, and what it runs on
};

enum sv_task_state { SV_TASK_WAITING, SV_TASK_READY, SV_TASK_RUNNING };

struct sv_task {
    uint32_t id, parent;  // ids; parent 0: the kernel
    uint32_t state, hart; // enum sv_task_state; the hart it runs or ran last on
    uint32_t capabilities, continuations;
    uint32_t frames, frames_used; // its budget
    uint64_t runs, ticks;         // that have begun; that its runs took
    char program[SV_NAME_SIZE];
};

struct sv_region {
    uint32_t id, owner; // the task that has it by the oldest capability, 0 for none (it is in a message)
    uint64_t address, size;
    uint32_t pages, holders; // pages that are there; capabilities that name it
};

struct sv_capability {
    uint32_t id, task; // who holds it; 0: a message or group
    uint32_t type, rights;
    uint32_t object,
        parent; // id of the thing among its kind (an address's page number for none); id it is derived from
};

struct sv_channel {
    uint32_t id, depth, waiting; // messages
    uint32_t senders, receivers; // capabilities with that right
    uint32_t pad;
    uint64_t sent;
};

struct sv_program {
    uint32_t id, pad;
    uint64_t size; // of the file in bytes
    char name[SV_NAME_SIZE];
};

// Code that a continuation runs (see "Runs" above). 'handles' lies on the stack: gone when the run ends.
typedef void sv_code(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                     sv_word handle_count, const struct sv_handle *handles);
