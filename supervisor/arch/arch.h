// What an architecture gives the supervisor's kernel, and the few calls it makes back (at the end).
//
// All of it is called with the kernel's lock held and interrupts off, unless said otherwise. arch/<name>/ implements
// it, with the types struct frame and struct space in its frame.h; tests/unit/fake/supervisor/ has one for the host.
// frame.h also says which addresses are the programs', in whole pages, [ARCH_USER_START, ARCH_USER_END), and
// ARCH_ELF_MACHINE, which ELF files for it name. A kernel stack has 8 KiB.
#pragma once

#include <stdatomic.h>

#include "frame.h" // the architecture's own: struct frame, struct space
#include "kernel.h"

// The registers of a run.
//
// A frame lies in its task. On a system call the architecture may leave callee-saved registers where they are and save
// them only if the kernel goes on with another run.

// The arguments of the system call that the frame is stopped at, and the first SV_MESSAGE_WORDS of them in a row.
static inline sv_word frame_argument(const struct frame *f, unsigned n); // n: 0 to 5
static inline const sv_word *frame_arguments(const struct frame *f);
static inline uintptr_t frame_pc(const struct frame *f); // where it is stopped

// Its answer.
static inline void frame_answer(struct frame *f, enum sv_status status);
static inline void frame_value(struct frame *f, unsigned n, sv_word value); // n: 1 to 4
static inline void frame_give(struct frame *f, struct sv_handle handle);

// A new run, as include/supervisor.h says under "Runs": the frame is overwritten as a whole. 'handles' is an address
// of the program's, just above which its stack begins.
static inline void frame_enter(struct frame *f, uintptr_t entry, uintptr_t code, sv_word argument, enum sv_event event,
                               const sv_word words[SV_MESSAGE_WORDS], unsigned handle_count, uintptr_t handles);

// Page tables.
//
// A space is what one task sees: the kernel (not for users) and what is mapped for it. Table pages come from
// frames_take() and are paid by the space's budget; who calls has the lock.

// STATUS_NO_MEMORY.
must_check enum status space_create(struct space *s, struct budget *pays);

// Gives back all tables. No hart runs its task any more; a hart that ran it last, this one too, may still have it
// loaded, which the architecture sees to.
void space_destroy(struct space *s);

// Maps one page; replaces what is there. 'access' is of SV_RIGHT_READ, WRITE, EXECUTE, at least READ or EXECUTE.
// No stale translation is left on this hart; a page that was not mapped needs nothing on others.
must_check enum status space_map(struct space *s, uintptr_t address, uint64_t frame, unsigned access);

// Takes 'size' bytes of pages from it, mapped or not. When it returns, no hart can reach them through this space any
// more: on a hart that runs the task now by a fence there and then (other than the caller's), elsewhere by a fence
// before it runs there again.
void space_unmap(struct space *s, uintptr_t address, uint64_t size);

// Where an address leads, if it may be accessed so by the program. STATUS_FAULT if not mapped (it may yet be: kernel
// code asks region.h first).
must_check enum status space_find(const struct space *s, uintptr_t address, unsigned access, uint64_t *physical);

// The kernel's view of physical memory: everything that frames_take() gives.
static inline void *physical_pointer(uint64_t address);
static inline uint64_t physical_address(const void *pointer);

// Makes what was written to memory visible to instruction fetches of all harts, before they next run this space.
void space_code_changed(struct space *s);

// What a relocation of an ELF file does to the word (or 32 bits) it is for. B is where the file lies, S the symbol, A
// the addend.
enum relocation {
    RELOCATION_NONE,
    RELOCATION_BASE,      // B + A
    RELOCATION_SYMBOL,    // S + A
    RELOCATION_SYMBOL_32, // S + A, in 32 bits
    RELOCATION_TLS,       // of thread-local storage
    RELOCATION_UNKNOWN    // all else
};
enum relocation arch_relocation(uint32_t type);

// Harts and time.

static inline struct hart *this_hart(void); // what kernel_hart() says of this one
uint64_t arch_time(void);                   // ticks
void arch_alarm(uint64_t time); // calls kernel_alarm() on this hart at that time; UINT64_MAX: never. Replaces the last
void arch_kick(unsigned hart);  // makes it come to kernel_next() soon. Costs hundreds of instructions

// Devices and what is beneath.

unsigned arch_console_write(const char *bytes, unsigned size); // how many it took
void arch_interrupt_enable(unsigned number);                   // one that was completed or is waited for first
void arch_interrupt_complete(unsigned number);
_Noreturn void arch_power(bool reboot);
long arch_hypervisor_call(sv_word function, const sv_word argument[6], sv_word *value); // an SBI error

// Called by the architecture (all but kernel_boot with the lock held by kernel_enter(), with interrupts off):

// Once, on the hart that boots, when frames and the tables of the kernel's own space are there; the others come
// afterwards through kernel_next().
void kernel_boot(const struct machine *m);

// The one lock: of everything in the kernel. No call under it is long: what is, is cut in pieces by its caller, or
// works on what nobody else can see yet. Who comes first has it, not who waited longest: harts may be a hypervisor's,
// and one that is not running now must not be the only one that may go on.
extern _Atomic uintptr_t kernel_lock;

// This hart comes from user mode, or from being idle, into the kernel, and is about to leave it.
static inline void kernel_enter(void)
{
    uintptr_t held = 1;
    do
        held = atomic_exchange_explicit(&kernel_lock, held, memory_order_acquire);
    while (unlikely(held));
}
static inline void kernel_leave(void)
{
    atomic_store_explicit(&kernel_lock, 0, memory_order_release);
}

// What the kernel keeps of a hart, from 0 to harts - 1.
struct hart *kernel_hart(unsigned number);

// This hart's task has made a system call: its frame is complete but for callee-saved registers. Takes the lock, as
// kernel_enter() does. The answer, or CALL_NO_ANSWER: the run has ended.
enum sv_status kernel_call(struct frame *f, sv_word number, uint64_t handle_low, uint64_t handle_high);
#define CALL_NO_ANSWER ((enum sv_status)255)

// After a call, if struct hart begins with a byte that is 0, its run goes on, and there is nothing else to see to: then
// kernel_next() need not be asked.

// This hart's task did what it may not at 'pc'. The kernel maps pages that are touched first here, too.
void kernel_fault(enum sv_fault fault, uintptr_t pc, uintptr_t address);

void kernel_alarm(void);
void kernel_interrupt(unsigned number);              // masked until arch_interrupt_complete()
void kernel_input(const char *bytes, unsigned size); // from the console

// What this hart runs now: the task to go on with, in its frame and space; NULL: wait for an interrupt.
struct task *kernel_next(void);
