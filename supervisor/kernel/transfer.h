// Capabilities on their way to others: in messages, and to new tasks.
#pragma once

#include "capability.h"

// The caller's capabilities that are meant, ready to go: those that move have nothing derived from them any more. On an
// error nothing has moved. Others may have had the lock in between.
must_check enum sv_status transfers_prepare(struct task *t, const struct sv_transfer *transfer, unsigned count,
                                            struct capability **out);

// Into a free place of its new holder. Can't fail.
void transfer_commit(const struct sv_transfer *transfer, struct capability *from, struct capability *place,
                     struct object *holder);
