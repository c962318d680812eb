// Channels that nobody can come to any more.
//
// A capability may wait in a channel's queue, and the channel's own in another queue, and so on in a circle: then
// nobody can ever take them out, and they and what was paid for them would stay for ever. So when a task has ended, and
// there are capabilities in queues, all that tasks can come to is marked, and the queues of other channels are emptied.
// That looks at every capability there is, once; nobody waits longer for it than for a task's end.
#include "channel.h"
#include "group.h"
#include "task.h"

static uint32_t sweep;

static void mark(struct object **marked, struct object *o)
{
    if (!o || o->marked == sweep)
        return;
    o->marked = sweep;
    o->next_marked = *marked;
    *marked = o;
}

static void mark_held(struct object **marked, struct object *o)
{
    const struct capability *c;

    if (o->type == SV_TYPE_TASK || o->type == SV_TYPE_GROUP || o->type == SV_TYPE_CHANNEL)
        for (unsigned n = 0; (c = holder_place(o, n)); n++)
            mark(marked, c->object);
}

static void mark_task(struct object **marked, struct task *t)
{
    mark_held(marked, &t->object);
    for (unsigned i = 0; i < SV_CONTINUATIONS_MAX; i++)
        if (t->continuation[i].state != CONTINUATION_FREE && t->continuation[i].limit)
            mark(marked, &t->continuation[i].limit->object);
    if (t->limit)
        mark(marked, &t->limit->object);
}

void channels_sweep(void)
{
    struct object *marked = NULL;

    if (!channel_entries_waiting)
        return;
    sweep++;
    for (struct list *l = objects[SV_TYPE_TASK].next; l != &objects[SV_TYPE_TASK]; l = l->next)
        mark_task(&marked, task_of(container_of(l, struct object, all)));
    while (marked) {
        struct object *o = marked;
        marked = o->next_marked;
        mark_held(&marked, o);
    }
    for (struct list *l = objects[SV_TYPE_CHANNEL].next; l != &objects[SV_TYPE_CHANNEL]; l = l->next) {
        struct channel *ch = container_of(container_of(l, struct object, all), struct channel, object);
        if (ch->object.marked != sweep && ch->waiting)
            channel_empty(ch);
    }
}
