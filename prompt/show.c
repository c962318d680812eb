// Commands that show one thing at length: log, trace, machine, images.
#include <string.h>

#include "command.h"
#include "session.h"
#include "units.h"

#define TRACE_COUNT 20u
#define NS_PER_US 1000u

typedef unsigned long long ull; // what %llx takes

// log --------------------------------------------------------------------------------------------------

// What a capsule printed, each line after a bar: whatever it says can neither pass for the prompt's words
// nor steer the terminal.
static void log_text(char c)
{
    if (!session.filter.midline)
        out_text("| ");
    session.filter.midline = true;
    out_char(c);
}

// After 0xc2 come characters, and the controls C1, which terminals obey like escape sequences.
static void log_byte_plain(char c)
{
    unsigned char byte = (unsigned char)c;
    bool is_lead = session.filter.state == LEAD;

    session.filter.state = byte == 0xc2 ? LEAD : byte == 0x1b ? ESCAPE : TEXT;
    if (is_lead && byte >= 0x80 && byte < 0xc0) {
        if (byte < 0xa0)
            return;
        log_text((char)0xc2);
    }
    if (session.filter.state == TEXT && ((byte >= ' ' && byte != 0x7f) || byte == '\t'))
        log_text(c);
}

static void log_byte(char c)
{
    if (c == '\n') {
        if (!session.filter.midline)
            out_char('|');
        out_line_end();
        session.filter.midline = false;
        session.filter.state = TEXT;
    } else if (session.filter.state == ESCAPE) {
        session.filter.state = c == '[' ? SEQUENCE : TEXT;
    } else if (session.filter.state == SEQUENCE) {
        session.filter.state = c >= '@' ? TEXT : SEQUENCE;
    } else {
        log_byte_plain(c);
    }
}

// A piece from r->position on; r->number: where the end was at the beginning, r->other: that is known.
static bool log_piece(struct run *r)
{
    if (ask(DIOSIX_OUTPUT, r->id, r->position, sizeof(session.answer.output)) != SBI_SUCCESS || !session.answer_value)
        return false;
    if (!r->other++)
        r->number = session.answer.output.head.end;
    r->position = session.answer.output.head.position + (uint32_t)session.answer_value;
    for (unsigned i = 0; i < session.answer_value; i++)
        log_byte(session.answer.output.bytes[i]);
    return (int32_t)(r->number - r->position) > 0;
}

static const char endings[] = "it has not ended yet\0"
                              "shut down\0"
                              "shut down, reporting a failure\0"
                              "rebooted\0"
                              "all its vcores had stopped\0"
                              "a fault it could not be given\0"
                              "no memory for a page of its own\0"
                              "killed\0"
                              "restarted\0";

static bool log_ending(const struct run *r)
{
    if (session.filter.midline)
        out_line_end();
    if (ask(DIOSIX_STATUS, r->id, 0, sizeof(session.answer.status)) != SBI_SUCCESS || !session.answer.status.ending)
        return false;
    const struct diosix_status *s = &session.answer.status;
    out_format("last end: %s; failures in a row: %u", list_word(endings, s->ending), (unsigned)s->failures);
    out_line_end();
    if (s->ending == DIOSIX_ENDED_FAULT)
        out_format("cause %u, value 0x%llx, pc 0x%llx", (unsigned)s->detail[0], (ull)s->detail[1], (ull)s->detail[2]);
    else if (s->ending == DIOSIX_ENDED_FAILURE)
        out_format("code %llu", (ull)s->detail[0]);
    else
        return s->crash_vcore;
    out_line_end();
    return s->crash_vcore;
}

// Four registers; true if there are more.
static bool log_registers(unsigned line)
{
    static const char names[] = "zero\0ra\0sp\0gp\0tp\0t0\0t1\0t2\0s0\0s1\0a0\0a1\0a2\0a3\0a4\0a5\0a6\0a7\0s2\0s3\0"
                                "s4\0s5\0s6\0s7\0s8\0s9\0s10\0s11\0t3\0t4\0t5\0t6\0";
    if (line == 0) {
        out_format("vcore %u, pc 0x%llx", (unsigned)session.answer.status.crash_vcore - 1,
                   (ull)session.answer.status.pc);
        out_line_end();
    }
    for (unsigned i = 4 * line; i < 4 * line + 4; i++)
        out_format("%-4s 0x%016llx  ", list_word(names, i), (ull)session.answer.status.registers[i]);
    out_line_end();
    return line < 7;
}

static void log_backtrace(void)
{
    unsigned count = session.answer.status.backtrace_count;
    if (count > array_length(session.answer.status.backtrace))
        count = array_length(session.answer.status.backtrace);
    out_text("called from");
    for (unsigned i = 0; i < count; i++)
        out_format(" 0x%llx", (ull)session.answer.status.backtrace[i]);
    out_line_end();
}

enum next command_log(struct run *r)
{
    if (r->phase == 0) {
        if (r->other == 0)
            memset(&session.filter, 0, sizeof(session.filter));
        r->phase = !log_piece(r);
        return NEXT_MORE;
    }
    if (r->phase == 1) {
        if (!log_ending(r))
            return NEXT_DONE;
    } else if (!log_registers(r->phase - 2)) { // answer.status is still there: a command runs alone
        log_backtrace();
        return NEXT_DONE;
    }
    r->phase++;
    return NEXT_MORE;
}

// trace --------------------------------------------------------------------------------------------------

static enum next trace_begin(struct run *r)
{
    uint64_t count = TRACE_COUNT;

    if (r->count && !strcmp(r->words[0], "off"))
        return done(r, ask(DIOSIX_TRACE, r->id, 0, 0));
    if (r->count && (!parse_number(r->words[0], &count) || !count || count > INT32_MAX))
        return fail_usage(r);
    long error = ask(DIOSIX_TRACE, r->id, 0, sizeof(session.answer.trace.head));
    if (error != SBI_SUCCESS)
        return fail_call(r, error);
    r->number = session.answer.trace.head.end;
    r->position = r->number > count ? r->number - (unsigned)count : 0;
    r->phase = 1;
    if (r->number)
        return NEXT_MORE;
    out_text("its exits are kept from now on: ask again");
    out_line_end();
    return NEXT_DONE;
}

static void trace_line(const struct diosix_exit *e)
{
    static const char kinds[] = "timer\0ipi\0fence\0call\0device\0wait\0interrupt\0other\0";
    uint64_t us = e->time / NS_PER_US;
    out_format("%6u.%06u vcore %u %-9s %8u ns  %s %u  0x%x", (unsigned)(us / 1000000), (unsigned)(us % 1000000),
               e->vcore, list_word(kinds, e->kind), (unsigned)e->duration, e->interrupt ? "interrupt" : "cause",
               (unsigned)e->cause, (unsigned)e->detail);
    out_line_end();
}

enum next command_trace(struct run *r)
{
    if (r->phase == 0)
        return trace_begin(r);
    long error = ask(DIOSIX_TRACE, r->id, r->position, sizeof(session.answer.trace));
    if (error != SBI_SUCCESS)
        return fail_call(r, error);
    for (unsigned i = 0; i < session.answer_value && i < ASK_EXITS; i++)
        if ((int32_t)(r->number - session.answer.trace.head.position - i) > 0)
            trace_line(&session.answer.trace.exits[i]);
    r->position = session.answer.trace.head.position + (uint32_t)session.answer_value;
    return session.answer_value && (int32_t)(r->number - r->position) > 0 ? NEXT_MORE : NEXT_DONE;
}

// machine ------------------------------------------------------------------------------------------------

static enum next machine_facts(struct run *r)
{
    long error = ask(DIOSIX_MACHINE, 0, 0, sizeof(session.answer.machine));
    const struct diosix_machine *m = &session.answer.machine;

    if (error != SBI_SUCCESS)
        return fail_call(r, error);
    r->number = m->harts;
    out_format("Diosix %s on %s, up", m->version, m->model);
    put_seconds(m->uptime);
    out_format(" s, %u capsules", (unsigned)m->capsules);
    out_line_end();
    out_text("memory");
    put_size(m->memory);
    out_format(", free %uK, in one piece", (unsigned)(m->memory_free >> 10)); // exact, to see what is not given back
    put_size(m->memory_largest);
    out_text(", the hypervisor's");
    put_size(m->memory_own);
    out_line_end();
    out_format("isolation %s, timebase %u Hz", list_word(words_isolation, m->isolation), (unsigned)m->timebase_hz);
    out_line_end();
    out_format("guests' isa %s", m->isa);
    out_line_end();
    return NEXT_MORE;
}

static void capsule_named(const char *what, uint32_t id)
{
    if (id && ask(DIOSIX_STATUS, id, 0, ASK_NAME) == SBI_SUCCESS)
        out_format(", %s %s", what, session.answer.status.name);
}

static enum next machine_memory(unsigned n)
{
    if (ask(DIOSIX_MEMORY, n, 0, sizeof(session.answer.memory)) != SBI_SUCCESS)
        return NEXT_DONE;
    const struct diosix_memory *m = &session.answer.memory;
    out_format("RAM 0x%010llx to 0x%010llx: %s", (unsigned long long)m->start,
               (unsigned long long)(m->start + m->size - 1),
               m->kind == DIOSIX_MEMORY_HYPERVISOR ? "the hypervisor's" : "capsules'");
    out_line_end();
    return NEXT_MORE;
}

enum next command_machine(struct run *r)
{
    unsigned n = r->phase++;

    if (n == 0)
        return machine_facts(r);
    if (n > r->number)
        return machine_memory(n - 1 - (unsigned)r->number);
    if (ask(DIOSIX_HART, n - 1, 0, sizeof(session.answer.hart)) != SBI_SUCCESS)
        return NEXT_DONE;
    uint32_t owner = session.answer.hart.owner, runs = session.answer.hart.runs;
    out_format("hart %u: id %u, idle", n - 1, (unsigned)session.answer.hart.id);
    put_seconds(session.answer.hart.idle_time);
    out_text(" s");
    capsule_named("owned by", owner);
    capsule_named("runs", runs);
    out_line_end();
    return NEXT_MORE;
}

// images -------------------------------------------------------------------------------------------------

enum next command_images(struct run *r)
{
    if (ask(DIOSIX_IMAGE, r->phase++, 0, sizeof(session.answer.image)) != SBI_SUCCESS)
        return NEXT_DONE;
    out_format("%-31s", session.answer.image.name);
    put_size(session.answer.image.size);
    out_text(session.answer.image.kind == 1 ? "  kernel" : "");
    out_line_end();
    return NEXT_MORE;
}
