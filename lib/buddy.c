#include "buddy.h"

#include <string.h>

enum { UNIT_NONE, UNIT_FREE, UNIT_TAKEN };

_Static_assert(sizeof(struct buddy_unit) == 8, "the table's cost per unit is promised");

size_t buddy_table_size(uint32_t count)
{
    return ((size_t)count + BUDDY_ORDERS) * sizeof(struct buddy_unit);
}

void buddy_init(struct buddy *b, void *table, uint64_t first, uint32_t count)
{
    *b = (struct buddy){.table = table, .first = first, .count = count};
    memset(table, 0, buddy_table_size(count));
    for (uint32_t list = count; list < count + BUDDY_ORDERS; list++)
        b->table[list].next = b->table[list].prev = list;
}

static void list_insert(struct buddy *b, uint32_t head, unsigned order)
{
    struct buddy_unit *table = b->table;
    uint32_t list = b->count + order, next = table[list].next;

    table[head] = (struct buddy_unit){.state = UNIT_FREE, .order = order, .next = next, .prev = list};
    table[list].next = head;
    table[next].prev = head;
    b->nonempty |= 1u << order;
}

static void list_remove(struct buddy *b, uint32_t head)
{
    struct buddy_unit *table = b->table, entry = table[head];

    table[entry.prev].next = entry.next;
    table[entry.next].prev = entry.prev;
    if (entry.next == entry.prev && entry.next >= b->count)
        b->nonempty &= ~(1u << entry.order);
    table[head] = (struct buddy_unit){0};
}

// The free block that makes one of the next order with this one; false if there is none.
static bool neighbour_find(const struct buddy *b, uint32_t head, unsigned order, uint32_t *neighbour)
{
    uint64_t number = (b->first + head) ^ UINT64_C(1) << order;

    if (order + 1 == BUDDY_ORDERS || number < b->first || number - b->first >= b->count)
        return false;
    *neighbour = (uint32_t)(number - b->first);
    return b->table[*neighbour].state == UNIT_FREE && b->table[*neighbour].order == order;
}

static void block_free(struct buddy *b, uint32_t head, unsigned order)
{
    uint32_t neighbour;

    b->free += 1u << order;
    b->table[head] = (struct buddy_unit){0};
    for (; neighbour_find(b, head, order, &neighbour); order++) {
        list_remove(b, neighbour);
        if (neighbour < head)
            head = neighbour;
    }
    list_insert(b, head, order);
}

// Whether a block, free or taken, covers this unit: its head is at the first unit met that is one, going to ever larger
// alignments.
static bool is_covered(const struct buddy *b, uint32_t unit)
{
    for (unsigned order = 0; order < BUDDY_ORDERS; order++) {
        uint32_t offset = (uint32_t)(b->first + unit) & ((1u << order) - 1);
        if (offset > unit)
            return false;
        const struct buddy_unit *head = &b->table[unit - offset];
        if (head->state)
            return head->order >= order;
    }
    return false;
}

// The largest order of a block that begins at 'unit' and ends by 'end'.
static unsigned order_at(const struct buddy *b, uint32_t unit, uint32_t end)
{
    unsigned order = 0;

    while (order + 1 < BUDDY_ORDERS && !((b->first + unit) >> order & 1) && end - unit >= 2u << order)
        order++;
    return order;
}

enum status buddy_release(struct buddy *b, uint64_t unit, uint64_t count)
{
    if (unit < b->first || unit - b->first > b->count || count > b->count - (unit - b->first))
        return STATUS_INVALID;
    uint32_t at = (uint32_t)(unit - b->first), end = at + (uint32_t)count;
    while (at < end) {
        unsigned order = order_at(b, at, end);
        if (is_covered(b, at) || is_covered(b, at + (1u << order) - 1))
            return STATUS_INVALID;
        block_free(b, at, order);
        at += 1u << order;
    }
    return STATUS_OK;
}

enum status buddy_take(struct buddy *b, unsigned order, uint64_t *unit)
{
    if (order >= BUDDY_ORDERS)
        return STATUS_INVALID;
    uint32_t lists = b->nonempty >> order << order;
    if (!lists)
        return STATUS_NO_MEMORY;
    unsigned from = (unsigned)__builtin_ctz(lists);
    uint32_t head = b->table[b->count + from].next;
    list_remove(b, head);
    while (from-- > order) // the upper half is free again
        list_insert(b, head + (1u << from), from);
    b->table[head] = (struct buddy_unit){.state = UNIT_TAKEN, .order = order};
    b->free -= 1u << order;
    *unit = b->first + head;
    return STATUS_OK;
}

enum status buddy_give(struct buddy *b, uint64_t unit, unsigned order)
{
    if (unit < b->first || unit - b->first >= b->count)
        return STATUS_INVALID;
    uint32_t head = (uint32_t)(unit - b->first);
    if (b->table[head].state != UNIT_TAKEN || b->table[head].order != order)
        return STATUS_INVALID;
    block_free(b, head, order);
    return STATUS_OK;
}
