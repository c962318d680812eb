// The contract of isolation: what keeps a capsule in, and where its supervisor state lives.
//
// Two questions are answered apart. What a capsule may touch is its `space`, kept in by one of two
// back ends (gstage/, pmp/). Which CSRs hold a guest's supervisor state is its `world`: VS-mode's
// where harts have the H extension, S-mode's where they don't. Nothing above this folder asks
// which it is. All calls act on the calling hart unless they say otherwise; none may fail after
// space_create has said STATUS_OK.
#pragma once

#include <stdatomic.h>

#include "hart.h"
#include "isa.h"
#include "lock.h"
#include "status.h"
#include "types.h"

enum isolation_kind { ISOLATION_AUTO, ISOLATION_GSTAGE, ISOLATION_PMP };

// A piece of a capsule's RAM.
struct extent {
    struct gpa guest;
    struct hpa host;
    uint64_t size;
};

#define SPACE_EXTENTS 16

// Physical memory protection entries for one space, computed once (pmp_plan.h).
#define PMP_ENTRIES 8
struct pmp_plan {
    unsigned long address[PMP_ENTRIES];
    uint8_t config[PMP_ENTRIES];
    unsigned count;
};

// Whose second-stage tables they are (gstage_table.h).
struct gstage_user {
    uint16_t owner;
    uint64_t bytes; // of general memory that they take
};

// What a capsule may touch. Owned by the capsule; immutable while a vcore of it can run, but for what is
// shared (see "copy on write" below).
struct space {
    enum isolation_kind kind;
    struct extent extents[SPACE_EXTENTS]; // ascending by guest address, contiguous there
    unsigned extent_count;
    uint64_t size;   // of all RAM, bytes
    uint32_t serial; // no other space had it, whoever the owner: what harts know it by
    uint16_t owner;
    uint16_t vmid;
    unsigned long hgatp; // 0 (Bare) under pmp
    const struct pmp_plan *plan;
    struct pmp_plan own_plan; // pmp
    // 1 + the vcore whose translations that hart last cached; 0: whatever it has is to be forgotten.
    _Atomic uint32_t resident[HARTS_MAX];
    _Atomic unsigned long visitors; // bit n: hart n uses its memory, and runs none of its vcores

    // gstage: since it was forked, is a fork, or gave pages back, its table alone says where its RAM lies; extents say
    // its place and size in the guest. It becomes true while vcores run: a fence comes before any frame is another's.
    bool forked;
    struct lock lock; // guards the table of a forked space while vcores run, `own_bytes` and `tables`
    uint64_t own_bytes;
    uint32_t discards; // how often pages were given back
    struct gstage_user tables;
    uint64_t released; // bytes of a forked space that space_release_step has given back
};

struct fp_state {
    uint64_t f[32];
    unsigned long fcsr;
};

struct vector_state {
    unsigned long vstart, vcsr, vl, vtype;
    uint8_t v[]; // 32 registers of vlenb bytes
};

// A world's own `cycle` and `instret` (counters.c). They are exchanged with the hart's whenever the world is
// entered or left, so these are the guest's while it is not loaded, and the hart's while it is.
struct world_counters {
    bool own; // else the guest sees the hart's, which nobody stops
    unsigned long inhibit;
    uint64_t cycle, instret;
};

struct isolation_hart;

// A vcore's supervisor state while it is not loaded on a hart.
struct world {
    struct space *space;
    uint8_t index;          // of the vcore in its capsule
    _Atomic uint32_t stale; // translations and instructions must be fenced before the next run
    unsigned long mstatus;  // MPP, and FS/VS as the hypervisor tracks them
    unsigned long status, ie, tvec, scratch, epc, cause, tval, satp;
    unsigned long envcfg, counteren;
    unsigned long pending;                // supervisor interrupt bits, in S-mode's positions
    uint64_t timecmp;                     // Sstc: guest time
    const struct isolation_hart *last;    // where it last ran
    const struct isolation_hart *fp_home; // whose FP registers hold this world's
    const struct isolation_hart *vector_home;
    bool fp_used, vector_used;
    struct fp_state fp;
    struct vector_state *vector; // NULL without V

    // Not part of the boot state: kept by world_reset, so that they outlive a suspend.
    struct world_counters counters;
    unsigned long delegated; // exceptions that this guest handles itself, beyond those that all do
};

// What is known of the machine's harts, the same for all of them.
struct isolation_features {
    bool hypervisor; // H: guests run in VS-mode
    bool sstc;
    bool fp, fp_double, vector;
    bool time_csr;
    bool senvcfg; // that CSR exists
    bool stateen; // Smstateen
    // `cycle` and `instret` can be stopped, so that a world can have its own.
    bool counters;
    // Misaligned loads and stores can be delegated.
    bool misaligned;
    unsigned vlenb;
    uint64_t envcfg; // bits guests get
    unsigned pmp_count;
    unsigned pmp_grain_shift; // log2 of the smallest protectable range in bytes
    unsigned vmid_bits;
};
extern struct isolation_features isolation_features;

// Per-hart state of this folder.
struct isolation_hart {
    uint32_t serial; // of the space that is loaded; 0: none yet
    const struct pmp_plan *plan;
    const struct world *fp_owner; // NULL: the registers hold zeros
    const struct world *vector_owner;
    unsigned long delegated; // as in struct world
};

// Once, on the boot hart, under the own-trap vector: which features can be relied on. `isa` is the
// intersection over all harts.
void isolation_probe(const struct isa *isa);
// Takes out of a guest's extensions what could not be enabled for it.
void isolation_guest_isa(struct isa *guest);
// Once, before any space exists: the hypervisor's memory, closed to all guests, and within it the
// pool of second-stage tables at its end.
enum status isolation_init(struct range hypervisor, struct range tables) must_check;
// Each hart, once: delegation, environment, stack guard. `guard` is page-aligned.
void isolation_hart_init(struct hart *h, struct range guard);
// How much second-stage table memory a capsule of this size needs, bytes.
uint64_t isolation_table_bytes(uint64_t memory);

// Gives the space its RAM, in frames owned by `owner`. STATUS_NO_MEMORY, STATUS_UNSUPPORTED; on
// error nothing is kept and *why (static text) says what was missing.
enum status space_create(struct space *s, enum isolation_kind kind, uint64_t memory, uint16_t owner,
                         const char **why) must_check;
// Gives the RAM back. Scrubbed by the caller, unless it is shared, was shared, or was released already; no
// vcore of it is loaded anywhere.
void space_destroy(struct space *s);
// The same in bounded steps, each of which scrubs at most 256 KiB: true while there is more to do. Nothing
// else may be done with the space from the first step on.
bool space_release_step(struct space *s);
// Host address of guest RAM [a, a + size), to read, if it is contiguous there.
bool space_translate(const struct space *s, struct gpa a, uint64_t size, struct hpa *out);
// How many bytes from `a` on are contiguous in host memory, or at least up to where they are not; 0 outside.
// To be read, or written in a space that shares nothing. While vcores run, good until the exit ends.
uint64_t space_run(const struct space *s, struct gpa a, struct hpa *out);
static inline struct gpa space_base(const struct space *s)
{
    return s->extents[0].guest;
}
// Is [a, a + size) the space's RAM, all of it, though it may lie in several pieces? Never wraps.
static inline bool space_contains(const struct space *s, struct gpa a, uint64_t size)
{
    uint64_t offset = a.value - space_base(s).value;
    return offset <= s->size && size <= s->size - offset;
}

// --- guest memory, by guest-physical address (transfer.c) ------------------------------------
//
// For devices that read and write it on the guest's behalf: what is read is a copy, to be checked then. On the hart
// of one of the capsule's vcores, in its exit, or of a visitor (see below). The writing ones may wait for other
// harts, so their caller holds no lock. STATUS_NOT_FOUND: not all of it is the space's RAM, and nothing was done;
// STATUS_NO_MEMORY: there is none for a page that was shared.

must_check enum status space_read(const struct space *s, struct gpa a, void *to, size_t size);
must_check enum status space_write(struct space *s, struct gpa a, const void *from, size_t size);
// One load (acquire) or store (release) of an aligned half-word.
must_check enum status space_load16(const struct space *s, struct gpa a, uint16_t *value);
must_check enum status space_store16(struct space *s, struct gpa a, uint16_t value);

// Who uses a space's memory on a hart that runs none of its vcores (a device's worker, another capsule's) says so
// around each bounded step. Whoever takes a page away waits for the step's end, as for a vcore's exit; and the
// capsule's life waits until nobody is there.
static inline void space_visit(struct space *s, const struct hart *h)
{
    atomic_fetch_or(&s->visitors, 1UL << h->index);
}
static inline void space_visit_end(struct space *s, const struct hart *h)
{
    atomic_fetch_and(&s->visitors, ~(1UL << h->index));
}
unsigned long space_visitors(struct space *s); // bit n: hart n

// --- copy on write (gstage only) ------------------------------------------------------------
//
// A fork maps all RAM of its parent, and from then on both have it read-only, SHARED by reference count.
// Who writes first gets a copy of that page, or, if the others are gone, the page itself.
//
//       OWN  --fork-->  SHARED  --write, others have it-->  FRESH  --all harts fenced-->  OWN
//                       SHARED  --write, nobody else has it------------------------->     OWN
//
// Locks: a space's own, then the frames' or the table pool's. None is held while harts are fenced.

// Prepares `child` to be a fork of `parent`. STATUS_UNSUPPORTED under pmp, STATUS_NO_MEMORY; *why is static
// text, and nothing is kept.
enum status space_fork_begin(struct space *child, struct space *parent, uint16_t owner, const char **why) must_check;
// Shares some more; done when *progress, 0 at first, is the parent's size. No vcore of the parent runs or
// waits in an exit from the first step to the last. On STATUS_NO_MEMORY or to stop midway:
// space_destroy(child); the parent goes on with what it has.
enum status space_fork_step(struct space *child, struct space *parent, uint64_t *progress) must_check;
// Sees to it that the page at `a` can be written, and the calling hart finds it so: what a guest-page
// fault on RAM asks for (privileged specification, "Guest-page fault": RAM is readable and executable for
// guests, so all they lack is the right to write, be it for the walk's own A and D bits). STATUS_NOT_FOUND:
// it isn't RAM, or not of a space that shares; STATUS_NO_MEMORY. Holds no lock on return; waits for other
// harts, so the caller holds none.
enum status space_write_fault(struct space *s, struct gpa a) must_check;
// space_run for who is going to write: the run is at least to the end of `a`'s page, if that is RAM.
// Errors as above.
enum status space_run_writable(struct space *s, struct gpa a, struct hpa *out, uint64_t *run) must_check;
// Both, without a call where they lead to the first piece of RAM, which is mostly all there is.
__attribute__((always_inline)) static inline uint64_t space_run_first(const struct space *s, struct gpa a,
                                                                      struct hpa *out)
{
    const struct extent *e = &s->extents[0];
    uint64_t offset = a.value - e->guest.value;

    if (unlikely(s->forked || offset >= e->size))
        return 0;
    *out = hpa(e->host.value + offset);
    return e->size - offset;
}
__attribute__((always_inline)) static inline uint64_t space_find(const struct space *s, struct gpa a, struct hpa *out)
{
    uint64_t run = space_run_first(s, a, out);
    return likely(run) ? run : space_run(s, a, out);
}
__attribute__((always_inline)) must_check static inline enum status space_find_writable(struct space *s, struct gpa a,
                                                                                        struct hpa *out, uint64_t *run)
{
    *run = space_run_first(s, a, out);
    return likely(*run) ? STATUS_OK : space_run_writable(s, a, out, run);
}
// What of that is still so later in the exit: 0 where a page has gone back meanwhile, or is shared. Takes no lock.
uint64_t space_run_own(const struct space *s, struct gpa a, struct hpa *out);
// space_translate for who is going to write [a, a + size), which lies in one page. Errors as above.
enum status space_translate_writable(struct space *s, struct gpa a, uint64_t size, struct hpa *out) must_check;
// Bytes that no other capsule shares, second-stage tables from general memory among them.
uint64_t space_private_bytes(const struct space *s);
// The guest does without these pages, at most SPACE_DISCARD_MAX of them: what they held is gone, they are given back,
// and read as zeros. A write gets a page anew. STATUS_UNSUPPORTED under pmp, where memory is in one piece;
// STATUS_NOT_FOUND: one of them isn't RAM; STATUS_NO_MEMORY: for the table. Some may have been given back all the same.
// As of space_write_fault, it waits for other harts.
#define SPACE_DISCARD_MAX 32u
enum status space_discard(struct space *s, const struct gpa *pages, unsigned count) must_check;
// Whatever harts have cached of the space is dropped before they enter a vcore of it again.
void space_forget(struct space *s);
// Given by the layer that knows the vcores (guest/fence.c): when it returns, no other hart uses anything it
// cached of that page, as translation or as code.
void space_fence_others(struct space *s, struct gpa page);
void space_fence_others_all(struct space *s); // the same for all its pages

// --- the hypervisor's own memory ---------------------------------------------------------------

// Sees to it that so many bytes of it are free for what is to be made next, in however many pieces that is: it grows at
// its end if they are not.
// STATUS_NO_MEMORY if what lies there is in use.
enum status isolation_reserve(uint64_t bytes) must_check;
// On a hart that was asked to (REQUEST_PROTECT): loads physical memory protection afresh.
void isolation_protect(struct hart *h);

// --- worlds ---------------------------------------------------------------------------------

// Fresh supervisor state as the SBI specification's boot state asks: satp 0, interrupts off.
void world_reset(struct world *w);
// Loads the world: after this the hart is the vcore's until world_leave.
void world_enter(struct hart *h, struct world *w);
// Saves the world; afterwards any hart may enter it.
void world_leave(struct hart *h, struct world *w);
// No guest's interrupts shall wake this hart (idle loop).
void world_quiesce(void);
// Makes WFI of the loaded world trap, or not.
static inline void world_trap_wait(bool trap)
{
    if (isolation_features.hypervisor) {
        if (trap)
            csr_set(CSR_HSTATUS, HSTATUS_VTW);
        else
            csr_clear(CSR_HSTATUS, HSTATUS_VTW);
    } else if (trap) {
        csr_set(CSR_MSTATUS, STATUS_TW);
    } else {
        csr_clear(CSR_MSTATUS, STATUS_TW);
    }
}

// Supervisor interrupts of the loaded world; bits in S-mode's positions.
static inline void world_raise(unsigned long bits)
{
    if (isolation_features.hypervisor)
        csr_set(CSR_HVIP, bits << 1);
    else
        csr_set(CSR_MIP, bits);
}

static inline void world_lower(unsigned long bits)
{
    if (isolation_features.hypervisor)
        csr_clear(CSR_HVIP, bits << 1);
    else
        csr_clear(CSR_MIP, bits);
}

// Is an interrupt pending that the guest has enabled (what ends a WFI)?
static inline bool world_interrupt_ready(void)
{
    if (isolation_features.hypervisor)
        return csr_read(CSR_SIP + CSR_VS_OFFSET) & csr_read(CSR_SIE + CSR_VS_OFFSET);
    return csr_read(CSR_SIP) & csr_read(CSR_SIE);
}

extern uint64_t world_delta; // guest time = host time + this; 0 without H
static inline uint64_t world_time_delta(void)
{
    return world_delta;
}

// The guest's own timer (Sstc), in host time; UINT64_MAX if off.
static inline uint64_t world_timer_deadline(void)
{
    uint64_t when;
    bool enabled;

    if (isolation_features.hypervisor) {
        enabled = csr_read(CSR_SIE + CSR_VS_OFFSET) & (1UL << INTERRUPT_S_TIMER);
        when = csr_read64(CSR_STIMECMP + CSR_VS_OFFSET);
    } else {
        enabled = csr_read(CSR_SIE) & (1UL << INTERRUPT_S_TIMER);
        when = csr_read64(CSR_STIMECMP);
    }
    // A guest's "never" is any time that host time does not reach.
    uint64_t host_time = when - world_delta;
    return enabled && host_time >= when ? host_time : UINT64_MAX;
}

void world_set_timer(uint64_t guest_time);

// Counters and delegation as a guest finds them that has asked for nothing. The world is not loaded.
static inline void world_extras_reset(struct world *w)
{
    w->counters.own = false;
    w->delegated = 0;
}

// Of the loaded world; only where isolation_features.counters says so. A world that begins to have its own
// counters begins with the hart's values, both running; one that ends it sees the hart's again.
void world_counters_own(struct world *w, bool own);
// Counter 0 (cycle) or 2 (instret) of a world that has its own.
void world_counter_write(unsigned counter, uint64_t value);
void world_counter_run(unsigned counter, bool run);
// Only where isolation_features.misaligned says so: misaligned loads and stores that the hart can't do
// are the loaded guest's own affair, or trap to us.
void world_delegate_misaligned(struct hart *h, struct world *w, bool delegate);

// Each hart and capsule sees the same delta: all guests' time starts when the machine does.
void world_set_time_origin(uint64_t host_time);

// Where a guest-virtual address leads in the eyes of a world that is loaded nowhere, rights apart. False if
// nowhere. What is there is checked by space_translate().
bool world_translate(const struct world *w, uint64_t address, uint64_t *out) must_check;
// The same of a world that is loaded on this hart.
bool world_translate_loaded(const struct world *w, uint64_t address, uint64_t *out) must_check;

// Gives the guest an exception, as hardware would: the context's pc becomes the handler's.
void world_reflect(struct context *c, unsigned long cause, unsigned long value);

// What the guest was doing when it faulted.
struct fault {
    unsigned long cause, value, insn; // mcause, mtval, mtinst
};
// The access fault that a guest sees of a guest-page fault; any other cause as it is.
unsigned long fault_access_cause(unsigned long cause);

// Turns the fault into a guest-physical address, and f->cause into the access fault the guest sees if
// nothing is there. If it was no access to such an address, false, and `f` has become the exception that
// the guest should see; *out is where the walk wanted to write its table then, if the hart says so.
bool isolation_locate(const struct world *w, struct fault *f, struct gpa *out);

// The same for the common case, a guest-page fault of an explicit load or store for which the hart tells
// the address (mtval2). False, and `f` untouched, in all others.
static inline bool isolation_locate_fast(struct fault *f, struct gpa *out)
{
    if (!(f->insn & 1) || f->cause < CAUSE_LOAD_GUEST_PAGE)
        return false;
    uint64_t address = (uint64_t)csr_read(CSR_MTVAL2) << 2;
    if (address == 0)
        return false;
    f->cause = f->cause - CAUSE_LOAD_GUEST_PAGE + CAUSE_LOAD_ACCESS;
    *out = gpa(address | (f->value & 3));
    return true;
}

// --- guest memory, through the guest's own eyes ----------------------------------------------
// Each runs with the guest's translation and rights (MPRV). False if the access faulted: `f` is
// the exception it would have taken, or a guest-page fault; mtval2 says where, until the next trap of ours.

bool guest_load(struct gva a, unsigned bytes, uint64_t *value, struct fault *f);
bool guest_store(struct gva a, unsigned bytes, uint64_t value, struct fault *f);
bool guest_fetch(struct gva a, uint32_t *insn, struct fault *f); // 2 or 4 bytes; executable suffices

// Fences as the guest's SFENCE.VMA and FENCE.I mean them, for the loaded world.
void world_fence(const struct fence_request *r);
