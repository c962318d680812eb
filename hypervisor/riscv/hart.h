// A hart: its stack, its mailbox and the addresses by which others reach it.
//
// Per-hart state is reached through this_hart() alone. Higher layers hang theirs on the opaque
// pointers, each of which belongs to the layer that names its type.
#pragma once

#include <stdatomic.h>

#include "csr.h"
#include "io.h"
#include "types.h"

// One bit per hart in a word.
#define HARTS_MAX XLEN

// What a hart is asked to do by others (hart.requests).
#define REQUEST_RESCHEDULE (1UL << 0) // look at the queues again
#define REQUEST_SYNC (1UL << 1)       // the running vcore has new pending interrupts
#define REQUEST_STOP (1UL << 2)       // the machine is stopping: park for good
#define REQUEST_PROTECT (1UL << 3)    // physical memory protection is to be loaded afresh
#define REQUEST_TRACE (1UL << 4)      // the running vcore has become a traced one

// The guest registers that the trap entry saves. The first member of what a hart can run.
struct context {
    unsigned long x[32]; // x[0] is always 0, so that emulation may read any register by number
    unsigned long pc;    // valid outside the fast path only
    struct hart *hart;   // where it is loaded
};

// The registers of the hypervisor at one of its own traps.
struct own_frame {
    unsigned long x[32];
    unsigned long pc, cause, value;
};

struct queue;          // sched
struct isolation_hart; // isolation

// What a remote fence asks for; lies in the asking hart, read by those asked (see guest/fence.c).
struct fence_request {
    uint8_t instruction; // FENCE.I
    uint8_t translation; // SFENCE.VMA in the guest's eyes
    uint8_t by_asid;
    uint8_t second_stage; // HFENCE.GVMA of the page at start << 2, or of all, of VMID `asid`
    unsigned long start, size, asid;
};

struct hart {
    uintptr_t stack_top;         // of the hypervisor's stack on this hart
    struct context *current;     // whose registers are live; NULL in the idle loop
    struct context *interrupted; // the same, while a driver looks after its device's interrupt; else NULL
    uintptr_t own_stack_top;     // for own_trap, so that a bad stack can still be reported
    struct own_frame own;
    unsigned own_depth;

    unsigned index;   // dense, from 0: the position in every per-hart table
    unsigned long id; // mhartid
    uintptr_t msip;   // CLINT/ACLINT registers of this hart
    uintptr_t mtimecmp;
    unsigned plic_context; // M-mode context at the PLIC

    uint64_t armed;      // what mtimecmp holds
    uint64_t idle;       // ticks it has slept for want of work, without the sleep that it is in,
    uint64_t idle_since; // since then; 0: in none

    _Atomic unsigned long requests;
    _Atomic unsigned long fence_from; // bit n: hart n's fence request waits to be served here
    _Atomic unsigned long fence_acks; // how many harts still owe an answer to our request
    struct fence_request fence;

    struct queue *queue;
    struct isolation_hart *isolation;
};

extern struct hart *harts[HARTS_MAX];
extern unsigned harts_count;

static inline struct hart *this_hart(void)
{
    struct hart *h;
    __asm__("mv %0, tp" : "=r"(h));
    return h;
}

// Sends the hart an inter-processor interrupt after adding `bits` to its requests.
void hart_request(struct hart *h, unsigned long bits);

extern uintptr_t hart_time_register; // 0: harts have the `time` CSR

// Host time in ticks of the machine's timebase.
static inline uint64_t hart_time(void)
{
    return likely(!hart_time_register) ? csr_read_time() : mmio_read64(hart_time_register);
}

// True once all harts have agreed to use the `time` CSR.
void hart_time_init(bool has_time_csr, uintptr_t mtime);

// All other harts park themselves as soon as they see it; nobody waits for them.
void harts_stop_others(void);

// Turns a hart into a stopped one, for good.
_Noreturn void hart_park(void);

// Sleeps until an enabled interrupt is pending; may return at any time.
static inline void hart_wait(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

// trap.S: resumes the guest whose context this is. Does not return.
_Noreturn void guest_resume(struct context *c);

// trap.S: switches to the hart's own stack and calls `start` there.
_Noreturn void hart_switch_stack(struct hart *h, void (*start)(void));

// trap.S: the vectors; see there.
void trap_entry(void);
void trap_entry_mdt(void);
void trap_entry_traced(void);
void trap_entry_traced_mdt(void);
