// PMU: `cycle` and `instret`, which a guest can set and stop for each vcore, and counters of what the
// firmware does for it. mhpmcounters are not offered: their events can't be told apart between guests.
//
//   counter 0       cycle      (the numbers that Linux expects: those of the CSRs)
//           1       does not exist
//           2       instret
//           3 - 10  firmware events, any of those below
//
// A vcore sees the hart's own `cycle` and `instret`, which never stop, until it gives one an event; then
// both become its own, until none has an event.
#include "csr.h"
#include "sbi.h"

#define COUNTER_FIRMWARE 3u // the first
#define COUNTERS (COUNTER_FIRMWARE + PMU_FIRMWARE_COUNTERS)
#define COUNTERS_HARDWARE 5u // as bits
#define COUNTERS_FIRMWARE (((1u << PMU_FIRMWARE_COUNTERS) - 1) << COUNTER_FIRMWARE)
#define NO_COUNTER COUNTERS

// Events, 20 bits: type and code.
#define EVENT_TYPE(event) ((event) >> 16)
#define EVENT_CYCLES 0x00001u
#define EVENT_INSTRUCTIONS 0x00002u
#define EVENT_FIRMWARE 0xf0000u
#define TYPE_HARDWARE_LAST 3u
#define TYPE_FIRMWARE 15u
#define CODE_IPI_SENT 6u
#define CODE_LAST 13u // beyond: HFENCE, which guests don't have

// config_flags; 3 to 7 are hints that may be ignored
#define CONFIG_SKIP_MATCH (1UL << 0)
#define CONFIG_CLEAR (1UL << 1)
#define CONFIG_START (1UL << 2)
#define CONFIG_ALL 0xffUL
#define START_SET_VALUE (1UL << 0)
#define START_SNAPSHOT (1UL << 1)
#define STOP_RESET (1UL << 0)
#define STOP_SNAPSHOT (1UL << 1)

static uint32_t all_counters(void)
{
    return COUNTERS_FIRMWARE | (isolation_features.counters ? COUNTERS_HARDWARE : 0);
}

// The counters that a base and a mask name; none if one of them does not exist.
static uint32_t counters_named(unsigned long base, unsigned long mask)
{
    if (base >= COUNTERS || mask << base >> base != mask || mask << base & ~(unsigned long)all_counters())
        return 0;
    return (uint32_t)(mask << base);
}

// Those that can count an event.
static uint32_t counters_for(unsigned long event, uint64_t data)
{
    if (data) // reserved for the events that we know
        return 0;
    if (event == EVENT_CYCLES || event == EVENT_INSTRUCTIONS)
        return all_counters() & (event == EVENT_CYCLES ? 1u << 0 : 1u << 2);
    return event >= EVENT_FIRMWARE && event <= EVENT_FIRMWARE + CODE_LAST ? COUNTERS_FIRMWARE : 0;
}

// How often a firmware event has happened; wraps. enum exit_kind and enum received are in the events' order.
_Static_assert(KIND_IPI == CODE_IPI_SENT && KIND_ILLEGAL == 4 && KIND_SFENCE_ASID == KIND_IPI + 3, "SBI's order");
static unsigned long event_count(const struct vcore *v, unsigned code)
{
    if (code <= CODE_IPI_SENT)
        return v->exits[code];
    unsigned pair = (code - CODE_IPI_SENT) / 2;
    if (code % 2)
        return atomic_load_explicit(&v->received[pair], memory_order_relaxed);
    return v->exits[KIND_IPI + pair];
}

// --- one counter ---------------------------------------------------------------------------------------

static bool is_firmware(unsigned n)
{
    return n >= COUNTER_FIRMWARE;
}

// Brings a firmware counter's value up to date. At least once in 2^XLEN events, or some are lost.
static void firmware_update(struct vcore *v, unsigned n)
{
    struct pmu_counter *c = &v->pmu.firmware[n - COUNTER_FIRMWARE];
    unsigned long count = event_count(v, c->event);

    if (v->pmu.started >> n & 1)
        c->value += count - c->seen;
    c->seen = count;
}

void sbi_pmu_rebase(struct vcore *v, const struct vcore *from)
{
    for (unsigned i = 0; i < PMU_FIRMWARE_COUNTERS; i++) {
        struct pmu_counter *c = &v->pmu.firmware[i];
        if (v->pmu.started >> (i + COUNTER_FIRMWARE) & 1)
            c->value += event_count(from, c->event) - c->seen;
        c->seen = event_count(v, c->event);
    }
}

static void counter_write(struct vcore *v, unsigned n, uint64_t value)
{
    if (is_firmware(n)) {
        firmware_update(v, n);
        v->pmu.firmware[n - COUNTER_FIRMWARE].value = value;
    } else {
        world_counter_write(n, value);
    }
}

static void counter_run(struct vcore *v, unsigned n, bool run)
{
    if (is_firmware(n))
        firmware_update(v, n);
    else
        world_counter_run(n, run);
    v->pmu.started = (v->pmu.started & ~(1u << n)) | (uint32_t)run << n;
}

static void counter_configure(struct vcore *v, unsigned n, unsigned long event)
{
    bool fresh = !(v->pmu.configured >> n & 1);

    v->pmu.configured |= 1u << n;
    if (is_firmware(n)) {
        v->pmu.firmware[n - COUNTER_FIRMWARE].event = event & 0xffff;
    } else if (fresh) {
        world_counters_own(&v->world, true);
        world_counter_run(n, false);
    }
}

static void counter_release(struct vcore *v, unsigned n)
{
    v->pmu.configured &= ~(1u << n);
    if (!is_firmware(n) && isolation_features.counters) {
        if (v->world.counters.own)
            world_counter_run(n, true); // as when nobody has asked for it
        if (!(v->pmu.configured & COUNTERS_HARDWARE))
            world_counters_own(&v->world, false);
    }
}

// --- calls ----------------------------------------------------------------------------------------------

static enum exit get_info(struct vcore *v, unsigned long n)
{
    if (n >= COUNTERS || !(all_counters() >> n & 1))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    return sbi_return(v, SBI_SUCCESS, is_firmware((unsigned)n) ? 1UL << (XLEN - 1) : 63UL << 12 | (CSR_CYCLE + n));
}

static enum exit config_matching(struct vcore *v)
{
    uint32_t set = counters_named(ARGUMENT(v, 0), ARGUMENT(v, 1));
    unsigned long flags = ARGUMENT(v, 2), event = ARGUMENT(v, 3);

    if (!set || flags & ~CONFIG_ALL)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (flags & CONFIG_SKIP_MATCH)
        set &= -set & ~v->pmu.started;
    else
        set &= ~v->pmu.configured;
    set &= counters_for(event, sbi_wide(v, 4));
    if (!set)
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    unsigned n = (unsigned)__builtin_ctz(set);
    counter_configure(v, n, event);
    if (flags & CONFIG_CLEAR)
        counter_write(v, n, 0);
    if (flags & CONFIG_START)
        counter_run(v, n, true);
    return sbi_return(v, SBI_SUCCESS, n);
}

// What has no event can't be started; what is started already goes on, and the others start.
static enum exit counters_start(struct vcore *v)
{
    uint32_t set = counters_named(ARGUMENT(v, 0), ARGUMENT(v, 1)), running = set & v->pmu.started;
    unsigned long flags = ARGUMENT(v, 2);

    if (flags & START_SNAPSHOT)
        return sbi_return(v, SBI_ERR_NO_SHMEM, 0);
    if (!set || set & ~v->pmu.configured || flags & ~START_SET_VALUE)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    for (set &= ~running; set; set &= set - 1) {
        unsigned n = (unsigned)__builtin_ctz(set);
        if (flags & START_SET_VALUE)
            counter_write(v, n, sbi_wide(v, 3));
        counter_run(v, n, true);
    }
    return sbi_return(v, running ? SBI_ERR_ALREADY_STARTED : SBI_SUCCESS, 0);
}

// Likewise: what runs is stopped, and all lose their events if that is asked for.
static enum exit counters_stop(struct vcore *v)
{
    uint32_t set = counters_named(ARGUMENT(v, 0), ARGUMENT(v, 1)), stopped = set & ~v->pmu.started;
    unsigned long flags = ARGUMENT(v, 2);

    if (flags & STOP_SNAPSHOT)
        return sbi_return(v, SBI_ERR_NO_SHMEM, 0);
    if (!set || flags & ~STOP_RESET)
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    for (; set; set &= set - 1) {
        unsigned n = (unsigned)__builtin_ctz(set);
        if (v->pmu.started >> n & 1)
            counter_run(v, n, false);
        if (flags & STOP_RESET)
            counter_release(v, n);
    }
    return sbi_return(v, stopped ? SBI_ERR_ALREADY_STOPPED : SBI_SUCCESS, 0);
}

static enum exit firmware_read(struct vcore *v, bool high)
{
    unsigned long n = ARGUMENT(v, 0);

    if (n >= COUNTERS || !is_firmware((unsigned)n))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    firmware_update(v, (unsigned)n);
    uint64_t value = v->pmu.firmware[n - COUNTER_FIRMWARE].value;
    if (high)
        value = XLEN == 64 ? 0 : value >> 32;
    return sbi_return(v, SBI_SUCCESS, (unsigned long)value);
}

// "Event info entry format"
struct event_entry {
    _Atomic uint32_t event;
    uint32_t output;
    uint64_t data;
};
#define EVENTS_MOST 256u // of a call: no guest keeps a hart for long

static long event_info(struct vcore *v, struct gpa where)
{
    struct hpa host;

    enum status status = space_translate_writable(&v->capsule->space, where, sizeof(struct event_entry), &host);
    if (status != STATUS_OK)
        return status == STATUS_NO_MEMORY ? SBI_ERR_FAILED : SBI_ERR_INVALID_ADDRESS;
    struct event_entry *e = hpa_pointer(host);
    uint32_t event = atomic_load_explicit(&e->event, memory_order_relaxed), type = EVENT_TYPE(event);
    if (type > TYPE_HARDWARE_LAST && type != TYPE_FIRMWARE)
        return SBI_ERR_INVALID_PARAM;
    // What we know has no data: an entry's counts only where the specification says so.
    e->output = counters_for(event, type == TYPE_FIRMWARE ? e->data : 0) != 0;
    return SBI_SUCCESS;
}

static enum exit events_info(struct vcore *v)
{
    struct gpa where = sbi_address(v, 0);
    unsigned long count = ARGUMENT(v, 2);
    long status = SBI_SUCCESS;

    if (ARGUMENT(v, 3) || ARGUMENT(v, 0) % sizeof(struct event_entry))
        return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
    if (count > EVENTS_MOST)
        return sbi_return(v, SBI_ERR_FAILED, 0);
    for (; count && status == SBI_SUCCESS; count--) {
        status = event_info(v, where);
        where.value += sizeof(struct event_entry);
    }
    return sbi_return(v, status, 0);
}

enum exit sbi_pmu(struct vcore *v, unsigned long function)
{
    switch (function) {
    case 0:
        return sbi_return(v, SBI_SUCCESS, COUNTERS);
    case 1:
        return get_info(v, ARGUMENT(v, 0));
    case 2:
        return config_matching(v);
    case 3:
        return counters_start(v);
    case 4:
        return counters_stop(v);
    case 5:
        return firmware_read(v, false);
    case 6:
        return firmware_read(v, true);
    case 8:
        return events_info(v);
    default: // 7: snapshots, which are optional
        return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
    }
}
