// The prompt's commands for guests (docs/vsock.md). A guest's session is like the terminal's, but for what asks: all
// calls are made as that capsule, so that it reaches its own descendants alone. Its capsule's worker makes the steps,
// on that capsule's time.
#include "service.h"

#include <string.h>

#include "session.h"

struct talk {
    bool is_too_long; // the line that is being read: the rest of it is dropped
    uint32_t waiting;
    uint8_t input[SERVICE_INPUT];
    struct session session; // last, as its end is open
};
_Static_assert(sizeof(struct talk) <= SERVICE_TALK_SIZE, "who allocates it knows no more");

bool service_open(struct talk *t, struct space *who)
{
    t->session.who = who;
    return true;
}

// --- what it hears -------------------------------------------------------------------------------------------

uint8_t *service_room(struct talk *t, uint32_t *count)
{
    *count = SERVICE_INPUT - t->waiting;
    return t->input + t->waiting;
}

void service_heard(struct talk *t, uint32_t count)
{
    t->waiting += count;
}

uint32_t service_waiting(const struct talk *t)
{
    return t->waiting;
}

static void input_drop(struct talk *t, uint32_t count)
{
    t->waiting -= count;
    memmove(t->input, t->input + count, t->waiting);
}

// The next line into the session's, in one piece. False: there is none yet.
static bool line_take(struct talk *t)
{
    char *line = t->session.line;
    const uint8_t *end = memchr(t->input, '\n', t->waiting);
    uint32_t length = end ? (uint32_t)(end - t->input) : t->waiting;

    t->is_too_long = t->is_too_long || length >= EDIT_SIZE;
    if (!end && t->is_too_long)
        input_drop(t, length);
    if (!end)
        return false;
    uint32_t kept = t->is_too_long ? 0 : length;
    if (kept && t->input[kept - 1] == '\r')
        kept--;
    for (uint32_t i = 0; i < kept; i++)
        line[i] = t->input[i] < ' ' || t->input[i] == 0x7f ? ' ' : (char)t->input[i];
    line[kept] = 0;
    input_drop(t, length + 1);
    return true;
}

// --- what it does --------------------------------------------------------------------------------------------

static void line_begin(struct talk *t)
{
    bool is_too_long = t->is_too_long;

    t->is_too_long = false;
    if (is_too_long)
        fail(&t->session.run, "the line is too long");
    else if (ask(DIOSIX_NEXT, 0, 0, 0) == SBI_ERR_DENIED)
        fail(&t->session.run, "this capsule may not manage others: its manifest gives `rights: [manage]`");
    else
        command_begin();
}

static enum service_step step(struct talk *t)
{
    uint64_t ignored;

    if (!t->session.run.command && !line_take(t))
        return SERVICE_IDLE;
    if (!t->session.run.command) {
        line_begin(t);
        return SERVICE_MORE;
    }
    return command_run(&ignored) == NEXT_WAIT ? SERVICE_LATER : SERVICE_MORE;
}

enum service_step service_step(struct talk *t)
{
    if (t->session.out_length)
        return SERVICE_IDLE;
    if (!lock_try(&session_lock))
        return SERVICE_MORE;
    session = &t->session;
    enum service_step next = step(t);
    lock_release(&session_lock);
    return next;
}

// --- what it says --------------------------------------------------------------------------------------------

uint32_t service_words(struct talk *t, const char **at)
{
    *at = t->session.out + t->session.out_sent;
    return (uint32_t)(t->session.out_length - t->session.out_sent);
}

void service_said(struct talk *t, uint32_t count)
{
    struct session *s = &t->session;

    s->out_sent += count;
    if (s->out_sent == s->out_length)
        s->out_sent = s->out_length = 0;
}
