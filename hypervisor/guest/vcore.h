// A capsule and its vcores, as the code that handles their exits sees them.
#pragma once

#include <stdatomic.h>

#include "isolation.h"
#include "lock.h"
#include "sched.h"
#include "stream.h"
#include "types.h"
#include "vconsole.h"
#include "vgeneration.h"
#include "virtio.h"
#include "vplic.h"
#include "vuart.h"

// States of a vcore (SBI specification, "Hart State Management Extension").
enum hsm_state {
    HSM_STARTED = 0,
    HSM_STOPPED = 1,
    HSM_START_PENDING = 2,
    HSM_STOP_PENDING = 3,
    HSM_SUSPENDED = 4,
    HSM_SUSPEND_PENDING = 5,
    HSM_RESUME_PENDING = 6,
};

// Why a capsule ended; the order of severity does not matter, the first reason stays.
enum ending {
    ENDING_NONE,
    ENDING_SHUTDOWN,  // the guest switched itself off, in order
    ENDING_FAILURE,   // ... saying that it failed
    ENDING_REBOOT,    // the guest asked for a reset
    ENDING_STOPPED,   // all its vcores stopped
    ENDING_FAULT,     // a fault that could not be given back to the guest
    ENDING_MEMORY,    // it wrote to a page that it shares, and there is no memory for one of its own
    ENDING_KILLED,    // by a person or an ancestor
    ENDING_RESTARTED, // likewise, to start again
};

// What vcores leave their guests for (vcore.exits). The first ten are in the order of SBI's firmware events
// ("Performance Monitoring Unit Extension"), those that are sent without their counterparts.
enum exit_kind {
    KIND_MISALIGNED_LOAD,
    KIND_MISALIGNED_STORE,
    KIND_ACCESS_LOAD, // on nothing: given to the guest
    KIND_ACCESS_STORE,
    KIND_ILLEGAL, // given to the guest
    KIND_TIMER,   // calls: SBI set-timer, ...
    KIND_IPI,
    KIND_FENCE_I,
    KIND_SFENCE,
    KIND_SFENCE_ASID,
    KIND_CALL, // all other calls
    KIND_DEVICE,
    KIND_WAIT,      // WFI and WRS that trapped
    KIND_INTERRUPT, // of the hart's, whoever it was for
    KIND_OTHER,
    EXIT_KINDS,
};

// What other vcores have sent to one (vcore.received), in the same order.
enum received { RECEIVED_IPI, RECEIVED_FENCE_I, RECEIVED_SFENCE, RECEIVED_SFENCE_ASID, RECEIVED_KINDS };

// SBI PMU, of one vcore: the counters that have an event, and those that count (bit n: counter n).
#define PMU_FIRMWARE_COUNTERS 8u
struct pmu {
    uint32_t configured, started;
    struct pmu_counter {
        uint64_t value;     // as of `seen`
        unsigned long seen; // the event's count when the value was brought up to date
        unsigned event;     // its code
    } firmware[PMU_FIRMWARE_COUNTERS];
};

// SBI STA, of one vcore that reports_steal.
struct steal {
    struct gpa where;
    uint64_t start; // entity.stolen when it did
};

// The exit that a traced vcore has not come back from.
struct traced_exit {
    bool open;         // there is one
    uint32_t position; // of its record
    uint64_t time;     // when it began, and what vcore.exits said then
    uint64_t counts;
};

// Why a capsule's vcores have to leave their harts (capsule.halt).
#define HALT_ENDING 1u // it ends
#define HALT_HELD 2u   // until it is let go on; their state stays as it is

struct capsule;

struct vcore {
    struct context context; // first: trap.S knows only this
    // Since the vcore was made; they wrap. Written where it runs, read by anybody.
    unsigned long exits[EXIT_KINDS];
    _Atomic unsigned long received[RECEIVED_KINDS]; // counted by who sends

    struct world world;
    struct entity entity;
    struct capsule *capsule;
    unsigned index; // the guest's hart id
    _Atomic uint32_t hsm;

    // Supervisor interrupt bits that others set; merged when the vcore runs.
    _Atomic unsigned long posted;
    // The PLIC's line to this vcore; merged likewise.
    _Atomic bool external;

    uint64_t timer; // without Sstc: the guest's deadline in host time, TIME_NEVER if none

    // How it goes on after a halt.
    bool asleep;      // it waited for an interrupt when it last left its hart
    bool held;        // a halt came over it
    uint64_t wake_at; // asleep: at this host time at the latest

    // Where a start or a non-retentive resume begins.
    unsigned long start_pc, start_opaque;
    bool resume_fresh; // non-retentive suspend: on waking, start at start_pc

    // What the guest has set up through SBI; world.counters and world.delegated belong to it. Used by the
    // vcore's own calls, reset by vcore_boot_state, kept over suspends. A fork copies it all, and then
    // makes steal.start the new entity's `stolen`.
    struct pmu pmu;
    struct steal steal;
    // What needs more than the usual when it enters a hart. Each is written alone, all are read as one.
    union {
        struct {
            bool reports_steal; // SBI STA: the guest has given an address
            bool traced;        // its exits are kept; set from any hart
        };
        uint16_t extras;
    };
    struct traced_exit away; // guest/trace.c, where it runs
    uint32_t fwft_locked;    // bit n: SBI FWFT's feature n
};

#define VIRTIO_SLOTS 8u // of each capsule, for devices

struct capsule {
    char name[CAPSULE_NAME_SIZE];
    uint16_t id; // owner of its frames, from 1
    struct space space;
    unsigned vcore_count;
    struct vcore *vcores[VPLIC_VCORES_MAX];

    _Atomic uint32_t active;        // vcores that are not PARKED
    _Atomic uint32_t ending;        // enum ending
    _Atomic uint32_t halt;          // HALT_...: its vcores are to leave their harts
    unsigned long ending_detail[3]; // of ENDING_FAULT: cause, value, pc; of ENDING_FAILURE: code
    unsigned ended_by;              // the vcore whose doing it was, plus 1; 0: none

    struct share share;     // of the harts: all its vcores'
    struct entity life;     // what loads, ends and restarts it (capsule/life.c)
    _Atomic bool attention; // something changed that its life should look at

    struct trace_slot *_Atomic trace; // the last exits (guest/trace.h); NULL: nobody asks for them
    _Atomic uint32_t trace_end;       // records written since that began, modulo 2^32
    _Atomic uint32_t trace_users;     // harts that are at work in `trace`

    struct lock devices; // guards uart, plic, generation and is_input_virtio
    struct vuart uart;
    struct vgeneration generation;
    struct vplic *plic;
    struct stream stream;
    struct vconsole *console; // its virtio console, if it has one
    bool is_input_virtio;     // ... to which what is typed goes, not to the UART

    // Its virtio devices, slot by slot; the pointers stay as they are while it exists. What they have to do is done in
    // the exit that asked for it, or, where it takes longer or nobody asked, in steps by the worker: an entity like a
    // vcore, with the capsule's share, that parks when the capsule ends or is held.
    struct virtio_device *virtio[VIRTIO_SLOTS]; // NULL: nothing there
    struct entity worker;
    _Atomic uint32_t work;      // bit n: slot n
    _Atomic uint32_t work_here; // ... which the exit does that one of its vcores is in
    // The worker's: the slot that it served last, and those that have something to do later (bit n: slot n), and when.
    unsigned work_last;
    uint32_t work_later;
    uint64_t work_at[VIRTIO_SLOTS];
    _Atomic bool worker_is_on; // it is not PARKED
};

static inline struct vcore *vcore_of(struct context *c)
{
    return container_of(c, struct vcore, context);
}

// How an exit ends.
enum exit {
    EXIT_RESUME,     // the same vcore goes on; nothing else to do
    EXIT_SLOW,       // not decided yet: needs all registers (guest_exit)
    EXIT_RESCHEDULE, // look at the queues
    EXIT_WAIT,       // the vcore waits for an interrupt
    EXIT_STOP,       // the vcore has stopped itself (HSM)
    EXIT_END,        // its capsule is ending
};

// --- vcore.c -----------------------------------------------------------------------------------

// The state in which the SBI specification lets a hart start: a0 = hart id, a1 = opaque, satp 0,
// interrupts off, nothing set up through SBI. The vcore is not loaded.
void vcore_boot_state(struct vcore *v, unsigned long pc, unsigned long opaque);
// The same after a non-retentive suspend, at the place that was given then: timer and interrupts, one of
// which woke it, are no part of what is lost.
void vcore_resume_state(struct vcore *v);
// This vcore, which runs here, spins for a sibling: one that waits for a hart goes on in its place, if there is
// one. The caller answers EXIT_RESCHEDULE in any case.
void vcore_yield(struct vcore *v);
// Has the guest given this address to a hart to run at? It must be RAM.
bool vcore_can_start_at(const struct vcore *v, unsigned long pc);

// --- interrupts.c ------------------------------------------------------------------------------

// Sets supervisor interrupt bits of any vcore, and sees to it that it notices.
void vcore_post(struct vcore *v, unsigned long bits);
// Something the vcore looks at on entry has changed (external line, ending): it will look soon.
void vcore_kick(struct vcore *v);
// Merges what was posted; the vcore is loaded on this hart.
void vcore_sync(struct vcore *v);
// Would the vcore find an interrupt to wake up for? It is not loaded; its posted bits count.
bool vcore_is_pending(struct entity *e);
// Passes on the PLIC's lines that changed. Called with c->devices held, releases it.
void capsule_lines_update(struct capsule *c);
// Its stream got input or room: UART and virtio console look.
void capsule_stream_event(struct capsule *c);
// What is typed goes to the virtio console from now on, or to the UART.
void capsule_input_turn(struct capsule *c, bool to_virtio);
// The capsule whose console service keeps the terminal, NULL for none; with the lock of the tree held. Its
// interrupt line TERMINAL_IRQ is high from terminal_bell(true) to terminal_bell(false).
void terminal_keeper_set(struct capsule *c);
struct capsule *terminal_keeper(void);
void terminal_bell(bool level);
// Asks the guest to shut down, through its UART, and its virtio console if that has what is typed.
void capsule_ask_shutdown(struct capsule *c);
// After output: a partial line may want to be shown in time.
void capsule_output_made(void);
// Ends the capsule, unless it is ending already. Its vcores stop at their next exit or entry.
// True for the one whose reason it was: it may add details, until its own vcore leaves the hart. The
// caller is a vcore of the capsule, or holds the lock of the tree (capsule/tree.h).
bool capsule_end(struct capsule *c, enum ending why);
// The same as a vcore's own doing, which is kept to be looked at.
bool vcore_end(struct vcore *v, enum ending why);
// Makes the harts that run its vcores look at their queues, and at what was set for the vcores before.
void capsule_vcores_look(struct capsule *c);
// Makes all vcores leave their harts as they are. The caller holds the lock of the tree.
void capsule_hold(struct capsule *c);
// Undoes it, once all have left: those that are not stopped go on. Only for the capsule's life.
void capsule_let_go(struct capsule *c);
// The capsule's life looks at its state soon. The caller sees to it that the capsule stays.
void capsule_notify(struct capsule *c);

// --- slots.c -----------------------------------------------------------------------------------

// Slot n has something to do, which its device knows (virtio_call). Any hart; the caller sees to it that the capsule
// stays.
void capsule_work(struct capsule *c, unsigned slot);
// The same; but if it comes of a device's interrupt that took the hart from a vcore of this capsule, the first step is
// done there and then: the interrupt's handler calls slots_work_here().
void capsule_work_here(struct capsule *c, unsigned slot);
enum exit slots_work_here(struct vcore *v);
// One bounded step of the worker; the caller runs no vcore, and the capsule was not halted. Answers when the next is
// due if nobody calls the worker before (host time).
uint64_t capsule_work_step(struct capsule *c);
// Once nothing of it runs: the worker may begin.
void capsule_worker_start(struct capsule *c);
bool worker_is_called(struct entity *e);

// --- exit.c ------------------------------------------------------------------------------------

// First look at an exit, from trap.S, with only the caller-saved registers in the context.
enum exit exit_fast(struct context *c, unsigned long cause);
// The rest of them. context.pc is valid and may be changed.
enum exit guest_exit(struct vcore *v);
// Handles the hart's own pending interrupts, given as bits of mip. EXIT_RESUME, EXIT_RESCHEDULE or EXIT_END.
enum exit hart_interrupts(struct hart *h, unsigned long pending);
// After console_remove(): returns when no hart works on an event of the removed stream any more.
void console_events_settle(void);
// Programs the hart's timer for whatever comes first.
void hart_arm(struct hart *h);

// --- devices.c ---------------------------------------------------------------------------------

// The guest could not access memory at `where`; or, if the cause is a guest-page fault, we could not for it, as
// mtval2 says. If that is a page it shares, it gets one of its own and does the instruction again; else it gets
// the fault.
#define NOWHERE gpa(UINT64_MAX)
enum exit guest_fault(struct vcore *v, unsigned long cause, unsigned long value, struct gpa where);

// --- fence.c -----------------------------------------------------------------------------------

// Runs the fence on all vcores of the capsule in `mask` (bit n: vcore n) before it returns.
void capsule_fence(struct vcore *from, uint64_t mask, const struct fence_request *request);
// Serves the fences that others wait for.
void hart_fences_serve(struct hart *h);
