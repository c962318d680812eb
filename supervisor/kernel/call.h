// System calls: a table of them, and what they share.
#pragma once

#include "task.h"

// Fills a place of the caller's table, and gives it the handle.
void call_give(struct task *t, struct capability *place, struct object *object, unsigned rights,
               struct capability *parent);
