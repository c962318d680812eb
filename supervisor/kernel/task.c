#include "task.h"

#include <string.h>

#include "buddy.h"
#include "call.h"
#include "channel.h"
#include "funds.h"
#include "hart.h"

static struct task_end last_end;

static unsigned block_order(void)
{
    return buddy_order((sizeof(struct task) + FRAME_SIZE - 1) / FRAME_SIZE);
}

uint64_t task_block_frames(void)
{
    return 1ULL << block_order();
}

// --- the table --------------------------------------------------------------------------------------

static void places_add(struct task *t, struct capability *place, unsigned count)
{
    while (count--) {
        place[count].chain = t->free_entry;
        t->free_entry = &place[count];
    }
}

static bool table_grow(struct task *t)
{
    struct capability *places = funds_take(t->funds, 0);
    if (!places)
        return false;
    t->table[t->table_frames++] = places;
    places_add(t, places, TABLE_FRAME);
    return true;
}

enum sv_status table_take(struct task *t, struct capability **out)
{
    if (t->capabilities >= SV_CAPABILITIES_MAX)
        return SV_LIMIT;
    if (!t->free_entry && !table_grow(t))
        return SV_NO_MEMORY;
    *out = t->free_entry;
    t->free_entry = t->free_entry->chain;
    t->capabilities++;
    return SV_OK;
}

void table_put(struct task *t, struct capability *place)
{
    place->object = NULL;
    place->chain = t->free_entry;
    t->free_entry = place;
    t->capabilities--;
}

// --- making -----------------------------------------------------------------------------------------

static void task_init(struct task *t, struct funds *pays)
{
    object_init(&t->object, SV_TYPE_TASK);
    t->payer = pays;
    t->state = TASK_LOADING;
    t->fast_calls = SV_CALLS;
    list_init(&t->ready);
    places_add(t, t->entry_inline, TABLE_INLINE);
    continuations_init(t);
}

enum sv_status task_create(struct funds *pays, uint64_t frames, struct task **out)
{
    struct task *t = funds_take(pays, block_order());
    if (!t)
        return SV_NO_MEMORY;
    enum sv_status status = funds_split(pays, frames, &t->funds);
    if (status != SV_OK)
        goto no_funds;
    if (space_create(&t->space, &t->funds->budget) != STATUS_OK)
        goto no_space;
    task_init(t, pays);
    *out = t;
    return SV_OK;

no_space:
    status = SV_NO_MEMORY;
    object_release(&t->funds->object);
no_funds:
    funds_give(pays, block_order(), t);
    return status;
}

// --- ending -----------------------------------------------------------------------------------------

// What it held is taken apart by objects_reap().
const struct task_end *task_last_end(void)
{
    return &last_end;
}

void task_end(struct task *t, struct task_end end)
{
    struct hart *h = this_hart();

    if (t->is_ending || t->is_doomed)
        return;
    t->end = end;
    if (t->state == TASK_RUNNING && h->current != t) {
        hart_doom(t);
        return;
    }
    if (h->current == t)
        hart_leave_task();
    task_unqueue(t);
    t->state = TASK_ENDED;
    t->is_ending = true;
    last_end = t->end;
    continuations_clear(t);
    space_destroy(&t->space);
    hart_mourn(&t->object);
}

// Some of what it holds; true when there is nothing left.
static bool entries_drop(struct task *t)
{
    unsigned work = STEP_WORK;

    for (unsigned i = 0; t->capabilities && i < table_size(t); i++) {
        struct capability *c = table_entry(t, i);
        if (!c->object)
            continue;
        if (!work-- || !capability_revoke(c, STEP_WORK))
            return false;
        capability_remove(c);
    }
    return true;
}

static void table_drop(struct task *t)
{
    while (t->table_frames)
        funds_give(t->funds, 0, t->table[--t->table_frames]);
    t->free_entry = NULL;
}

// Twice it comes here: when it has ended, and when the last reference is gone. The first one, its maker's, is its life.
bool task_destroy(struct object *o)
{
    struct task *t = task_of(o);

    if (t->funds) {
        if (!entries_drop(t))
            return false;
        table_drop(t);
        object_release(&t->funds->object);
        t->funds = NULL;
        continuations_fire(&t->object.waiters, SV_EVENT_END, t->end.words);
        channels_sweep();
        object_release(o);
        return true;
    }
    object_end(o);
    funds_give(t->payer, block_order(), t);
    return true;
}

void task_fail(struct task *t, struct task_end why)
{
    struct continuation *c = t->on_error;

    if (!c) {
        task_end(t, why);
        return;
    }
    t->on_error = NULL;
    (void)run_end(t);
    if (this_hart()->current == t)
        hart_leave_task();
    memcpy(c->words, why.words, sizeof(c->words));
    t->pending++;
    continuation_fire(c, SV_EVENT_ERROR);
    list_remove(&c->link); // before all others
    list_add_tail(t->fired.next, &c->link);
}

enum sv_status call_end(struct task *t, struct capability *c)
{
    struct task *target = task_of(c->object);
    sv_word status = frame_argument(&t->frame, 0);

    task_end(target, (struct task_end){{target == t ? SV_END_STATUS : SV_END_KILLED, status}});
    return target == t ? CALL_NO_ANSWER : SV_OK;
}
