// Remote fences: done, when the call returns, on every hart that could hold what they are to drop.
//
// Each target vcore is marked stale first, so that wherever it enters next, it starts clean. If it is
// running now, its hart is asked as well: the request lies in the asking hart's structure, a bit in
// the other's word points there. While we wait we serve what others ask of us, or two harts that
// fence each other would never end.
#include "vcore.h"

void hart_fences_serve(struct hart *h)
{
    unsigned long from = atomic_exchange(&h->fence_from, 0);

    for (; from; from &= from - 1) {
        // The mark on the vcore stays: whose it is can't be told, and who set it may ask too late.
        struct hart *asking = harts[__builtin_ctzl(from)];
        struct fence_request request = asking->fence;
        world_fence(&request);
        atomic_fetch_sub(&asking->fence_acks, 1);
    }
}

static void ask(struct hart *h, struct hart *other)
{
    unsigned long bit = 1UL << h->index;

    atomic_fetch_add(&h->fence_acks, 1);
    if (atomic_fetch_or(&other->fence_from, bit) & bit)
        atomic_fetch_sub(&h->fence_acks, 1); // asked before, and not served yet: one answer is enough
    else
        hart_request(other, 0);
}

void capsule_fence(struct vcore *from, uint64_t mask, const struct fence_request *request)
{
    struct hart *h = this_hart();

    if (mask >> from->index & 1)
        world_fence(request);
    mask &= ~(1ULL << from->index);
    if (!mask)
        return;
    h->fence = *request;
    for (; mask; mask &= mask - 1) {
        struct vcore *v = from->capsule->vcores[__builtin_ctzll(mask)];
        atomic_store(&v->world.stale, 1);
        // The same hart may come up again: it may have answered for one vcore and then entered the next.
        struct hart *other = atomic_load(&v->entity.running);
        if (other && other != h)
            ask(h, other);
    }
    while (atomic_load(&h->fence_acks))
        hart_fences_serve(h);
}
