#include "capability.h"

#include "arch.h"
#include "bits.h"
#include "channel.h"
#include "funds.h"
#include "group.h"
#include "hart.h"
#include "random.h"
#include "region.h"
#include "task.h"

static uint32_t last_id;
uint32_t capabilities_count;

void capabilities_init(void)
{
    capabilities_count = last_id = 0;
}

bool handle_equal(struct sv_handle a, struct sv_handle b)
{
    return a.word[0] == b.word[0] && a.word[1] == b.word[1] && a.word[2] == b.word[2] && a.word[3] == b.word[3];
}

struct capability *holder_place(struct object *holder, unsigned n)
{
    if (holder->type == SV_TYPE_TASK)
        return n < table_size(task_of(holder)) ? table_entry(task_of(holder), n) : NULL;
    if (holder->type == SV_TYPE_CHANNEL) {
        struct channel *ch = container_of(holder, struct channel, object);
        unsigned message = n / SV_MESSAGE_HANDLES;
        return message < ch->waiting ? &message_at(ch, message)->entry[n % SV_MESSAGE_HANDLES] : NULL;
    }
    struct group *g = container_of(holder, struct group, object);
    return n < g->count ? &g->member[n] : NULL;
}

static struct capability **bucket_of(const struct capability *c)
{
    return task_bucket(task_of(c->holder), c->handle[0]);
}

struct capability *capability_held(const struct task *t, struct sv_handle handle)
{
    return capability_named(t, handle.word[0] | (uint64_t)handle.word[1] << 32,
                            handle.word[2] | (uint64_t)handle.word[3] << 32);
}

struct capability *capability_find(const struct task *t, struct sv_handle handle)
{
    struct capability *c = capability_held(t, handle);

    if (unlikely(t->limit) && c && !group_allows(t->limit, t, c))
        return NULL;
    return c;
}

// What links to it in its bucket, or, of NULL, the bucket's end.
static struct capability **link_to(const struct capability *c, struct capability **link)
{
    while (*link != c)
        link = &(*link)->chain;
    return link;
}

// In a message or a group nobody can name it. The oldest is found first: a task begins with what it names most.
static void handle_draw(struct capability *c)
{
    c->handle[0] = c->handle[1] = 0;
    if (c->holder->type != SV_TYPE_TASK)
        return;
    while (!c->handle[1]) // not the one that names none
        random_draw(c->handle, sizeof(c->handle));
    c->chain = NULL;
    *link_to(NULL, bucket_of(c)) = c;
}

static void handle_forget(struct capability *c)
{
    if (c->holder->type == SV_TYPE_TASK)
        *link_to(c, bucket_of(c)) = c->chain;
}

// What an object has to know of who holds it.
static void gained(struct capability *c)
{
    if (c->object->type == SV_TYPE_REGION)
        region_gained(c);
    else if (c->object->type == SV_TYPE_CHANNEL)
        channel_gained(c);
}

static void lost(struct capability *c)
{
    if (c->waiters)
        continuations_lose(task_of(c->holder), c);
    if (c->object->type == SV_TYPE_REGION)
        region_lost(c);
    else if (c->object->type == SV_TYPE_CHANNEL)
        channel_lost(c);
}

static void place_free(struct capability *c)
{
    c->object = NULL;
    if (c->holder->type == SV_TYPE_TASK)
        table_put(task_of(c->holder), c);
}

static uint32_t limit_of(const struct object *holder)
{
    if (holder->type != SV_TYPE_TASK)
        return 0;
    const struct group *limit = container_of(holder, struct task, object)->limit;
    return limit ? limit->object.id : 0;
}

void capability_make(struct capability *place, struct object *holder, struct object *object, unsigned rights,
                     struct capability *parent)
{
    *place = (struct capability){.object = object,
                                 .holder = holder,
                                 .parent = parent,
                                 .next = parent ? parent->child : NULL,
                                 .id = ++last_id,
                                 .limit = limit_of(holder),
                                 .rights = (uint16_t)rights};
    if (place->next)
        place->next->previous = place;
    if (parent)
        parent->child = place;
    handle_draw(place);
    capabilities_count++;
    object_hold(object);
    gained(place);
}

void capability_move(struct capability *place, struct object *holder, struct capability *from, unsigned rights)
{
    CHECK(!from->child);
    handle_forget(from);
    *place = *from;
    place->holder = holder;
    place->limit = limit_of(holder);
    place->rights &= (uint16_t)rights;
    place->waiters = place->access = 0;
    place->passed = 0;
    if (place->next)
        place->next->previous = place;
    if (place->previous)
        place->previous->next = place;
    else if (place->parent)
        place->parent->child = place;
    handle_draw(place);
    gained(place);
    lost(from);
    place_free(from);
}

void capability_remove(struct capability *c)
{
    struct object *object = c->object;

    CHECK(!c->child);
    handle_forget(c);
    if (c->next)
        c->next->previous = c->previous;
    if (c->previous)
        c->previous->next = c->next;
    else if (c->parent)
        c->parent->child = c->next;
    capabilities_count--;
    lost(c);
    place_free(c);
    object_release(object);
}

// Puts what is derived from a child directly beneath its parent, one at a time, so that no step is long, however wide
// or deep the tree is.
static void hoist(struct capability *c, struct capability *to)
{
    c->parent->child = c->next;
    if (c->next)
        c->next->previous = NULL;
    c->parent = to;
    c->previous = NULL;
    c->next = to->child;
    c->next->previous = c;
    to->child = c;
}

bool capability_revoke(struct capability *c, unsigned work)
{
    for (; c->child; work--) {
        if (!work)
            return false;
        if (c->child->child)
            hoist(c->child->child, c);
        else
            capability_remove(c->child);
    }
    return true;
}

struct capability *capability_from(uint32_t from)
{
    static const uint8_t holders[] = {SV_TYPE_TASK, SV_TYPE_CHANNEL, SV_TYPE_GROUP};
    struct capability *best = NULL;

    for (unsigned type = 0; type < array_length(holders); type++)
        for (struct list *l = objects[holders[type]].next; l != &objects[holders[type]]; l = l->next) {
            struct object *holder = container_of(l, struct object, all);
            struct capability *c;
            for (unsigned n = 0; (c = holder_place(holder, n)); n++)
                if (c->object && c->id >= from && (!best || c->id < best->id))
                    best = c;
        }
    return best;
}
