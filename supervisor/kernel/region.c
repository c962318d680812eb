#include "region.h"

#include "arch.h"
#include "bits.h"
#include "call.h"
#include "funds.h"
#include "hart.h"
#include "ranges.h"
#include "task.h"

static struct region **buckets; // by the first address of their range
static uint32_t bucket_mask;

enum status regions_init(uint64_t frames)
{
    buckets = funds_table(frames / 64, 8, &bucket_mask);
    return buckets ? ranges_init(frames) : STATUS_NO_MEMORY;
}

static struct region **bucket_of(uintptr_t base)
{
    uint32_t page = (uint32_t)(base >> FRAME_SHIFT);
    return &buckets[(page * 0x9e3779b1u >> 8) & bucket_mask];
}

static struct region *region_of_base(uintptr_t base)
{
    struct region *r = *bucket_of(base);
    while (r && r->base != base)
        r = r->chain;
    return r;
}

// Ranges are aligned to their size, so there are few places where the one with this address can begin.
struct region *region_at(uintptr_t address)
{
    uintptr_t base = address & ~(uintptr_t)(FRAME_SIZE - 1);

    for (unsigned order = 0; base && order < RANGE_ORDERS; order++) {
        base &= ~(((uintptr_t)FRAME_SIZE << order) - 1);
        struct region *r = region_of_base(base);
        if (r && r->order >= order)
            return address - r->address < (uintptr_t)r->size * FRAME_SIZE ? r : NULL;
    }
    return NULL;
}

// --- pages ------------------------------------------------------------------------------------------

static void *frame_of(uint32_t number)
{
    return physical_pointer((uint64_t)number << FRAME_SHIFT);
}

static bool has_tables(const struct region *r)
{
    return r->size > REGION_SLOTS;
}

// Where the page's frame number is; NULL: its table isn't there.
static uint32_t *page_slot(struct region *r, uint32_t page)
{
    if (!has_tables(r))
        return &r->slot[page];
    uint32_t table = r->slot[page / REGION_TABLE];
    return table ? (uint32_t *)frame_of(table) + page % REGION_TABLE : NULL;
}

void *region_page(const struct region *r, uint32_t page)
{
    const uint32_t *slot = page_slot((struct region *)(uintptr_t)r, page);
    return slot && *slot ? frame_of(*slot) : NULL;
}

// A frame of those that the budget has promised.
static bool promised_take(struct region *r, uint32_t *slot)
{
    uint64_t physical;

    CHECK(r->promised);
    budget_return(&r->payer->budget, 1);
    if (frames_take(&r->payer->budget, 0, &physical) != STATUS_OK) {
        CHECK(budget_reserve(&r->payer->budget, 1) == STATUS_OK);
        return false;
    }
    r->promised--;
    *slot = (uint32_t)(physical >> FRAME_SHIFT);
    return true;
}

bool region_populate(struct region *r, uint32_t page)
{
    if (has_tables(r) && !r->slot[page / REGION_TABLE] && !promised_take(r, &r->slot[page / REGION_TABLE]))
        return false;
    uint32_t *slot = page_slot(r, page);
    if (*slot)
        return true;
    if (!promised_take(r, slot))
        return false;
    r->pages++;
    return true;
}

// --- making and ending ------------------------------------------------------------------------------

static uint32_t tables_of(uint32_t size)
{
    return size > REGION_SLOTS ? (size + REGION_TABLE - 1) / REGION_TABLE : 0;
}

static void region_init(struct region *r, const struct region_plan *plan, uint32_t promised)
{
    object_init(&r->object, SV_TYPE_REGION);
    r->address = r->base + (plan->guarded ? FRAME_SIZE : 0);
    r->size = plan->size;
    r->promised = promised;
    r->part_count = (uint8_t)(plan->part_count ? plan->part_count : 1);
    r->part[0] = (struct region_part){plan->size, ACCESS_ALL};
    for (unsigned i = 0; i < plan->part_count; i++)
        r->part[i] = plan->part[i];
    r->chain = *bucket_of(r->base);
    *bucket_of(r->base) = r;
}

enum sv_status region_create(struct funds *pays, const struct region_plan *plan, struct region **out)
{
    uint32_t promised = plan->pages + tables_of(plan->size);
    unsigned order = buddy_order(plan->size + (plan->guarded ? 2 : 0));
    struct region *r = funds_take(pays, 0);

    if (!r)
        return SV_NO_MEMORY;
    if (budget_reserve(&pays->budget, promised) != STATUS_OK)
        goto no_frames;
    if (!range_take(order, &r->base))
        goto no_range;
    r->payer = pays;
    r->order = (uint8_t)order;
    region_init(r, plan, promised);
    *out = r;
    return SV_OK;

no_range:
    budget_return(&pays->budget, promised);
no_frames:
    funds_give(pays, 0, r);
    return SV_NO_MEMORY;
}

// Gives back some frames of a table; true when there are none left. 'from' is how far it had come.
static bool pages_give(struct region *r, uint32_t *slot, uint32_t count, unsigned *work)
{
    for (uint32_t i = 0; i < count && r->pages; i++) {
        if (!slot[i])
            continue;
        if (!*work)
            return false;
        --*work;
        frames_give(&r->payer->budget, 0, (uint64_t)slot[i] << FRAME_SHIFT);
        slot[i] = 0;
        r->pages--;
    }
    return true;
}

static bool tables_give(struct region *r, unsigned work)
{
    if (!has_tables(r))
        return pages_give(r, r->slot, r->size, &work);
    for (uint32_t i = 0; i < tables_of(r->size); i++) {
        if (!r->slot[i])
            continue;
        if (!pages_give(r, frame_of(r->slot[i]), REGION_TABLE, &work))
            return false;
        frames_give(&r->payer->budget, 0, (uint64_t)r->slot[i] << FRAME_SHIFT);
        r->slot[i] = 0;
    }
    return true;
}

bool region_destroy(struct object *o)
{
    struct region *r = container_of(o, struct region, object), **link = bucket_of(r->base);

    if (!tables_give(r, STEP_WORK))
        return false;
    while (*link != r)
        link = &(*link)->chain;
    *link = r->chain;
    budget_return(&r->payer->budget, r->promised);
    range_give(r->order, r->base);
    object_end(o);
    funds_give(r->payer, 0, r);
    return true;
}

// --- access -----------------------------------------------------------------------------------------

static unsigned places_access(const struct capability *c, unsigned count, const struct object *o)
{
    unsigned access = 0;
    for (; count; c++, count--)
        if (c->object == o)
            access |= c->access;
    return access;
}

unsigned region_access(const struct task *t, const struct region *r)
{
    unsigned access = places_access(t->entry_inline, TABLE_INLINE, &r->object);
    for (unsigned i = 0; i < t->table_frames; i++)
        access |= places_access(t->table[i], TABLE_FRAME, &r->object);
    return access;
}

unsigned region_part_access(const struct region *r, uint32_t page)
{
    for (unsigned i = 0; i < r->part_count; i++)
        if (page < r->part[i].end)
            return r->part[i].access;
    return 0;
}

enum touch region_touch(struct task *t, uintptr_t address, unsigned access)
{
    struct region *r = region_at(address);
    if (!r)
        return TOUCH_DENIED;
    uint32_t page = (uint32_t)((address - r->address) >> FRAME_SHIFT);
    unsigned allowed = region_part_access(r, page) & region_access(t, r);
    if ((allowed & access) != access || !(allowed & (SV_RIGHT_READ | SV_RIGHT_EXECUTE)))
        return TOUCH_DENIED;
    uintptr_t at = address & ~(uintptr_t)(FRAME_SIZE - 1);
    if (!region_populate(r, page) ||
        space_map(&t->space, at, physical_address(region_page(r, page)), allowed) != STATUS_OK)
        return TOUCH_NO_MEMORY;
    return TOUCH_MAPPED;
}

// Data by default, whoever may write; code has to be asked for only where it may be written, too, which is nowhere.
void region_gained(struct capability *c)
{
    struct region *r = container_of(c->object, struct region, object);

    r->holders++;
    if (!c->parent)
        r->root = c;
    if (c->holder->type == SV_TYPE_TASK)
        c->access = c->rights & ACCESS_ALL;
}

// What else the task has of the region decides what stays mapped; the pages come back when touched.
static void region_remap(struct task *t, const struct region *r, unsigned before)
{
    if (before && !t->is_ending && before & ~region_access(t, r))
        space_unmap(&t->space, r->address, (uint64_t)r->size * FRAME_SIZE);
}

void region_lost(struct capability *c)
{
    struct region *r = container_of(c->object, struct region, object);
    unsigned before = c->access;

    r->holders--;
    c->access = 0;
    if (c->holder->type == SV_TYPE_TASK)
        region_remap(container_of(c->holder, struct task, object), r, before);
}

// --- calls ------------------------------------------------------------------------------------------

// Others have the lock between the pieces; the region's own reference keeps it.
static bool populate_all(struct region *r)
{
    for (uint32_t page = 0; page < r->size; page++) {
        if (!region_populate(r, page))
            return false;
        if (page % STEP_WORK == STEP_WORK - 1)
            kernel_breathe();
    }
    return true;
}

enum sv_status call_allocate(struct task *t, struct capability *c)
{
    sv_word size = frame_argument(&t->frame, 0), access = frame_argument(&t->frame, 1),
            flags = frame_argument(&t->frame, 2);
    struct region *r;

    if (!size || size > (sv_word)REGION_PAGES_MAX * FRAME_SIZE || flags & ~(sv_word)(SV_POPULATED | SV_GUARDED) ||
        !(access & SV_RIGHT_READ) || access & ~(sv_word)(SV_RIGHT_READ | SV_RIGHT_WRITE))
        return SV_INVALID;
    uint32_t pages = (uint32_t)((size + FRAME_SIZE - 1) / FRAME_SIZE);
    struct region_plan plan = {.size = pages, .pages = pages, .guarded = flags & SV_GUARDED};
    enum sv_status status = region_create(container_of(c->object, struct funds, object), &plan, &r);
    if (status != SV_OK)
        return status;
    if (flags & SV_POPULATED && !populate_all(r)) {
        object_release(&r->object);
        return SV_NO_MEMORY;
    }
    frame_value(&t->frame, 1, r->address);
    call_give_new(t, &r->object, (unsigned)access | SV_RIGHT_COPY);
    return SV_OK;
}

enum sv_status call_access(struct task *t, struct capability *c)
{
    sv_word access = frame_argument(&t->frame, 0);
    struct region *r = container_of(c->object, struct region, object);

    if (access & ~(sv_word)ACCESS_ALL || (access & SV_RIGHT_WRITE && access & SV_RIGHT_EXECUTE))
        return SV_INVALID;
    if (access & ~(sv_word)c->rights)
        return SV_DENIED;
    unsigned before = region_access(t, r);
    c->access = (uint8_t)access;
    region_remap(t, r, before);
    return SV_OK;
}
