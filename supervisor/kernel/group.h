// Groups: some capabilities together, to hand on at once, or to limit a run to.
#pragma once

#include "capability.h"

struct group {
    struct object object;
    struct funds *payer;
    unsigned count;
    struct capability member[SV_GROUP_MAX];
};

bool group_destroy(struct object *o);

// Whether a run that is limited to the group may act by this capability of its task's: the task itself, the group, what
// is in it, and what such a run made or received. What has been taken from the group's members is not there any more.
bool group_allows(const struct group *g, const struct task *t, const struct capability *c);

// (own task, address of handles, count), (group, n)
enum sv_status call_group(struct task *t, struct capability *c);
enum sv_status call_member(struct task *t, struct capability *c);
