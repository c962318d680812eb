#include "object.h"

#include "channel.h"
#include "funds.h"
#include "group.h"
#include "hart.h"
#include "region.h"
#include "task.h"

struct list objects[SV_TYPES];
uint32_t objects_count[SV_TYPES];
static uint32_t last_id[SV_TYPES];

// Each does a bounded part of what is to be done, and answers whether that was the last.
static bool (*const object_step[SV_TYPES])(struct object *o) = {
    [SV_TYPE_REGION] = region_destroy, [SV_TYPE_FRAMES] = funds_destroy, [SV_TYPE_CHANNEL] = channel_destroy,
    [SV_TYPE_TASK] = task_destroy,     [SV_TYPE_GROUP] = group_destroy,
};

void objects_init(void)
{
    for (unsigned i = 0; i < SV_TYPES; i++) {
        list_init(&objects[i]);
        objects_count[i] = last_id[i] = 0;
    }
}

void object_init(struct object *o, enum sv_type type)
{
    o->type = type;
    o->id = ++last_id[type];
    o->references = 1;
    o->is_mourned = false;
    o->marked = 0;
    list_init(&o->waiters);
    list_add_tail(&objects[type], &o->all);
    objects_count[type]++;
}

void object_release(struct object *o)
{
    CHECK(o->references);
    if (--o->references)
        return;
    CHECK(object_step[o->type]);
    hart_mourn(o);
}

void object_end(struct object *o)
{
    list_remove(&o->all);
    objects_count[o->type]--;
}

struct object *object_from(enum sv_type type, uint32_t from)
{
    for (struct list *l = objects[type].next; l != &objects[type]; l = l->next) {
        struct object *o = container_of(l, struct object, all);
        if (o->id >= from)
            return o;
    }
    return NULL;
}

void objects_reap(void)
{
    struct hart *h = this_hart();
    struct object *o;

    while ((o = h->dying)) {
        h->dying = o->next_dying;
        o->is_mourned = false;
        if (!object_step[o->type](o))
            hart_mourn(o);
        if (h->dying)
            kernel_breathe();
    }
}
