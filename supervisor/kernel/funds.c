#include "funds.h"

#include "arch.h"
#include "buddy.h"

struct funds machine_funds;

void funds_init(void)
{
    machine_funds = (struct funds){.budget = {.limit = frames_free()}};
    object_init(&machine_funds.object, SV_TYPE_FRAMES);
}

enum sv_status funds_split(struct funds *from, uint64_t frames, struct funds **out)
{
    struct budget own = {.limit = frames};
    uint64_t physical;

    if (budget_reserve(&from->budget, frames) != STATUS_OK)
        return SV_NO_MEMORY;
    if (frames_take(&own, 0, &physical) != STATUS_OK) {
        budget_return(&from->budget, frames);
        return SV_NO_MEMORY;
    }
    struct funds *f = physical_pointer(physical);
    object_init(&f->object, SV_TYPE_FRAMES);
    f->parent = from;
    f->budget = own;
    object_hold(&from->object);
    *out = f;
    return SV_OK;
}

bool funds_destroy(struct object *o)
{
    struct funds *f = container_of(o, struct funds, object), *parent = f->parent;
    struct budget own = f->budget;

    CHECK(own.used == 1 && !f->paid);
    object_end(o);
    frames_give(&own, 0, physical_address(f));
    budget_return(&parent->budget, own.limit);
    object_release(&parent->object);
    return true;
}

void *funds_table(uint64_t wanted, unsigned most, uint32_t *mask)
{
    const unsigned in_frame = FRAME_SIZE / sizeof(void *);
    unsigned order = buddy_order((wanted + in_frame - 1) / in_frame);
    uint64_t physical;

    if (order > most)
        order = most;
    if (frames_take(&machine_funds.budget, order, &physical) != STATUS_OK)
        return NULL;
    *mask = (in_frame << order) - 1;
    return physical_pointer(physical);
}

void *funds_take(struct funds *pays, unsigned order)
{
    uint64_t physical;
    if (frames_take(&pays->budget, order, &physical) != STATUS_OK)
        return NULL;
    object_hold(&pays->object);
    pays->paid++;
    return physical_pointer(physical);
}

void funds_give(struct funds *paid, unsigned order, void *memory)
{
    frames_give(&paid->budget, order, physical_address(memory));
    paid->paid--;
    object_release(&paid->object);
}
