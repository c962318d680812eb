// Remote fences: done, when the call returns, on every hart that could hold what they are to drop.
//
// Each target vcore is marked stale first, so that wherever it enters next, it starts clean. If it is
// running now, its hart is asked as well: the request lies in the asking hart's structure, a bit in
// the other's word points there. While we wait we serve what others ask of us, or two harts that
// fence each other would never end.
#include "fences.h"
#include "vcore.h"

enum { ONE_PAGE = 1, ALL_PAGES }; // of the second stage

void hart_fences_serve(struct hart *h)
{
    unsigned long from = atomic_exchange(&h->fence_from, 0);

    for (; from; from &= from - 1) {
        // The mark on the vcore stays: whose it is can't be told, and who set it may ask too late.
        struct hart *asking = harts[__builtin_ctzl(from)];
        struct fence_request request = asking->fence;
        if (request.second_stage == ALL_PAGES)
            hfence_gvma_vmid(request.asid);
        else if (request.second_stage)
            hfence_gvma_address_vmid(request.start, request.asid);
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

// Answers are given between the steps of what a hart does, so these are over then.
static void visitors_ask(struct hart *h, struct space *s)
{
    unsigned long mask = space_visitors(s) & ~(1UL << h->index);

    for (; mask; mask &= mask - 1)
        ask(h, harts[__builtin_ctzl(mask)]);
}

static void fence_others(struct hart *h, struct capsule *c, uint64_t mask, const struct fence_request *request)
{
    unsigned kind = RECEIVED_FENCE_I + request->translation + request->by_asid;
    h->fence = *request;
    for (; mask; mask &= mask - 1) {
        struct vcore *v = c->vcores[__builtin_ctzll(mask)];
        if (!request->second_stage)
            atomic_fetch_add_explicit(&v->received[kind], 1, memory_order_relaxed);
        atomic_store(&v->world.stale, 1);
        // The same hart may come up again: it may have answered for one vcore and then entered the next.
        struct hart *other = atomic_load(&v->entity.running);
        if (other && other != h)
            ask(h, other);
    }
    if (request->second_stage)
        visitors_ask(h, &c->space);
    while (atomic_load(&h->fence_acks))
        hart_fences_serve(h);
}

void capsule_fence(struct vcore *from, uint64_t mask, const struct fence_request *request)
{
    if (mask >> from->index & 1)
        world_fence(request);
    mask &= ~(1ULL << from->index);
    if (mask)
        fence_others(this_hart(), from->capsule, mask, request);
}

void virtio_wait(void)
{
    hart_fences_serve(this_hart());
}

// A hart on which no vcore of the space runs now may hold something of it all the same; it will forget that
// when it enters one.
static void second_stage_fence(struct space *s, const struct fence_request *request)
{
    struct capsule *c = container_of(s, struct capsule, space);

    space_forget(s);
    fence_others(this_hart(), c, ~0ULL >> (64 - c->vcore_count), request);
}

void space_fence_others(struct space *s, struct gpa page)
{
    struct fence_request request = {
        .instruction = 1, .second_stage = ONE_PAGE, .start = (unsigned long)(page.value >> 2), .asid = s->vmid};
    second_stage_fence(s, &request);
}

void space_fence_others_all(struct space *s)
{
    struct fence_request request = {.instruction = 1, .second_stage = ALL_PAGES, .asid = s->vmid};
    second_stage_fence(s, &request);
}
