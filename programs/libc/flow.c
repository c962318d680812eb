// Straight-line code on top of continuations.
//
// A flow that waits has left its registers on its own stack (riscv/start.S) and given the run back to the
// continuation that woke it, which ends. The event's continuation finds the flow by its argument and goes on there.
#include "sv.h"

#include <string.h>

#define STACK_SIZE 32768u

struct flow {
    sv_word at; // its stack pointer while it waits
    struct sv_handle stack;
    void (*function)(void *);
    void *argument;
    bool has_ended;
};

// What a flow waits for lies on its stack.
struct waiting {
    struct flow *flow;
    unsigned source;
    struct sv_happening *happening;
};

// What flow_switch() takes from the stack: ra first.
struct switched {
    sv_word ra, saved[12], pad[3];
};

void flow_switch(sv_word *from, sv_word to); // start.S

static struct flow *current; // NULL: a continuation's own code runs
static sv_word run_at;       // where the run that woke it left off

static void flow_resume(struct flow *flow)
{
    current = flow;
    flow_switch(&run_at, flow->at);
    current = NULL;
    if (flow->has_ended)
        sv_drop(flow->stack); // and with it the flow
}

static void flow_begin(void)
{
    current->function(current->argument);
    current->has_ended = true;
    flow_switch(&current->at, run_at);
}

static void woken(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                  sv_word handle_count, const struct sv_handle *handles)
{
    const struct waiting *waiting = (const struct waiting *)argument;
    *waiting->happening = (struct sv_happening){.source = waiting->source,
                                                .event = event,
                                                .word = {word0, word1, word2, word3},
                                                .handle_count = (unsigned)handle_count};
    memcpy(waiting->happening->handle, handles, handle_count * sizeof(*handles));
    flow_resume(waiting->flow);
}

static void first(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                  sv_word handle_count, const struct sv_handle *handles)
{
    (void)event, (void)word0, (void)word1, (void)word2, (void)word3, (void)handle_count, (void)handles;
    flow_resume((struct flow *)argument);
}

enum sv_status sv_go(void (*function)(void *), void *argument)
{
    struct sv_handle stack;
    void *address;
    enum sv_status status =
        sv_allocate(sv_frames, STACK_SIZE, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_GUARDED, &address, &stack);
    if (status != SV_OK)
        return status;

    struct flow *flow = (struct flow *)((char *)address + STACK_SIZE) - 1;
    struct switched *top = (struct switched *)((uintptr_t)flow & -(uintptr_t)16) - 1;
    top->ra = (sv_word)flow_begin;
    *flow = (struct flow){.at = (sv_word)top, .stack = stack, .function = function, .argument = argument};
    status = sv_then_now(first, (sv_word)flow);
    if (status != SV_OK)
        sv_drop(stack);
    return status;
}

static enum sv_status wait_add(struct waiting *waiting, const struct sv_source *source, sv_word *number)
{
    struct sv_then then = {.code = woken, .argument = (sv_word)waiting, .flags = source->flags, .ticks = source->ticks};
    return sv_then_with(source->handle, &then, number);
}

enum sv_status sv_wait_any(const struct sv_source *sources, unsigned count, struct sv_happening *happening)
{
    struct waiting waiting[SV_SOURCES_MAX];
    sv_word number[SV_SOURCES_MAX];
    enum sv_status status = SV_OK;
    struct flow *me = current;
    unsigned added = 0;

    if (!me || !count || count > SV_SOURCES_MAX)
        return SV_INVALID;
    while (added < count && status == SV_OK) {
        waiting[added] = (struct waiting){me, added, happening};
        status = wait_add(&waiting[added], &sources[added], &number[added]);
        added += status == SV_OK;
    }
    if (status == SV_OK)
        flow_switch(&me->at, run_at);
    for (unsigned i = 0; i < added; i++)
        if (status != SV_OK || i != happening->source)
            sv_cancel(number[i]);
    return status;
}

enum sv_status sv_wait(struct sv_handle source, struct sv_happening *happening)
{
    struct sv_source one = {.handle = source};
    return sv_wait_any(&one, 1, happening);
}

enum sv_status sv_sleep(uint64_t milliseconds)
{
    struct sv_source until = {.handle = sv_clock, .ticks = sv_time() + sv_ticks(milliseconds)};
    struct sv_happening happening;
    return sv_wait_any(&until, 1, &happening);
}
