// System calls: a table of them, and what they share.
#pragma once

#include "task.h"

// A call that makes a capability gives it to its caller, in the place that was taken for it before, and the handle. One
// to a new object takes over the reference that its maker has.
void call_give(struct task *t, struct object *object, unsigned rights, struct capability *parent);
void call_give_new(struct task *t, struct object *object, unsigned rights);
