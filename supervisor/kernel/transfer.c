#include "transfer.h"

#include "hart.h"
#include "task.h"

// What moves may be named once only.
static bool is_twice(const struct sv_transfer *transfer, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (handle_equal(transfer[i].handle, transfer[n].handle) && (transfer[i].move || transfer[n].move))
            return true;
    return false;
}

static enum sv_status transfer_check(const struct sv_transfer *transfer, unsigned n, const struct capability *c)
{
    if (transfer[n].move > 1 || is_twice(transfer, n))
        return SV_INVALID;
    if (!c)
        return SV_BAD_HANDLE;
    if (!transfer[n].move && !(c->rights & SV_RIGHT_COPY))
        return SV_DENIED;
    return SV_OK;
}

// The first of them that isn't ready to move, NULL if there is none.
static struct capability *transfer_parent(const struct sv_transfer *transfer, unsigned count, struct capability **c)
{
    for (unsigned i = 0; i < count; i++)
        if (transfer[i].move && c[i]->child)
            return c[i];
    return NULL;
}

// One may be derived from another: all are looked up again after something was revoked.
enum sv_status transfers_prepare(struct task *t, const struct sv_transfer *transfer, unsigned count,
                                 struct capability **out)
{
    struct capability *parent = NULL;

    do {
        for (unsigned i = 0; i < count; i++) {
            out[i] = parent ? capability_held(t, transfer[i].handle) : capability_find(t, transfer[i].handle);
            enum sv_status status = transfer_check(transfer, i, out[i]);
            if (status != SV_OK)
                return status;
        }
        parent = transfer_parent(transfer, count, out);
        if (parent && !capability_revoke(parent, STEP_WORK))
            kernel_breathe();
    } while (parent);
    return SV_OK;
}

void transfer_commit(const struct sv_transfer *transfer, struct capability *from, struct capability *place,
                     struct object *holder)
{
    if (transfer->move)
        capability_move(place, holder, from, transfer->rights);
    else
        capability_make(place, holder, from->object, transfer->rights & from->rights, from);
}
