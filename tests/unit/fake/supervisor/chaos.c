#include "chaos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "funds.h"
#include "hart.h"
#include "region.h"

#define POOLS 16
#define HANDLES 64
#define HARTS 3

// What the test knows of a task: the last handles that it got, and addresses.
static struct pool {
    uint32_t task;
    struct sv_handle handle[HANDLES];
    uintptr_t address[8];
    unsigned count, addresses;
} pools[POOLS];

static const uint8_t *input;
static size_t left;
static unsigned succeeded;

static unsigned take(unsigned below)
{
    unsigned value = 0;

    if (left) {
        value = *input++;
        left--;
    }
    return value % below;
}

static struct pool *pool_of(const struct task *t)
{
    struct pool *p = &pools[t->object.id % POOLS];

    if (p->task != t->object.id)
        *p = (struct pool){.task = t->object.id};
    return p;
}

static void learn(struct pool *p, struct sv_handle h)
{
    if (p->count < HANDLES)
        p->handle[p->count++] = h;
    else
        p->handle[12 + take(HANDLES - 12)] = h;
}

static struct sv_handle pick(struct pool *p)
{
    unsigned how = take(32), n = take(HANDLES);
    struct pool *from = how == 0 ? &pools[take(POOLS)] : p; // what another one has is worth nothing
    unsigned known = from->count < HANDLES ? from->count : HANDLES;
    struct sv_handle h = known ? from->handle[n % known] : (struct sv_handle){{n}};

    if (how == 1)
        h.word[take(4)] ^= 1u << take(32);
    if (how == 2)
        h = (struct sv_handle){{0}};
    return h;
}

// What it finds when it starts, and what comes with a message.
static void learn_at_entry(const struct task *t)
{
    struct pool *p = pool_of(t);
    struct sv_start_page page;
    struct sv_handle handle[SV_MESSAGE_HANDLES];

    if (t->frame.event == SV_EVENT_START && !p->count && fake_load(t->start_page, &page, sizeof(page)))
        for (unsigned i = 0; i < page.count; i++)
            learn(p, page.handles[i].handle);
    if (t->frame.handle_count && fake_load(t->frame.handles, handle, t->frame.handle_count * sizeof(*handle)))
        for (unsigned i = 0; i < t->frame.handle_count; i++)
            learn(p, handle[i]);
}

// A region that the task is never told the handle of.
static bool is_hidden(const struct task *t, const struct capability *c)
{
    return c->object == &region_at(t->stack_low)->object || c->object == &region_at(t->start_page)->object ||
           c->object == &region_at(t->entry)->object;
}

// Mostly one of its own of this type (SV_TYPE_NONE: of any).
static struct sv_handle own(unsigned type, const struct task *t, struct pool *p)
{
    unsigned how = take(16), from = take(256), size = table_size(t);

    for (unsigned i = 0; how && i < size; i++) {
        const struct capability *c = table_entry(t, (from + i) % size);
        if (c->object && (!type || c->object->type == type) && !is_hidden(t, c))
            return capability_handle(c);
    }
    return pick(p);
}

// All or some of those that it has, seldom others.
static unsigned rights_of(const struct task *t, struct sv_handle h)
{
    const struct capability *c = capability_find(t, h);
    unsigned how = take(8), some = take(256) * 8u;

    if (!c || !how)
        return some;
    return how < 5 ? c->rights : c->rights & (some | SV_RIGHT_COPY);
}

static sv_word number(struct pool *p, const struct task *t)
{
    static const sv_word interesting[] = {0,
                                          1,
                                          2,
                                          FRAME_SIZE,
                                          FRAME_SIZE + 1,
                                          (sv_word)-1,
                                          (sv_word)-FRAME_SIZE,
                                          1024,
                                          0x8000,
                                          0x7fffffffu,
                                          0x80000000u,
                                          65,
                                          256,
                                          (sv_word)1 << (sizeof(sv_word) * 8 - 1)};

    switch (take(8)) {
    case 0:
        return interesting[take(array_length(interesting))];
    case 1:
        return t->stack_low + take(256) * 16;
    case 2:
        return p->address[take(8)] + take(3) * (FRAME_SIZE / 2);
    case 3:
        return (sv_word)fake_time + take(256) * 100;
    case 4:
        return 1u << take(11);
    default:
        return take(16);
    }
}

// Puts what a call reads at the bottom of the stack, and tells where.
static sv_word transfers(struct pool *p, const struct task *t, unsigned count)
{
    struct sv_transfer transfer[SV_MESSAGE_HANDLES];
    sv_word at = t->stack_low + take(8) * 16;

    for (unsigned i = 0; i < count; i++) {
        transfer[i] = (struct sv_transfer){own(SV_TYPE_NONE, t, p), SV_RIGHTS_ALL, take(2)};
        if (!transfer[i].move || !take(8))
            transfer[i].rights = rights_of(t, transfer[i].handle);
    }
    return fake_store(at, transfer, count * sizeof(*transfer)) ? at : 0;
}

static sv_word handles(struct pool *p, const struct task *t, unsigned count)
{
    struct sv_handle handle[SV_GROUP_MAX];

    for (unsigned i = 0; i < count; i++)
        handle[i] = pick(p);
    return fake_store(t->stack_low, handle, count * sizeof(*handle)) ? t->stack_low : 0;
}

static sv_word start(struct pool *p, const struct task *t)
{
    struct sv_start s = {.frames = own(SV_TYPE_FRAMES, t, p),
                         .frame_count = take(4) ? 30 + take(100) : take(64),
                         .grant_count = take(4),
                         .grants = t->stack_low + 1024,
                         .budget = take(2) ? 0 : take(256) * 1000000,
                         .stack_size = take(2) ? 0 : take(256) * 300};

    for (unsigned i = 0; i < s.grant_count; i++) {
        struct sv_grant grant = {"thing", {own(SV_TYPE_NONE, t, p), 0, take(2)}};
        grant.transfer.rights = rights_of(t, grant.transfer.handle);
        if (!fake_store(t->stack_low + 1024 + i * sizeof(grant), &grant, sizeof(grant)))
            return 0;
    }
    return fake_store(t->stack_low, &s, sizeof(s)) ? t->stack_low : 0;
}

static struct fake_call arguments(unsigned number_of_call, struct sv_handle by, struct pool *p, const struct task *t)
{
    struct fake_call c;
    unsigned count;

    for (unsigned i = 0; i < array_length(c.argument); i++)
        c.argument[i] = number(p, t);
    switch (number_of_call) {
    case SV_THEN:
        c.argument[2] = take(4) ? 0 : take(8);
        c.argument[5] = take(4) ? 0 : handles(p, t, 1);
        break;
    case SV_SEND:
        count = take(SV_MESSAGE_HANDLES + 1);
        c.argument[5] = count | (take(3) ? 0 : SV_LAST);
        c.argument[4] = transfers(p, t, count);
        break;
    case SV_COPY:
        c.argument[0] = rights_of(t, by);
        break;
    case SV_GROUP:
        c.argument[1] = take(SV_GROUP_MAX);
        c.argument[0] = handles(p, t, (unsigned)c.argument[1]);
        break;
    case SV_ALLOCATE:
        c.argument[0] = 1 + take(32) * (sv_word)(take(8) ? 700 : 700000);
        c.argument[1] = 1 + take(8) % 3 * 2;
        c.argument[2] = take(4);
        break;
    case SV_ACCESS:
        c.argument[0] = take(8);
        break;
    case SV_SPLIT:
        c.argument[0] = take(256);
        break;
    case SV_CHANNEL:
        c.argument[0] = 1 + take(12);
        break;
    case SV_START:
        c.argument[0] = start(p, t);
        break;
    case SV_OPEN:
        c.argument[0] = fake_store(t->stack_low, "init", 4) ? t->stack_low : 0;
        c.argument[1] = 4;
        break;
    case SV_INSPECT:
        c.argument[0] = take(7);
        c.argument[1] = take(32);
        c.argument[3] = (sv_word[]){sizeof(struct sv_machine),
                                    sizeof(struct sv_task),
                                    sizeof(struct sv_region),
                                    sizeof(struct sv_capability),
                                    sizeof(struct sv_channel),
                                    sizeof(struct sv_program),
                                    5}[c.argument[0]];
        break;
    case SV_POWER:
        c.argument[0] |= 2;
        break;
    }
    return c;
}

// Mostly something that the call can be about, and seldom the end of what a task can't do without.
static struct sv_handle subject(unsigned which, const struct task *t, struct pool *p)
{
    static const uint8_t type[SV_CALLS] = {
        [SV_CANCEL] = SV_TYPE_TASK,     [SV_FINISH] = SV_TYPE_TASK,          [SV_GROUP] = SV_TYPE_TASK,
        [SV_RANDOM] = SV_TYPE_TASK,     [SV_SEND] = SV_TYPE_CHANNEL,         [SV_MEMBER] = SV_TYPE_GROUP,
        [SV_ALLOCATE] = SV_TYPE_FRAMES, [SV_ACCESS] = SV_TYPE_REGION,        [SV_SPLIT] = SV_TYPE_FRAMES,
        [SV_CHANNEL] = SV_TYPE_FRAMES,  [SV_START] = SV_TYPE_IMAGE,          [SV_OPEN] = SV_TYPE_ARCHIVE,
        [SV_WRITE] = SV_TYPE_CONSOLE,   [SV_READ] = SV_TYPE_CONSOLE,         [SV_COMPLETE] = SV_TYPE_INTERRUPT,
        [SV_INSPECT] = SV_TYPE_SYSTEM,  [SV_HYPERVISOR] = SV_TYPE_HYPERVISOR};
    struct sv_handle h = which < SV_CALLS ? own(type[which], t, p) : pick(p);
    const struct capability *c = capability_find(t, h);
    bool ends = which == SV_END || which == SV_DROP || which == SV_REVOKE;

    if (which == SV_FINISH && take(16))
        return p->handle[0];
    if (ends && c && take(32) &&
        (c->object == &t->object || c->object == &t->funds->object || c->object->type == SV_TYPE_ARCHIVE ||
         c->object->type == SV_TYPE_CLOCK))
        return pick(p);
    return h;
}

static void system_call(struct task *t)
{
    // those that make things, more often than those that end them
    static const uint8_t often[] = {SV_THEN,    SV_THEN,    SV_THEN,  SV_THEN,   SV_SEND,     SV_SEND,
                                    SV_SEND,    SV_SEND,    SV_COPY,  SV_COPY,   SV_ALLOCATE, SV_ALLOCATE,
                                    SV_CHANNEL, SV_CHANNEL, SV_GROUP, SV_FINISH, SV_OPEN,     SV_START,
                                    SV_START,   SV_MEMBER,  SV_DROP,  SV_FINISH, SV_SPLIT,    SV_ACCESS};
    unsigned which = take(4) ? often[take(array_length(often))] : take(SV_CALLS + 1);
    struct pool *p = pool_of(t);
    if (which == SV_FINISH && !t->pending && take(32)) // that would be its end
        which = SV_THEN;
    uint32_t id = t->object.id, runs = (uint32_t)t->runs;
    struct sv_handle by = subject(which, t, p);
    struct fake_call c = arguments(which, by, p, t);

    if (fake_task() != t || t->runs != runs) // preparing it went wrong
        return;
    sv_word answer = fake_call(which, by, c);
    if (answer != SV_OK)
        return;
    succeeded++;
    if (which == SV_COPY || (which >= SV_GROUP && which <= SV_ALLOCATE) || (which >= SV_SPLIT && which <= SV_START) ||
        which == SV_OPEN)
        learn(&pools[id % POOLS], fake_handle);
    if (which == SV_ALLOCATE)
        p->address[p->addresses++ % 8] = (uintptr_t)fake_value[1];
}

static void touch(struct task *t)
{
    struct pool *p = pool_of(t);
    uintptr_t at = take(4) ? p->address[take(8)] + take(8) * 1000 : (uintptr_t)number(p, t);
    uint32_t word = 0;

    if (!region_at(at) && take(64)) // a fault, mostly the task's end
        return;
    if (at < ARCH_USER_START || at >= ARCH_USER_END)
        return; // the architecture's tables end there
    if (take(2))
        (void)fake_store(at, &word, sizeof(word));
    else
        (void)fake_load(at, &word, sizeof(word));
}

static unsigned idle; // steps in a row that found nothing to run

// Time goes on; where nobody can run, to the next alarm.
static void pass_time(void)
{
    uint64_t time = fake_time + take(256) * (take(8) ? 20 : 2000);

    for (unsigned i = 0; i < HARTS && idle > HARTS; i++)
        if (fake_alarm[i] < fake_time + 10000000)
            time = fake_alarm[i];
    fake_at(time > fake_time ? time : fake_time);
}

static void step(void)
{
    fake_hart = take(HARTS);
    struct task *t = fake_task() ? fake_task() : fake_next();
    unsigned what = take(16);

    idle = t ? 0 : idle + 1;
    if (!t || what == 0) {
        pass_time();
        return;
    }
    learn_at_entry(t);
    if (fake_task() != t)
        return;
    if (what == 1) {
        kernel_enter();
        if (take(2))
            kernel_input("hello", take(6));
        else
            kernel_interrupt(take(12));
        fake_kernel_next();
        kernel_leave();
    } else if (what <= 4) {
        touch(t);
    } else {
        system_call(t);
    }
}

// All harts come into the kernel until they have nothing to do.
static void everybody_ends(void)
{
    const struct task_end killed = {{SV_END_KILLED}};

    for (unsigned round = 0; round < 4; round++)
        for (fake_hart = 0; fake_hart < HARTS; fake_hart++) {
            kernel_enter();
            for (struct list *l = objects[SV_TYPE_TASK].next, *next; l != &objects[SV_TYPE_TASK]; l = next) {
                next = l->next;
                task_end(task_of(container_of(l, struct object, all)), killed);
            }
            fake_kernel_next();
            kernel_leave();
        }
}

static void life(void)
{
    memset(pools, 0, sizeof(pools));
    fake_boot(HARTS, NULL, 0);
    idle = 0;
    while (left && objects_count[SV_TYPE_TASK] && idle < 20) {
        step();
        fake_check();
    }
    everybody_ends();
    fake_check();
    if (objects_count[SV_TYPE_TASK] || capabilities_count || frames_total() - frames_free() != fake_base_frames) {
        fprintf(stderr, "left: %u tasks, %u capabilities, %u frames\n", objects_count[SV_TYPE_TASK], capabilities_count,
                (unsigned)(frames_total() - frames_free() - fake_base_frames));
        abort();
    }
}

unsigned chaos_run(const uint8_t *bytes, size_t size)
{
    input = bytes;
    left = size;
    succeeded = 0;
    while (left)
        life();
    return succeeded;
}
