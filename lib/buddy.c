#include "buddy.h"

#include <string.h>

_Static_assert(sizeof(struct buddy_unit) == 8, "the table's cost per unit is promised");

void buddy_lists_init(struct buddy_unit *table, uint32_t lists)
{
    for (uint32_t list = lists; list < lists + BUDDY_ORDERS; list++)
        table[list].next = table[list].prev = list;
}

uint32_t buddy_first(const struct buddy_unit *table, uint32_t lists, unsigned order)
{
    uint32_t nonempty = (uint32_t)table[lists + BUDDY_ORDERS].prev >> order << order;
    return nonempty ? table[lists + (unsigned)__builtin_ctz(nonempty)].next : BUDDY_NOWHERE;
}

static void list_insert(struct buddy *b, uint32_t head, unsigned order)
{
    struct buddy_unit *table = b->table, *sum = &table[b->lists + BUDDY_ORDERS];
    uint32_t list = b->lists + order, next = table[list].next;

    table[head] = (struct buddy_unit){.state = BUDDY_FREE, .order = order, .next = next, .prev = list};
    table[list].next = head;
    table[next].prev = head;
    sum->prev |= 1u << order;
    sum->next += 1u << order;
}

void buddy_unlink(struct buddy *b, uint32_t head)
{
    struct buddy_unit *table = b->table, *sum = &table[b->lists + BUDDY_ORDERS], entry = table[head];

    table[entry.prev].next = entry.next;
    table[entry.next].prev = entry.prev;
    if (entry.next == entry.prev && entry.next == b->lists + entry.order)
        sum->prev &= ~(1u << entry.order);
    sum->next -= 1u << entry.order;
}

void buddy_split(struct buddy *b, uint32_t head)
{
    unsigned order = b->table[head].order - 1;

    buddy_unlink(b, head);
    list_insert(b, head + (1u << order), order);
    list_insert(b, head, order);
}

uint32_t buddy_cut(struct buddy *b, uint32_t head, unsigned order)
{
    unsigned from = b->table[head].order;

    buddy_unlink(b, head);
    while (from-- > order) {
        list_insert(b, head, from);
        head += 1u << from;
    }
    b->table[head] = (struct buddy_unit){.state = BUDDY_FREE, .order = order};
    return head;
}

// The free block that makes one of the next order with this one; false if there is none.
static bool neighbour_find(const struct buddy *b, uint32_t head, unsigned order, uint32_t *neighbour)
{
    bool is_upper = (head + b->delta) >> order & 1;

    *neighbour = is_upper ? head - (1u << order) : head + (1u << order);
    if (order + 1 == BUDDY_ORDERS || *neighbour - b->base >= b->end - b->base)
        return false;
    return b->table[*neighbour].state == BUDDY_FREE && b->table[*neighbour].order == order;
}

void buddy_insert(struct buddy *b, uint32_t head, unsigned order)
{
    uint32_t neighbour;

    for (; neighbour_find(b, head, order, &neighbour); order++) {
        buddy_unlink(b, neighbour);
        b->table[head > neighbour ? head : neighbour] = (struct buddy_unit){0};
        if (neighbour < head)
            head = neighbour;
    }
    list_insert(b, head, order);
}

// Its head is at the first unit met that is one, going to ever larger alignments.
uint32_t buddy_find(const struct buddy *b, uint32_t unit)
{
    for (unsigned order = 0; order < BUDDY_ORDERS; order++) {
        uint32_t offset = (uint32_t)(unit + b->delta) & ((1u << order) - 1);
        if (offset > unit - b->base)
            break;
        const struct buddy_unit *head = &b->table[unit - offset];
        if (head->state)
            return head->order >= order ? unit - offset : BUDDY_NOWHERE;
    }
    return BUDDY_NOWHERE;
}

unsigned buddy_order_at(const struct buddy *b, uint32_t unit, uint32_t end)
{
    unsigned order = 0;

    while (order + 1 < BUDDY_ORDERS && !((unit + b->delta) >> order & 1) && end - unit >= 2u << order)
        order++;
    return order;
}

// --- a table of free and taken blocks ------------------------------------------------------------------------------

size_t buddy_table_size(uint32_t count)
{
    return ((size_t)count + BUDDY_LISTS) * sizeof(struct buddy_unit);
}

void buddy_init(struct buddy *b, void *table, uint64_t first, uint32_t count)
{
    *b = (struct buddy){.table = table, .delta = first, .end = count, .lists = count};
    memset(table, 0, buddy_table_size(count));
    buddy_lists_init(table, count);
}

enum status buddy_release(struct buddy *b, uint64_t unit, uint64_t count)
{
    if (unit < b->delta || unit - b->delta > b->end || count > b->end - (unit - b->delta))
        return STATUS_INVALID;
    uint32_t at = (uint32_t)(unit - b->delta), end = at + (uint32_t)count;
    while (at < end) {
        unsigned order = buddy_order_at(b, at, end);
        if (buddy_find(b, at) != BUDDY_NOWHERE || buddy_find(b, at + (1u << order) - 1) != BUDDY_NOWHERE)
            return STATUS_INVALID;
        buddy_insert(b, at, order);
        at += 1u << order;
    }
    return STATUS_OK;
}

enum status buddy_take(struct buddy *b, unsigned order, uint64_t *unit)
{
    if (order >= BUDDY_ORDERS)
        return STATUS_INVALID;
    uint32_t head = buddy_first(b->table, b->lists, order);
    if (head == BUDDY_NOWHERE)
        return STATUS_NO_MEMORY;
    head = buddy_cut(b, head, order);
    b->table[head].state = BUDDY_TAKEN;
    *unit = head + b->delta;
    return STATUS_OK;
}

enum status buddy_give(struct buddy *b, uint64_t unit, unsigned order)
{
    if (unit < b->delta || unit - b->delta >= b->end)
        return STATUS_INVALID;
    uint32_t head = (uint32_t)(unit - b->delta);
    if (b->table[head].state != BUDDY_TAKEN || b->table[head].order != order)
        return STATUS_INVALID;
    buddy_insert(b, head, order);
    return STATUS_OK;
}
