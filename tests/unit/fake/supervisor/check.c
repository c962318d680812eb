// What must hold in the supervisor's kernel whenever it is left: every frame has one owner and one who pays, no page is
// mapped that the task's capabilities don't allow, all counts are what they count, every capability is in one place.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "fake.h"
#include "funds.h"
#include "group.h"
#include "hart.h"
#include "ranges.h"
#include "region.h"

#define FAIL(...)                                                                                                      \
    do {                                                                                                               \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                                \
        fprintf(stderr, __VA_ARGS__);                                                                                  \
        fputc('\n', stderr);                                                                                           \
        abort();                                                                                                       \
    } while (0)
#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            FAIL("%s", #condition);                                                                                    \
    } while (0)

static const void *owner[FAKE_FRAMES];
static uint64_t owned;

// What each object is referred to, and each budget charged, by what was found.
static struct tally {
    const void *of;
    uint64_t count, charged;
} tallies[4096];

static struct tally *tally(const void *of)
{
    size_t i = ((uintptr_t)of >> 4) * 2654435761u % array_length(tallies);
    while (tallies[i].of && tallies[i].of != of)
        i = (i + 1) % array_length(tallies);
    tallies[i].of = of;
    return &tallies[i];
}

static void own(uint64_t physical, unsigned order, const void *who, const struct funds *payer)
{
    for (size_t i = 0; i < (size_t)1 << order; i++) {
        size_t at = (size_t)((physical - FAKE_BASE) / FRAME_SIZE) + i;
        HOLDS(at < FAKE_FRAMES);
        HOLDS(!owner[at]);
        owner[at] = who;
    }
    owned += 1ull << order;
    tally(payer)->charged += 1ull << order;
}

static void own_object(const void *object, unsigned order, const struct funds *payer)
{
    own(physical_address(object), order, object, payer);
    tally(payer)->count++;
}

#define each(type, o)                                                                                                  \
    for (struct list *l_ = objects[type].next; l_ != &objects[type] && ((o) = container_of(l_, struct object, all));   \
         l_ = l_->next)

// --- capabilities -----------------------------------------------------------------------------------

static uint32_t capabilities_seen;

static void check_handle(struct task *t, const struct capability *c)
{
    struct group *limit = t->limit;

    t->limit = NULL;
    HOLDS(capability_find(t, capability_handle(c)) == c);
    t->limit = limit;
}

static void check_capability(const struct capability *c, const struct object *holder)
{
    const struct capability *child;

    capabilities_seen++;
    HOLDS(!c->handle[1] == (holder->type != SV_TYPE_TASK));
    HOLDS(c->holder == holder);
    if (holder->type == SV_TYPE_TASK)
        check_handle(container_of((struct object *)(uintptr_t)holder, struct task, object), c);
    tally(c->object)->count++;
    if (c->object->type == SV_TYPE_CHANNEL) {
        const struct channel *ch = container_of(c->object, struct channel, object);
        tally(&ch->senders)->count += !!(c->rights & SV_RIGHT_SEND);
        tally(&ch->receivers)->count += !!(c->rights & SV_RIGHT_RECEIVE);
    }
    for (child = c->child; child; child = child->next) {
        HOLDS(child->parent == c);
        HOLDS(child->object == c->object || c->object->type == SV_TYPE_ARCHIVE);
        HOLDS(!child->next || child->next->previous == child);
        HOLDS(!(child->rights & ~c->rights) || c->object->type == SV_TYPE_ARCHIVE);
    }
    HOLDS(!c->child || !c->child->previous);
    HOLDS(!c->parent || c->previous || c->parent->child == c);
    HOLDS(!c->previous || c->previous->next == c);
    HOLDS(!(c->access & ~c->rights));
}

// --- objects ----------------------------------------------------------------------------------------

static uint64_t addresses; // pages of them that regions have

static void check_region(const struct region *r)
{
    uint32_t pages = 0;

    addresses += 1ull << r->order;

    own_object(r, 0, r->payer);
    if (r->size > REGION_SLOTS)
        for (uint32_t i = 0; i * REGION_TABLE < r->size; i++)
            if (r->slot[i])
                own((uint64_t)r->slot[i] << FRAME_SHIFT, 0, r, r->payer);
    for (uint32_t i = 0; i < r->size; i++) {
        const void *page = region_page(r, i);
        if (page) {
            own(physical_address(page), 0, r, r->payer);
            pages++;
        }
        HOLDS(region_at(r->address + (uintptr_t)i * FRAME_SIZE) == r);
    }
    HOLDS(pages == r->pages);
    tally(r->payer)->charged += r->promised;
    HOLDS(r->root);
}

static void check_channel(struct channel *ch)
{
    own_object(ch, ch->order, ch->payer);
    HOLDS(ch->fired <= ch->waiting && ch->waiting <= ch->depth);
    HOLDS(list_empty(&ch->object.waiters) || ch->fired == ch->waiting);
    HOLDS(list_empty(&ch->object.waiters) || ch->waiting || ch->senders);
    HOLDS(list_empty(&ch->room) || (ch->waiting == ch->depth && ch->receivers));
    HOLDS(ch->receivers || !ch->waiting);
    for (unsigned i = 0; i < ch->waiting; i++) {
        const struct message *m = &ch->message[(ch->head + i) % ch->depth];
        for (unsigned k = 0; k < m->count; k++)
            if (m->entry[k].object)
                check_capability(&m->entry[k], &ch->object);
    }
}

static void check_group(const struct group *g)
{
    own_object(g, 0, g->payer);
    for (unsigned i = 0; i < g->count; i++)
        if (g->member[i].object)
            check_capability(&g->member[i], &g->object);
}

static void check_mappings(const struct task *t)
{
    for (struct fake_table *table = t->space.tables; table; table = table->next) {
        own(table->physical, 0, t, t->funds);
        for (unsigned i = 0; i < table->count; i++) {
            const struct fake_page *p = &table->page[i];
            const struct region *r = region_at(p->address);
            HOLDS(r);
            uint32_t page = (uint32_t)((p->address - r->address) / FRAME_SIZE);
            HOLDS(region_page(r, page) && physical_address(region_page(r, page)) == p->frame);
            HOLDS(!(p->access & ~(region_access(t, r) & region_part_access(r, page))));
        }
    }
}

static void check_continuations(const struct task *t)
{
    unsigned pending = 0, free = 0, fired = 0;

    for (unsigned i = 0; i < SV_CONTINUATIONS_MAX; i++) {
        const struct continuation *c = &t->continuation[i];
        if (c->state == CONTINUATION_FREE) {
            free++;
            continue;
        }
        pending += c != t->on_error;
        fired += c->state == CONTINUATION_FIRED;
        if (c->limit)
            tally(&c->limit->object)->count++;
        if (c->by) {
            HOLDS(c->by->holder == &t->object && c->by->object);
            tally(&c->by->waiters)->count++;
        }
        if (c->state == CONTINUATION_FIRED && c->event == SV_EVENT_MESSAGE)
            tally(&container_of(c->by->object, struct channel, object)->fired)->count++;
        HOLDS(c->state != CONTINUATION_RUNNING || c == t->running);
    }
    HOLDS(pending == t->pending);
    for (const struct list *l = t->fired.next; l != &t->fired; l = l->next)
        fired--;
    for (const struct list *l = t->free.next; l != &t->free; l = l->next)
        free--;
    HOLDS(!fired && !free);
    if (t->limit)
        tally(&t->limit->object)->count++;
}

static void check_task(struct task *t)
{
    unsigned order = 0, count = 0;

    while (FRAME_SIZE << order < sizeof(*t))
        order++;
    own_object(t, order, t->payer);
    if (!t->funds) {
        HOLDS(t->state == TASK_ENDED && !t->space.tables && !t->capabilities);
        return;
    }
    tally(&t->object)->count++;
    tally(&t->funds->object)->count++;
    for (unsigned i = 0; i < t->table_frames; i++)
        own_object(t->table[i], 0, t->funds);
    for (unsigned i = 0; i < table_size(t); i++)
        if (table_entry(t, i)->object) {
            check_capability(table_entry(t, i), &t->object);
            count++;
        }
    HOLDS(count == t->capabilities);
    check_continuations(t);
    check_mappings(t);
    HOLDS(t->state != TASK_LOADING && !t->is_ending);
    HOLDS((t->state == TASK_READY) == !list_empty(&t->ready));
    HOLDS(t->state != TASK_READY || t->is_interrupted || !list_empty(&t->fired));
    HOLDS(t->state != TASK_WAITING || list_empty(&t->fired));
    HOLDS(t->state != TASK_RUNNING || harts[t->hart].current == t);
    HOLDS(t->state == TASK_RUNNING || t->is_interrupted || t->pending);
    for (unsigned i = 0; i < table_size(t); i++)
        if (table_entry(t, i)->object)
            HOLDS(table_entry(t, i)->waiters == tally(&table_entry(t, i)->waiters)->count);
}

static void check_funds(const struct funds *f)
{
    if (!f->parent)
        return;
    own(physical_address(f), 0, f, f);
    tally(f->parent)->charged += f->budget.limit;
    tally(f->parent)->count++;
}

// --- sums -------------------------------------------------------------------------------------------

uint64_t fake_base_frames; // of the kernel's own tables; 0: not known yet

static void check_sums(void)
{
    struct object *o;

    each(SV_TYPE_CHANNEL, o)
    {
        const struct channel *ch = container_of(o, struct channel, object);
        HOLDS(tally(&ch->senders)->count == ch->senders);
        HOLDS(tally(&ch->receivers)->count == ch->receivers);
        HOLDS(tally(&ch->fired)->count == ch->fired);
        HOLDS(tally(o)->count == o->references);
    }
    each(SV_TYPE_REGION, o)
    {
        HOLDS(tally(o)->count == o->references);
        HOLDS(container_of(o, struct region, object)->holders == o->references);
    }
    each(SV_TYPE_TASK, o) HOLDS(tally(o)->count == o->references);
    each(SV_TYPE_GROUP, o) HOLDS(tally(o)->count == o->references);
    each(SV_TYPE_FRAMES, o)
    {
        const struct funds *f = container_of(o, struct funds, object);
        uint64_t own_frames = f->parent ? 0 : fake_base_frames;
        HOLDS(tally(f)->charged + own_frames == f->budget.used);
        HOLDS(f->budget.used <= f->budget.limit);
        HOLDS(tally(f)->count + !f->parent == o->references);
    }
}

void fake_check(void)
{
    struct object *o;

    memset(owner, 0, sizeof(owner));
    memset(tallies, 0, sizeof(tallies));
    owned = addresses = 0;
    capabilities_seen = 0;
    for (unsigned i = 0; i < HARTS_MAX; i++)
        HOLDS(!harts[i].dying);
    each(SV_TYPE_FRAMES, o) check_funds(container_of(o, struct funds, object));
    each(SV_TYPE_REGION, o) check_region(container_of(o, struct region, object));
    each(SV_TYPE_CHANNEL, o) check_channel(container_of(o, struct channel, object));
    each(SV_TYPE_GROUP, o) check_group(container_of(o, struct group, object));
    each(SV_TYPE_TASK, o) check_task(task_of(o));
    HOLDS(addresses + buddy_free_units(&ranges) == ranges.end);
    HOLDS(capabilities_seen == capabilities_count);
    if (!fake_base_frames)
        fake_base_frames = frames_total() - frames_free() - owned;
    HOLDS(fake_base_frames == frames_total() - frames_free() - owned);
    check_sums();
}
