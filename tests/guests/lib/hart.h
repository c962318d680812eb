// The payload's harts: what each knows of itself, its traps and interrupts, and handing it work.
#pragma once

#include "csr.h"

#define HARTS_MAX 16
#define HART_STACK_SIZE 8192

struct trap_info {
    unsigned long cause;
    unsigned long tval;
    unsigned long epc;
};

struct hart {
    unsigned long frame[32];      // x1..x31 of what was trapped; its pc in place of x0
    unsigned long guard_sp;       // where guard_call() wants to go on after a trap; 0: no trap expected
    unsigned long trap_stack;     // top of the stack that traps run on
    const unsigned long *call_in; // for registers_call(): the registers to load,
    unsigned long *call_out;      // where to leave them,
    unsigned long call_sp;        // and the stack to come back to
    unsigned long id, index;
    struct trap_info trap;            // the latest exception under a guard
    volatile unsigned long taken[16]; // interrupts taken, by number
    volatile uint64_t timer_time;     // when the latest timer interrupt was taken
    void (*volatile on_external)(struct hart *);
    void (*volatile on_software)(struct hart *);
    void (*volatile job)(void *);
    void *volatile job_argument;
    volatile bool job_done;
    volatile bool online;
    bool timer_direct; // the timer is quietened through stimecmp, not SBI
    uint8_t stack[HART_STACK_SIZE] __attribute__((aligned(16)));
    uint8_t handler_stack[HART_STACK_SIZE] __attribute__((aligned(16)));
};

extern struct hart harts[HARTS_MAX];
extern unsigned harts_count;  // harts that the device tree names
extern unsigned harts_online; // of these, running our code

static inline struct hart *hart_self(void)
{
    struct hart *h;
    __asm__ volatile("mv %0, tp" : "=r"(h));
    return h;
}

// Starts every hart of the device tree (once); false if one did not come up.
bool harts_start(void);
// Gives a job to another hart and returns at once; hart_wait() waits for its end, false after 20 s.
void hart_run(struct hart *, void (*job)(void *), void *argument);
bool hart_wait(struct hart *);
// What an idle hart does until the end of days.
_Noreturn void hart_work(struct hart *);
unsigned long hart_mask(void); // of all harts online, from hart id 0

// Calls a function that may trap: true if it did, and hart_self()->trap then says how.
bool guard_call(void (*function)(void *), void *argument);
bool guard_load(const volatile void *address, unsigned bytes, uint64_t *value);
bool guard_store(volatile void *address, unsigned bytes, uint64_t value);

// An ecall with every register given, and every register seen afterwards: [1] is x1, ... [31] x31.
void registers_call(struct hart *, const unsigned long in[32], unsigned long out[32]);
// The same while nothing happens but x5 counting down to 0.
void registers_spin(struct hart *, const unsigned long in[32], unsigned long out[32]);
// And while the code that x31 points to runs, which returns through x5.
void registers_code(struct hart *, const unsigned long in[32], unsigned long out[32]);

void interrupts_on(unsigned long sources);
void interrupts_off(void);
// Sleeps until an interrupt, if the condition does not hold, and takes it; none can come unseen between
// the look and the sleep.
#define sleep_unless(condition)                                                                                        \
    do {                                                                                                               \
        csr_clear(sstatus, SSTATUS_SIE);                                                                               \
        if (!(condition))                                                                                              \
            wfi();                                                                                                     \
        csr_set(sstatus, SSTATUS_SIE);                                                                                 \
    } while (0)

extern unsigned long entered_at; // `time` at the payload's first instruction, its low word

// Ticks of the machine's clock in so many microseconds.
uint64_t ticks(uint64_t microseconds);
extern uint32_t timebase;

// For what comes in any case, on a busy host too: milliseconds.
#define PATIENCE 120000

// Waits until a condition holds; false if it does not in so many milliseconds.
#define wait_for(condition, milliseconds)                                                                              \
    ({                                                                                                                 \
        uint64_t until_ = time_now() + ticks(1000ull * (milliseconds));                                                \
        bool holds_;                                                                                                   \
        while (!(holds_ = (condition)) && time_now() < until_) {                                                       \
        }                                                                                                              \
        holds_;                                                                                                        \
    })
