// console NAME: what a child prints from now on, and what is typed goes there, until Ctrl-] is typed or it has ended.
#include <string.h>

#include "command.h"
#include "guest.h"
#include "prompt.h"
#include "session.h"

#define ESCAPE 0x1d // Ctrl-]
#define POLL 20u    // ms

static struct terminal before; // that our input is
static bool is_terminal;
static char typed[ASK_OUTPUT]; // that it did not take yet
static size_t typed_count;
static bool is_over, no_input;

// Each key as it comes.
static void terminal_take(void)
{
    is_terminal = system_call(SYSTEM_IOCTL, STDIN, GET_TERMINAL, (long)&before, 0, 0) == 0;
    struct terminal raw = before;
    raw.input &= ~(uint32_t)(INPUT_CR_TO_LF | INPUT_FLOW);
    raw.local &= ~(uint32_t)(LOCAL_SIGNALS | LOCAL_LINES | LOCAL_ECHO);
    if (is_terminal)
        system_call(SYSTEM_IOCTL, STDIN, SET_TERMINAL, (long)&raw, 0, 0);
    is_over = no_input = false;
    typed_count = 0;
}

static enum next terminal_leave(enum next next)
{
    if (is_terminal)
        system_call(SYSTEM_IOCTL, STDIN, SET_TERMINAL, (long)&before, 0, 0);
    put(STDOUT, "\n");
    return next;
}

static void keys_read(void)
{
    struct pollfd input = {.fd = STDIN, .events = POLL_IN};

    if (typed_count == sizeof(typed) || no_input || system_poll(&input, 1, 0) <= 0)
        return;
    long got = system_call(SYSTEM_READ, STDIN, (long)(typed + typed_count), (long)(sizeof(typed) - typed_count), 0, 0);
    no_input = got <= 0;
    if (no_input)
        return;
    char *escape = memchr(typed + typed_count, ESCAPE, (size_t)got);
    is_over = escape;
    typed_count = escape ? (size_t)(escape - typed) : typed_count + (size_t)got;
}

static long keys_type(const struct run *r)
{
    if (!typed_count)
        return SBI_SUCCESS;
    memcpy(&session.answer, typed, typed_count);
    long error = ask(DIOSIX_INPUT, r->id, 0, typed_count);
    if (error == SBI_SUCCESS) {
        typed_count -= (size_t)session.answer_value;
        memmove(typed, typed + session.answer_value, typed_count);
    }
    return error;
}

// True if there was anything.
static bool output_show(struct run *r, long *error)
{
    *error = ask(DIOSIX_OUTPUT, r->id, r->position, sizeof(session.answer.output));
    if (*error != SBI_SUCCESS || !session.answer_value)
        return false;
    r->position = session.answer.output.head.position + (uint32_t)session.answer_value;
    (void)!out_write(session.answer.output.bytes, (size_t)session.answer_value);
    return true;
}

static bool has_ended(const struct run *r)
{
    return ask(DIOSIX_STATUS, r->id, 0, ASK_STATE) != SBI_SUCCESS || session.answer.status.state == DIOSIX_STOPPED;
}

enum next command_console(struct run *r)
{
    long error = SBI_SUCCESS;

    if (!r->phase) {
        error = ask(DIOSIX_OUTPUT, r->id, 0, sizeof(session.answer.output.head));
        if (error != SBI_SUCCESS)
            return fail_call(r, error);
        r->position = session.answer.output.head.end;
        r->phase = 1;
        terminal_take();
    }
    keys_read();
    error = keys_type(r);
    if (error == SBI_SUCCESS && output_show(r, &error))
        return is_over ? terminal_leave(NEXT_DONE) : NEXT_MORE;
    if (error != SBI_SUCCESS)
        return terminal_leave(fail_call(r, error));
    return is_over || has_ended(r) ? terminal_leave(NEXT_DONE) : wait_ms(r, POLL);
}
