#include "inspect.h"

#include <string.h>

#include "archive.h"
#include "channel.h"
#include "funds.h"
#include "hart.h"
#include "region.h"
#include "user.h"

static const struct machine *machine;

void inspect_init(const struct machine *m)
{
    machine = m;
}

union description {
    struct sv_machine machine;
    struct sv_task task;
    struct sv_region region;
    struct sv_capability capability;
    struct sv_channel channel;
    struct sv_program program;
};

static void append(char *text, size_t size, const char *more)
{
    size_t length = strlen(text), count = strnlen(more, size - 1 - length);
    memcpy(text + length, more, count);
}

static void describe_machine(struct sv_machine *out)
{
    *out = (struct sv_machine){.harts = machine->harts,
                               .tasks = objects_count[SV_TYPE_TASK],
                               .regions = objects_count[SV_TYPE_REGION],
                               .capabilities = capabilities_count,
                               .channels = objects_count[SV_TYPE_CHANNEL],
                               .programs = objects_count[SV_TYPE_IMAGE],
                               .frames = frames_total(),
                               .frames_free = frames_free(),
                               .ticks_per_second = machine->ticks_per_second,
                               .ticks = arch_time()};
    append(out->description, sizeof(out->description), "supervisor on ");
    append(out->description, sizeof(out->description), machine->beneath ? machine->beneath : "something unknown");
}

static void describe_task(const struct task *t, struct sv_task *out)
{
    *out = (struct sv_task){.id = t->object.id,
                            .parent = t->parent,
                            .state = t->state == TASK_RUNNING ? SV_TASK_RUNNING
                                     : t->state == TASK_READY ? SV_TASK_READY
                                                              : SV_TASK_WAITING,
                            .hart = t->hart,
                            .capabilities = t->capabilities,
                            .continuations = t->pending + !!t->on_error,
                            .runs = t->runs,
                            .ticks = t->ticks};
    if (t->funds) {
        out->frames = (uint32_t)t->funds->budget.limit;
        out->frames_used = (uint32_t)t->funds->budget.used;
    }
    memcpy(out->program, t->program, sizeof(out->program));
}

static uint32_t task_id(const struct object *holder)
{
    return holder->type == SV_TYPE_TASK ? holder->id : 0;
}

static void describe_region(const struct region *r, struct sv_region *out)
{
    *out = (struct sv_region){.id = r->object.id,
                              .owner = r->root ? task_id(r->root->holder) : 0,
                              .address = r->address,
                              .size = (uint64_t)r->size * FRAME_SIZE,
                              .pages = r->pages,
                              .holders = r->holders};
}

static void describe_channel(const struct channel *ch, struct sv_channel *out)
{
    *out = (struct sv_channel){.id = ch->object.id,
                               .depth = ch->depth,
                               .waiting = ch->waiting,
                               .senders = ch->senders,
                               .receivers = ch->receivers,
                               .sent = ch->sent};
}

static void describe_capability(const struct capability *c, struct sv_capability *out)
{
    *out = (struct sv_capability){.id = c->id,
                                  .task = task_id(c->holder),
                                  .type = c->object->type,
                                  .rights = c->rights,
                                  .object = c->object->id,
                                  .parent = c->parent ? c->parent->id : 0};
}

static void describe_program(const struct image *i, struct sv_program *out)
{
    *out = (struct sv_program){.id = i->object.id, .size = i->size};
    memcpy(out->name, i->name, sizeof(out->name));
}

// Tells its id, 0 if there is none; and the size of the structure.
static uint32_t describe_object(enum sv_type type, uint32_t from, union description *d)
{
    struct object *o = object_from(type, from);

    if (!o)
        return 0;
    if (type == SV_TYPE_TASK)
        describe_task(task_of(o), &d->task);
    else if (type == SV_TYPE_REGION)
        describe_region(container_of(o, struct region, object), &d->region);
    else if (type == SV_TYPE_CHANNEL)
        describe_channel(container_of(o, struct channel, object), &d->channel);
    else
        describe_program(container_of(o, struct image, object), &d->program);
    return o->id;
}

static uint32_t describe(sv_word kind, uint32_t from, union description *d)
{
    static const uint8_t type[] = {[SV_KIND_TASK] = SV_TYPE_TASK,
                                   [SV_KIND_REGION] = SV_TYPE_REGION,
                                   [SV_KIND_CHANNEL] = SV_TYPE_CHANNEL,
                                   [SV_KIND_PROGRAM] = SV_TYPE_IMAGE};

    if (kind == SV_KIND_MACHINE) {
        describe_machine(&d->machine);
        return !from;
    }
    if (kind != SV_KIND_CAPABILITY)
        return describe_object((enum sv_type)type[kind], from, d);
    const struct capability *c = capability_from(from);
    if (c)
        describe_capability(c, &d->capability);
    return c ? c->id : 0;
}

enum sv_status call_inspect(struct task *t, struct capability *c)
{
    static const uint16_t sizes[] = {
        [SV_KIND_MACHINE] = sizeof(struct sv_machine), [SV_KIND_TASK] = sizeof(struct sv_task),
        [SV_KIND_REGION] = sizeof(struct sv_region),   [SV_KIND_CAPABILITY] = sizeof(struct sv_capability),
        [SV_KIND_CHANNEL] = sizeof(struct sv_channel), [SV_KIND_PROGRAM] = sizeof(struct sv_program),
    };
    sv_word kind = frame_argument(&t->frame, 0), from = frame_argument(&t->frame, 1),
            size = frame_argument(&t->frame, 3);
    union description d;

    (void)c;
    if (kind >= array_length(sizes) || size != sizes[kind])
        return SV_INVALID;
    uint32_t id = from > UINT32_MAX ? 0 : describe(kind, (uint32_t)from, &d);
    if (!id)
        return SV_NOT_FOUND;
    if (!user_write(t, frame_argument(&t->frame, 2), &d, size))
        return SV_FAULT;
    frame_value(&t->frame, 1, kind == SV_KIND_MACHINE ? 0 : id);
    return SV_OK;
}
