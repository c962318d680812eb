// What there is, for who may know (SV_INSPECT).
#pragma once

#include "task.h"

void inspect_init(const struct machine *m);

// (system, enum sv_kind, from, address, size)
enum sv_status call_inspect(struct task *t, struct capability *c);
