// Tracing: a ring of records for each capsule that is traced, written by its vcores without a lock.
//
// Only harts that run a traced vcore have mtvec at the entry that leads here; it goes there when such a vcore
// enters its hart, and back when another is resumed, or at the first exit after the tracing ended. So the exits
// of others cost what they did.
//
// A slot's serial is the position of its record; one more while it is written. A record is written when the first
// look at the exit is over, and its duration once more when the vcore is back.
#include "trace.h"

#include <string.h>

#include "frames.h"
#include "sbi.h"

#define SLOTS_ORDER 1u
#define SLOTS_BYTES (FRAME_SIZE << SLOTS_ORDER)
#define SLOTS (SLOTS_BYTES / sizeof(struct trace_slot))

struct trace_slot {
    struct diosix_exit record; // as trace_peek() says
    _Atomic uint32_t serial;
};
_Static_assert(sizeof(struct trace_slot) == 32, "a power of two, so that positions may wrap");

static void vector_set(bool traced)
{
    uintptr_t now = csr_read(CSR_MTVEC);

    if (now == (uintptr_t)trap_entry_mdt || now == (uintptr_t)trap_entry_traced_mdt)
        csr_write(CSR_MTVEC, (uintptr_t)(traced ? trap_entry_traced_mdt : trap_entry_mdt));
    else
        csr_write(CSR_MTVEC, (uintptr_t)(traced ? trap_entry_traced : trap_entry));
}

// --- what an exit was ------------------------------------------------------------------------------------

// All of vcore.exits in one number, four bits each.
static uint64_t counts_of(const struct vcore *v)
{
    uint64_t sum = 0;

    for (unsigned kind = EXIT_KINDS; kind-- > 0;)
        sum = (sum << 4) + v->exits[kind];
    return sum;
}
_Static_assert(EXIT_KINDS * 4 <= 64, "counts_of");

// The first kind that was counted since.
static uint8_t kind_since(const struct vcore *v, uint64_t counts)
{
    uint64_t more = counts_of(v) - counts;

    for (unsigned kind = 0; kind < EXIT_KINDS; kind++, more >>= 4)
        if (more & 15)
            return (uint8_t)kind;
    return KIND_OTHER;
}

static uint32_t detail_of(const struct vcore *v, unsigned long cause)
{
    struct fault f = {.cause = cause, .value = csr_read(CSR_MTVAL)};
    struct gpa where = gpa(0);

    switch (cause) {
    case CAUSE_ECALL_S:
    case CAUSE_ECALL_VS:
        return (uint32_t)ARGUMENT(v, 7);
    case CAUSE_ILLEGAL:
    case CAUSE_VIRTUAL_INSTRUCTION:
        return (uint32_t)f.value;
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_ACCESS:
    case CAUSE_FETCH_GUEST_PAGE:
    case CAUSE_LOAD_GUEST_PAGE:
    case CAUSE_STORE_GUEST_PAGE:
        f.insn = isolation_features.hypervisor ? csr_read(CSR_MTINST) : 0;
        (void)isolation_locate(&v->world, &f, &where);
        return (uint32_t)where.value;
    default:
        return 0;
    }
}

// --- writing ---------------------------------------------------------------------------------------------

// trace_stop() waits for whoever finds the trace there.
static struct trace_slot *slots_take(struct capsule *c)
{
    atomic_fetch_add(&c->trace_users, 1);
    return atomic_load(&c->trace);
}

static void slots_let_go(struct capsule *c)
{
    atomic_fetch_sub(&c->trace_users, 1);
}

static uint32_t record_add(struct capsule *c, const struct diosix_exit *record)
{
    struct trace_slot *slots = slots_take(c);
    uint32_t position = 0;

    if (slots) {
        position = atomic_fetch_add(&c->trace_end, 1);
        struct trace_slot *slot = &slots[position % SLOTS];
        atomic_store_explicit(&slot->serial, position + 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        slot->record = *record;
        atomic_store_explicit(&slot->serial, position, memory_order_release);
    }
    slots_let_go(c);
    return position;
}

static uint32_t ticks_since(uint64_t time)
{
    uint64_t ticks = hart_time() - time;
    return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

// The vcore goes on after the exit, if its record is still there.
static void record_finish(struct vcore *v)
{
    struct capsule *c = v->capsule;

    if (!v->away.open)
        return;
    v->away.open = false;
    struct trace_slot *slots = slots_take(c), *slot = slots ? &slots[v->away.position % SLOTS] : NULL;
    if (slot && atomic_load(&slot->serial) == v->away.position) {
        slot->record.kind = kind_since(v, v->away.counts);
        slot->record.duration = ticks_since(v->away.time);
    }
    slots_let_go(c);
}

enum exit trace_exit(struct context *context, unsigned long cause)
{
    struct vcore *v = vcore_of(context);

    if (!v->traced) {
        vector_set(false);
        return exit_fast(context, cause);
    }
    uint64_t counts = counts_of(v), time = hart_time();
    struct diosix_exit record = {
        .time = time,
        .vcore = (uint16_t)v->index,
        .interrupt = (cause & CAUSE_INTERRUPT) != 0,
        .cause = (uint32_t)(cause & ~CAUSE_INTERRUPT),
        .detail = detail_of(v, cause),
    };
    enum exit exit = exit_fast(context, cause);
    record.kind = kind_since(v, counts);
    record.duration = exit == EXIT_RESUME ? ticks_since(time) : UINT32_MAX;
    v->away = (struct traced_exit){exit != EXIT_RESUME, record_add(v->capsule, &record), time, counts};
    return exit;
}

void trace_enter(struct vcore *v)
{
    vector_set(v->traced);
    record_finish(v);
}

struct context *trace_resume(struct context *c)
{
    trace_enter(vcore_of(c));
    return c;
}

// --- beginning and ending ----------------------------------------------------------------------------------

enum status trace_start(struct capsule *c)
{
    struct hpa block;

    if (atomic_load(&c->trace))
        return STATUS_OK;
    if (isolation_reserve(SLOTS_BYTES) != STATUS_OK ||
        frames_allocate(SLOTS_ORDER, FRAMES_OWNER_HYPERVISOR, &block) != STATUS_OK)
        return STATUS_NO_MEMORY;
    struct trace_slot *slots = hpa_pointer(block);
    for (uint32_t i = 0; i < SLOTS; i++)
        atomic_store_explicit(&slots[i].serial, i + 1, memory_order_relaxed);
    atomic_store(&c->trace_end, 0);
    atomic_store(&c->trace, slots);
    for (unsigned i = 0; i < c->vcore_count; i++) {
        struct vcore *v = c->vcores[i];
        v->traced = true;
        atomic_thread_fence(memory_order_seq_cst); // who enters says that it runs, then looks at `traced`
        struct hart *h = atomic_load(&v->entity.running);
        if (h)
            hart_request(h, REQUEST_TRACE);
    }
    return STATUS_OK;
}

void trace_stop(struct capsule *c)
{
    struct trace_slot *slots = atomic_exchange(&c->trace, NULL);

    if (!slots)
        return;
    for (unsigned i = 0; i < c->vcore_count; i++)
        c->vcores[i]->traced = false;
    while (atomic_load(&c->trace_users)) {
    }
    memset(slots, 0, SLOTS_BYTES);
    frames_free(hpa_of(slots), SLOTS_BYTES, FRAMES_OWNER_HYPERVISOR);
}

// --- reading -------------------------------------------------------------------------------------------------

static bool record_read(struct trace_slot *slot, uint32_t position, struct diosix_exit *out)
{
    if (atomic_load_explicit(&slot->serial, memory_order_acquire) != position)
        return false;
    *out = slot->record;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->serial, memory_order_relaxed) == position;
}

size_t trace_peek(struct capsule *c, uint32_t *position, struct diosix_exit *records, size_t count, uint32_t *end)
{
    struct trace_slot *slots = atomic_load(&c->trace);
    uint32_t head = atomic_load(&c->trace_end), kept = head < SLOTS ? head : SLOTS;
    size_t done = 0;

    if (head - *position > kept)
        *position = head - kept;
    *end = head;
    for (uint32_t at = *position; at != head && done < count; at++, done++)
        if (!record_read(&slots[at % SLOTS], at, &records[done]))
            break;
    return done;
}
