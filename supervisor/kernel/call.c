#include "call.h"

#include "archive.h"
#include "channel.h"
#include "devices.h"
#include "funds.h"
#include "hart.h"
#include "inspect.h"
#include "random.h"
#include "region.h"
#include "start.h"
#include "user.h"

void call_give(struct task *t, struct object *object, unsigned rights, struct capability *parent)
{
    capability_make(t->place, &t->object, object, rights, parent);
    frame_give(&t->frame, capability_handle(t->place));
    t->place = NULL;
}

void call_give_new(struct task *t, struct object *object, unsigned rights)
{
    call_give(t, object, rights, NULL);
    object_release(object);
}

static __attribute__((noinline)) enum sv_status what_values(struct task *t, struct capability *c)
{
    const struct object *o = c->object;
    sv_word first = 0, second = 0;
    uint64_t now;

    switch (o->type) {
    case SV_TYPE_REGION:
        first = container_of(o, const struct region, object)->address;
        second = (sv_word)container_of(o, const struct region, object)->size * FRAME_SIZE;
        break;
    case SV_TYPE_FRAMES:
        first = (sv_word)funds_left(container_of(o, const struct funds, object));
        second = (sv_word)container_of(o, const struct funds, object)->budget.limit;
        break;
    case SV_TYPE_CHANNEL:
        first = container_of(o, const struct channel, object)->waiting;
        second = container_of(o, const struct channel, object)->depth;
        break;
    case SV_TYPE_CLOCK:
        now = arch_time();
        first = (sv_word)now;
        second = high_word(now);
        break;
    }
    frame_value(&t->frame, 3, first);
    frame_value(&t->frame, 4, second);
    return SV_OK;
}

static enum sv_status call_what(struct task *t, struct capability *c)
{
    const struct object *o = c->object;
    sv_word type = o->type, rights = c->rights;

    frame_value(&t->frame, 1, type);
    frame_value(&t->frame, 2, rights);
    if (type != SV_TYPE_TASK)
        return what_values(t, c);
    frame_value(&t->frame, 4, o->id);
    frame_value(&t->frame, 3, o == &t->object);
    return SV_OK;
}

static enum sv_status call_copy(struct task *t, struct capability *c)
{
    if (!(c->rights & SV_RIGHT_COPY))
        return SV_DENIED;
    call_give(t, c->object, (unsigned)frame_argument(&t->frame, 0) & c->rights, c);
    return SV_OK;
}

// Piece by piece, and by its handle: others may have taken it away in between. NULL: they have.
static struct capability *revoke_all(const struct task *t, struct capability *c)
{
    struct sv_handle handle = capability_handle(c);

    while (c && !capability_revoke(c, STEP_WORK)) {
        kernel_breathe();
        c = capability_held(t, handle);
    }
    return c;
}

static enum sv_status call_revoke(struct task *t, struct capability *c)
{
    return revoke_all(t, c) ? SV_OK : SV_BAD_HANDLE;
}

static enum sv_status call_drop(struct task *t, struct capability *c)
{
    c = revoke_all(t, c);
    if (!c)
        return SV_BAD_HANDLE;
    capability_remove(c);
    return SV_OK;
}

static enum sv_status call_split(struct task *t, struct capability *c)
{
    sv_word count = frame_argument(&t->frame, 0);
    struct funds *f;

    if (!count)
        return SV_INVALID;
    enum sv_status status = funds_split(container_of(c->object, struct funds, object), count, &f);
    if (status == SV_OK)
        call_give_new(t, &f->object, SV_RIGHT_USE | SV_RIGHT_COPY);
    return status;
}

static enum sv_status call_random(struct task *t, struct capability *c)
{
    unsigned char bytes[SV_SEED_MAX];
    sv_word size = frame_argument(&t->frame, 1);

    (void)c;
    if (size > sizeof(bytes))
        return SV_INVALID;
    random_draw(bytes, size);
    return user_write(t, frame_argument(&t->frame, 0), bytes, size) ? SV_OK : SV_FAULT;
}

// What a call is about: any type, one type, or the caller's own task; the right it takes, and whether it makes a
// capability.
#define ANY SV_TYPE_NONE
#define OWN SV_TYPES
static const struct {
    enum sv_status (*run)(struct task *t, struct capability *c);
    uint16_t right;
    uint8_t type;
    bool makes;
} calls[SV_CALLS] = {
    [SV_WHAT] = {call_what, 0, ANY, false},
    [SV_THEN] = {call_then, 0, ANY, false},
    [SV_CANCEL] = {call_cancel, 0, OWN, false},
    [SV_FINISH] = {call_finish, 0, OWN, false},
    [SV_END] = {call_end, SV_RIGHT_END, SV_TYPE_TASK, false},
    [SV_SEND] = {call_send, SV_RIGHT_SEND, SV_TYPE_CHANNEL, false},
    [SV_COPY] = {call_copy, 0, ANY, true},
    [SV_REVOKE] = {call_revoke, 0, ANY, false},
    [SV_DROP] = {call_drop, 0, ANY, false},
    [SV_GROUP] = {call_group, 0, OWN, true},
    [SV_MEMBER] = {call_member, SV_RIGHT_USE, SV_TYPE_GROUP, true},
    [SV_ALLOCATE] = {call_allocate, SV_RIGHT_USE, SV_TYPE_FRAMES, true},
    [SV_ACCESS] = {call_access, 0, SV_TYPE_REGION, false},
    [SV_SPLIT] = {call_split, SV_RIGHT_USE, SV_TYPE_FRAMES, true},
    [SV_CHANNEL] = {call_channel, SV_RIGHT_USE, SV_TYPE_FRAMES, true},
    [SV_START] = {call_start, SV_RIGHT_USE, SV_TYPE_IMAGE, true},
    [SV_COMPLETE] = {call_complete, SV_RIGHT_WAIT, SV_TYPE_INTERRUPT, false},
    [SV_WRITE] = {call_write, SV_RIGHT_WRITE, SV_TYPE_CONSOLE, false},
    [SV_READ] = {call_read, SV_RIGHT_READ, SV_TYPE_CONSOLE, false},
    [SV_INSPECT] = {call_inspect, SV_RIGHT_READ, SV_TYPE_SYSTEM, false},
    [SV_OPEN] = {call_open, SV_RIGHT_USE, SV_TYPE_ARCHIVE, true},
    [SV_HYPERVISOR] = {call_hypervisor, SV_RIGHT_USE, SV_TYPE_HYPERVISOR, false},
    [SV_POWER] = {call_power, SV_RIGHT_POWER, SV_TYPE_SYSTEM, false},
    [SV_RANDOM] = {call_random, 0, OWN, false},
};

static bool is_about(const struct task *t, const struct capability *c, unsigned type)
{
    return type == ANY || c->object->type == type || (type == OWN && c->object == &t->object);
}

static enum sv_status call_making(struct task *t, sv_word number, struct capability *c)
{
    enum sv_status status = table_take(t, &t->place);

    if (status == SV_OK)
        status = calls[number].run(t, c);
    if (t->place)
        table_put(t, t->place);
    t->place = NULL;
    return status;
}

// With all checks. Those of the capability's type and rights are not made again.
static __attribute__((noinline)) enum sv_status call_checked(struct task *t, sv_word number, struct capability *c)
{
    if (t->is_doomed)
        return CALL_NO_ANSWER;
    if (number >= SV_CALLS)
        return SV_INVALID;
    if (!c || (t->limit && !group_allows(t->limit, t, c)))
        return SV_BAD_HANDLE;
    if (!is_about(t, c, calls[number].type))
        return SV_BAD_TYPE;
    if ((c->rights & calls[number].right) != calls[number].right)
        return SV_DENIED;
    if (calls[number].makes)
        return call_making(t, number, c);
    c->passed |= 0x80000000u >> number;
    return calls[number].run(t, c);
}

_Static_assert(SV_CALLS <= 32, "a bit in 'passed' for each call, the highest for the first");

enum sv_status kernel_call(struct frame *f, sv_word number, uint64_t handle_low, uint64_t handle_high)
{
    struct task *t = container_of(f, struct task, frame);

    kernel_enter();
    struct capability *c = capability_named(t, handle_low, handle_high);
    if (likely(c && number < t->fast_calls && (int32_t)(c->passed << number) < 0))
        return calls[number].run(t, c);
    return call_checked(t, number, c);
}
