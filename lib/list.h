// An intrusive, circular, doubly linked list. An empty list points at itself.
#pragma once

#include "types.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_add_tail(struct list *l, struct list *item)
{
    item->prev = l->prev;
    item->next = l;
    l->prev->next = item;
    l->prev = item;
}

// Out of its list, which may be of its own alone, to another one's end.
static inline void list_move_tail(struct list *l, struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_add_tail(l, item);
}

// Takes the item out of its list. Its links are worth nothing then.
static inline void list_unlink(struct list *item)
{
    struct list *next = item->next, *prev = item->prev;
    prev->next = next;
    next->prev = prev;
}

// The same, but it is then an empty list of its own.
static inline void list_remove(struct list *item)
{
    list_unlink(item);
    list_init(item);
}
