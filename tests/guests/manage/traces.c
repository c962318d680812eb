// Traces of children's exits.
#include <string.h>

#include "suite.h"

static struct {
    struct diosix_trace head;
    struct diosix_exit exits[40];
} trace;

static struct sbi_result trace_from(uint32_t id, uint32_t position, size_t size)
{
    memset(&trace, 0xee, sizeof trace);
    return sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_TRACE, id, position, size, &trace, 0, 0);
}

// How often each kind was in records that say what the child does.
static unsigned seen[DIOSIX_EXIT_KINDS];

static bool is_as_done(const struct diosix_exit *e)
{
    bool call = !e->interrupt && (e->cause == 9 || e->cause == 10);

    if (e->kind >= DIOSIX_EXIT_KINDS || e->vcore > 1 || e->time == 0)
        return false;
    switch (e->kind) {
    case DIOSIX_EXIT_TIMER:
        return call && e->detail == SBI_TIME;
    case DIOSIX_EXIT_FENCE:
        return call && e->detail == SBI_RFENCE;
    case DIOSIX_EXIT_CALL:
        return call && e->detail == LEGACY_GETCHAR;
    case DIOSIX_EXIT_DEVICE:
        return !e->interrupt && !call && e->detail == tree.uart.base + 5;
    case DIOSIX_EXIT_WAIT:
        return !e->interrupt && e->detail == 0x10500073; // WFI
    case DIOSIX_EXIT_INTERRUPT:
        return e->interrupt;
    default:
        return false;
    }
}

static bool records_look_right(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct diosix_exit *e = &trace.exits[i];
        if (!is_as_done(e)) {
            print("kind %u cause %u detail %x\n", e->kind, (unsigned)e->cause, (unsigned)e->detail);
            return false;
        }
        seen[e->kind]++;
    }
    return true;
}

static bool all_seen(void)
{
    return seen[DIOSIX_EXIT_TIMER] > 2 && seen[DIOSIX_EXIT_FENCE] > 2 && seen[DIOSIX_EXIT_CALL] > 2 &&
           seen[DIOSIX_EXIT_DEVICE] > 2;
}

// Reads on from *position. False if what it reads is wrong.
static bool read_on(uint32_t id, uint32_t *position)
{
    struct sbi_result r = trace_from(id, *position, sizeof trace);

    if (r.error || r.value > 40 || trace.head.end - trace.head.position < r.value ||
        trace.head.end - trace.head.position > 256 || trace.head.position < *position) {
        print("error %ld, %lu of %u to %u\n", r.error, r.value, (unsigned)trace.head.position,
              (unsigned)trace.head.end);
        return false;
    }
    *position = trace.head.position + (uint32_t)r.value;
    return records_look_right(r.value);
}

// Until the ring has gone round and each kind has been there.
static bool read_all(uint32_t id)
{
    uint32_t position = 0;
    bool right = true;

    return wait_for(!(right = read_on(id, &position)) || (all_seen() && position > 300), PATIENCE) && right;
}

// Begins a trace of a running child while it is held: nothing can be in it, however long that takes.
static bool trace_begins_empty(uint32_t id)
{
    bool held = manage_call(DIOSIX_PAUSE, id, 0, 0).error == 0 && child_becomes(id, DIOSIX_PAUSED);
    struct sbi_result r = trace_from(id, 0, 8);

    if (r.error || trace.head.end)
        print("error %ld, %u to %u\n", r.error, (unsigned)trace.head.position, (unsigned)trace.head.end);
    return held && !r.error && trace.head.position == 0 && trace.head.end == 0 &&
           manage_call(DIOSIX_RESUME, id, 0, 0).error == 0;
}

void trace_kinds(void)
{
    uint32_t id = child_start("child", "role=exits");
    check(id && child_says(id, "I am exits"), "did not start");
    check_error(trace_from(id, 0, 4), SBI_INVALID_PARAM);
    check(trace_begins_empty(id), "not as new");
    memset(seen, 0, sizeof seen);
    check(read_all(id), "not all kinds seen");
    // Ended, nothing is kept; begun again, it starts anew.
    check_error(trace_from(id, 0, 0), 0);
    check_error(trace_from(id, 0, 0), 0);
    check(trace_begins_empty(id), "goes on where it was");
    check(child_remove(id), "still there");
}

// That many exits more than there are now.
static bool trace_grows(uint32_t id, uint32_t by)
{
    uint32_t before = trace_from(id, 0, 8).error ? 0 : trace.head.end;
    return wait_for(trace_from(id, 0, 8).error == 0 && trace.head.end > before + by, PATIENCE);
}

// Traced before it starts, over restarts, and while it is held, forked and destroyed.
void trace_lives(void)
{
    uint32_t id = child_create("child", "role=exits");
    check_error(trace_from(id, 0, sizeof trace), 0);
    check_error(manage_call(DIOSIX_START, id, 0, 0), 0);
    check(trace_grows(id, 20), "nothing is traced");
    check_error(manage_call(DIOSIX_RESTART, id, 0, 0), 0);
    check(wait_for(child_status(id).restarts == 1, PATIENCE), "no restart");
    check(trace_grows(id, 300), "the restart ended it");
    check_error(manage_call(DIOSIX_PAUSE, id, 0, 0), 0);
    check_error(manage_call(DIOSIX_RESUME, id, 0, 0), 0);
    struct sbi_result clone = manage_struct(DIOSIX_FORK, id, 0, NULL);
    check(trace_grows(id, 20), "the fork ended it");
    if (clone.error == 0) {
        uint32_t other = (uint32_t)clone.value;
        check(wait_for(child_status(other).exits[DIOSIX_EXIT_TIMER] > 20, PATIENCE), "the clone does not run");
        check(trace_begins_empty(other), "the clone was traced");
        check(child_remove(other), "still there");
    }
    check(child_remove(id), "still there");
}

// Its exits are told from those of another on the same hart, which stays untraced.
void trace_switch(void)
{
    uint32_t traced = child_start("traced", "role=exits"), other = child_start("other", "role=echo");
    check(traced && other, "did not start");
    check_error(manage_set(traced, DIOSIX_SET_AFFINITY, 1), 0);
    check_error(manage_set(other, DIOSIX_SET_AFFINITY, 1), 0);
    check(child_says(traced, "I am exits") && child_says(other, "I am echo"), "did not start");
    memset(seen, 0, sizeof seen);
    check_error(trace_from(traced, 0, 8), 0);
    for (unsigned i = 0; i < 20; i++) { // as it begins and ends
        check_error(trace_from(other, 0, i & 1 ? 8 : 0), 0);
        check_error(manage_struct(DIOSIX_INPUT, other, 1, "c"), 0);
    }
    check(read_all(traced), "not all kinds seen");
    check(seen[DIOSIX_EXIT_INTERRUPT] + seen[DIOSIX_EXIT_WAIT] > 0, "no switch was seen");
    check(child_says(other, "got c"), "the other does not answer");
    check(child_remove(other) && child_remove(traced), "still there");
}
