#include "group.h"

#include "call.h"
#include "funds.h"
#include "task.h"
#include "user.h"

// A step takes one member's tree apart, or part of it.
bool group_destroy(struct object *o)
{
    struct group *g = container_of(o, struct group, object);

    for (unsigned i = 0; i < g->count; i++) {
        struct capability *c = &g->member[i];
        if (!c->object)
            continue;
        if (capability_revoke(c, STEP_WORK))
            capability_remove(c);
        return false;
    }
    object_end(o);
    funds_give(g->payer, 0, g);
    return true;
}

bool group_allows(const struct group *g, const struct task *t, const struct capability *c)
{
    if (c->limit == g->object.id || c->object == &t->object || c->object == &g->object)
        return true;
    for (unsigned i = 0; i < g->count; i++)
        if (g->member[i].object && g->member[i].parent == c)
            return true;
    return false;
}

// Every capability that goes in may be copied, by who makes the group.
static enum sv_status members_find(struct task *t, const struct sv_handle *handle, unsigned count,
                                   struct capability **member)
{
    for (unsigned i = 0; i < count; i++) {
        member[i] = capability_find(t, handle[i]);
        if (!member[i])
            return SV_BAD_HANDLE;
        if (!(member[i]->rights & SV_RIGHT_COPY))
            return SV_DENIED;
    }
    return SV_OK;
}

enum sv_status call_group(struct task *t, struct capability *c)
{
    struct sv_handle handle[SV_GROUP_MAX];
    struct capability *member[SV_GROUP_MAX];
    sv_word count = frame_argument(&t->frame, 1);

    (void)c;
    if (!count || count > SV_GROUP_MAX)
        return SV_INVALID;
    if (!user_read(t, handle, frame_argument(&t->frame, 0), count * sizeof(*handle)))
        return SV_FAULT;
    enum sv_status status = members_find(t, handle, (unsigned)count, member);
    if (status != SV_OK)
        return status;
    _Static_assert(sizeof(struct group) <= FRAME_SIZE, "a group lies in a frame");
    struct group *g = funds_take(t->funds, 0);
    if (!g)
        return SV_NO_MEMORY;
    object_init(&g->object, SV_TYPE_GROUP);
    g->payer = t->funds;
    for (; g->count < count; g->count++)
        capability_make(&g->member[g->count], &g->object, member[g->count]->object, member[g->count]->rights,
                        member[g->count]);
    call_give_new(t, &g->object, SV_RIGHT_USE | SV_RIGHT_COPY);
    return SV_OK;
}

enum sv_status call_member(struct task *t, struct capability *c)
{
    struct group *g = container_of(c->object, struct group, object);
    sv_word n = frame_argument(&t->frame, 0);

    if (n >= g->count)
        return SV_NOT_FOUND;
    if (!g->member[n].object)
        return SV_GONE;
    call_give(t, g->member[n].object, g->member[n].rights, &g->member[n]);
    return SV_OK;
}
