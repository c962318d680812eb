// list and top: all capsules, as the tree they are.
#include <string.h>

#include "command.h"
#include "prompt.h"
#include "session.h"
#include "units.h"

#define LOOKS_A_STEP 16u // at capsules, for one that is next in the tree
#define TOP_ROWS 20u
#define LIST_MORE 16u // rows for capsules that are made while the others are listed
#define TOP_MS 1000u

enum walk { WALK_FOUND, WALK_MORE, WALK_END };

static void walk_begin(void)
{
    memset(&session.walk, 0, sizeof(session.walk));
}

static enum walk walk_up(void)
{
    if (session.walk.parent == 0)
        return WALK_END;
    session.walk.after = session.walk.parent;
    bool known = ask(DIOSIX_STATUS, session.walk.parent, 0, ASK_STATE) == SBI_SUCCESS;
    session.walk.parent = known ? session.answer.status.parent : 0; // it is gone, and so are its children
    session.walk.depth = known && session.walk.depth ? session.walk.depth - 1 : 0;
    return WALK_MORE;
}

static enum walk walk_step(void)
{
    for (unsigned i = 0; i < LOOKS_A_STEP; i++) {
        uint32_t id = ask_next(session.walk.after, ASK_STATE);
        if (!id)
            return walk_up();
        session.walk.after = id;
        if (session.answer.status.parent == session.walk.parent && session.answer.status.name[0]) {
            session.walk.at = id;
            return WALK_FOUND;
        }
    }
    return WALK_MORE;
}

// Its children come next, if it has any.
static void walk_down(bool has_children)
{
    if (!has_children)
        return;
    session.walk.parent = session.walk.at;
    session.walk.depth++;
}

static struct sample *sample_of(const struct diosix_status *s)
{
    for (unsigned i = 0; i < SAMPLES; i++)
        if (session.samples[i].id == s->id)
            return &session.samples[i];
    struct sample *sample = &session.samples[session.oldest];
    session.oldest = (session.oldest + 1) % SAMPLES;
    memset(sample, 0, sizeof(*sample));
    sample->id = s->id;
    sample->at = s->running_since;
    return sample;
}

static void head(bool top)
{
    out_format("  ID NAME           STATE    MEM PRIV VC ISOL   %s RST TIMR  IPI FENC CALL  DEV WAIT INTR OTHR",
               top ? "CPU    " : "TIME(s)");
}

static void row(const struct diosix_status *s, bool top)
{
    struct sample *sample = sample_of(s);
    uint64_t elapsed = session.now > sample->at ? session.now - sample->at : 0;
    unsigned indent = session.walk.depth < 6 ? session.walk.depth * 2 : 12;

    out_format("%4u %*s%-*s %-7s", (unsigned)s->id, (int)indent, "", (int)(14 - indent), s->name,
               list_word(words_state, s->state));
    put_size(s->memory);
    put_size(s->memory_private);
    out_format(" %2u %-6s", (unsigned)s->vcores, list_word(words_isolation, s->isolation));
    if (top)
        out_format(" %6u%%", elapsed ? (unsigned)((s->hart_time - sample->hart_time) * 100 / elapsed) : 0);
    else
        put_seconds(s->hart_time);
    out_format(" %3u", (unsigned)s->restarts);
    for (unsigned i = 0; i < DIOSIX_EXIT_KINDS; i++) {
        put_rate((uint32_t)s->exits[i] - sample->exits[i], elapsed);
        sample->exits[i] = (uint32_t)s->exits[i];
    }
    sample->at = session.now;
    sample->hart_time = s->hart_time;
}

static bool time_take(void)
{
    if (ask(DIOSIX_MACHINE, 0, 0, offsetof(struct diosix_machine, isa)) != SBI_SUCCESS)
        return false;
    session.now = session.answer.machine.uptime;
    return true;
}

// True if there was one.
static bool row_found(bool top)
{
    if (ask(DIOSIX_STATUS, session.walk.at, 0, sizeof(session.answer.status)) != SBI_SUCCESS)
        return false;
    row(&session.answer.status, top);
    walk_down(session.answer.status.used.capsules);
    return true;
}

// One who makes capsules as fast as they are listed must not keep the prompt for ever.
static bool list_is_long(struct run *r)
{
    if (r->number--)
        return false;
    out_text("and more, that were made meanwhile");
    out_line_end();
    return true;
}

enum next command_list(struct run *r)
{
    if (r->phase++ == 0) {
        r->number = LIST_MORE + (time_take() ? session.answer.machine.capsules : 0);
        head(false);
        out_line_end();
        walk_begin();
        return NEXT_MORE;
    }
    enum walk found = walk_step();
    if (found == WALK_FOUND && list_is_long(r))
        return NEXT_DONE;
    if (found == WALK_FOUND && row_found(false))
        out_line_end();
    return found == WALK_END ? NEXT_DONE : NEXT_MORE;
}

// top: a screen is drawn from its top left, each line to its end, and then what is below is cleared
// (ECMA-48: CUP, EL, ED).

static void top_line_end(void)
{
    out_text("\x1b[K");
    out_line_end();
}

static uint64_t idle_of_all(unsigned harts)
{
    uint64_t idle = 0;
    for (unsigned i = 0; i < harts; i++)
        if (ask(DIOSIX_HART, i, 0, sizeof(session.answer.hart)) == SBI_SUCCESS)
            idle += session.answer.hart.idle_time;
    return idle;
}

static void top_head(void)
{
    static uint64_t idle_before, before;
    unsigned harts = 0;

    out_text("\x1b[H");
    if (time_take()) {
        harts = session.answer.machine.harts;
        out_text("up");
        put_seconds(session.now);
        out_format(" s, %u capsules, memory free", (unsigned)session.answer.machine.capsules);
        put_size(session.answer.machine.memory_free);
        out_text(" of");
        put_size(session.answer.machine.memory);
    }
    uint64_t idle = idle_of_all(harts), elapsed = (session.now - before) * harts;
    if (idle < idle_before) // one of them was just waking up
        idle = idle_before;
    out_format(", %u harts idle %u%% - a key ends this", harts,
               elapsed ? (unsigned)((idle - idle_before) * 100 / elapsed) : 0);
    idle_before = idle;
    before = session.now;
    top_line_end();
    head(true);
    top_line_end();
}

// r->phase: the head; the rows; the wait for the next round. r->number: rows shown.
enum next command_top(struct run *r)
{
    if (prompt_is_interrupted()) {
        out_line_end();
        return NEXT_DONE;
    }
    if (r->phase == 2 && !wait_is_over(r))
        return NEXT_WAIT;
    if (r->phase != 1) {
        top_head();
        walk_begin();
        r->number = 0;
        r->phase = 1;
        return NEXT_MORE;
    }
    enum walk found = r->number < TOP_ROWS ? walk_step() : WALK_END;
    if (found == WALK_FOUND && row_found(true)) {
        top_line_end();
        r->number++;
    }
    if (found != WALK_END)
        return NEXT_MORE;
    out_text("\x1b[J");
    r->phase = 2;
    return wait_ms(r, TOP_MS);
}
