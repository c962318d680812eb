// A buddy allocator of numbered units: frames of memory, or pages of an address space.
//
// It gives out blocks of 2^order units, aligned to their size by their number. What it knows lies in a table of 8 bytes
// for each unit, beside the memory that it is about. Only a block's first unit, its head, has a non-zero entry, so a
// zeroed table is one where nothing is free. Free neighbours are always merged.
//
// Taking and giving is bounded by the number of orders. A block that is given twice, or never was taken, is refused.
// The caller locks.
//
// Who keeps more in the table than what is free and what is taken builds on the second half: units are called by their
// index in the table there.
#pragma once

#include "status.h"
#include "types.h"

#define BUDDY_ORDERS 20                               // 0 to 19
#define BUDDY_LISTS (BUDDY_ORDERS + 1)                // entries that free lists take in the table
#define BUDDY_NOWHERE ((1u << 27) - 1)                // no unit's index
#define BUDDY_UNITS_MAX (BUDDY_NOWHERE - BUDDY_LISTS) // 512 GiB of frames

// What a head is. Further states are the user's; 0 is no head.
enum { BUDDY_FREE = 1, BUDDY_TAKEN };

// An entry of the table. The heads of the free lists, which are circular, are entries as well, one for each order;
// in the one behind them is how many units are free, as 'next', and a bit for each list that is not empty, as 'prev'.
struct buddy_unit {
    uint32_t state : 4;
    uint32_t next : 28; // FREE: in the free list; else the user's
    uint32_t order : 5;
    uint32_t prev : 27;
};

struct buddy {
    struct buddy_unit *table;
    uint64_t delta;     // a unit's number is its index plus this
    uint32_t base, end; // indices of the first unit, and of what is behind the last
    uint32_t lists;     // index of the free lists, which others of the same table may share
};

// Bytes of the table for that many units.
size_t buddy_table_size(uint32_t count);

// Nothing is free at first. 'table' is aligned to 8, and zeroed here; count is at most BUDDY_UNITS_MAX.
void buddy_init(struct buddy *b, void *table, uint64_t first, uint32_t count);

// Makes units free that never were. STATUS_INVALID: they are not all in the table. What is free or taken already is
// found out only at blocks' ends, and refused: STATUS_INVALID, with what comes before it freed.
must_check enum status buddy_release(struct buddy *b, uint64_t unit, uint64_t count);

// STATUS_NO_MEMORY: no block of that size is free. STATUS_INVALID: there is no such order. The upper end of a larger
// block is taken: single blocks gather at the top.
must_check enum status buddy_take(struct buddy *b, unsigned order, uint64_t *unit);

// STATUS_INVALID: it is not a block of this order that was taken.
must_check enum status buddy_give(struct buddy *b, uint64_t unit, unsigned order);

// Units that are free.
static inline uint32_t buddy_free_units(const struct buddy *b)
{
    return b->table[b->lists + BUDDY_ORDERS].next;
}

// The smallest order whose block has that many units.
static inline unsigned buddy_order(uint64_t units)
{
    unsigned order = 0;
    while (order < BUDDY_ORDERS && (UINT64_C(1) << order) < units)
        order++;
    return order;
}

// --- blocks by their indices ---------------------------------------------------------------------------------------

// Makes empty lists.
void buddy_lists_init(struct buddy_unit *table, uint32_t lists);

// The head of a smallest block in these lists that has the order or more; BUDDY_NOWHERE if there is none.
uint32_t buddy_first(const struct buddy_unit *table, uint32_t lists, unsigned order);

// The head of the block that covers a unit; BUDDY_NOWHERE if none does.
uint32_t buddy_find(const struct buddy *b, uint32_t unit);

// The largest order of a block that can begin at 'unit' and ends by 'end'.
unsigned buddy_order_at(const struct buddy *b, uint32_t unit, uint32_t end);

// Takes a free block out of its list, and leaves its entry as it is.
void buddy_unlink(struct buddy *b, uint32_t head);

// Cuts a free block in two that are free.
void buddy_split(struct buddy *b, uint32_t head);

// Takes the upper end of a free block, of this order, out of the lists; tells its head, whose entry still says FREE.
uint32_t buddy_cut(struct buddy *b, uint32_t head, unsigned order);

// Makes a block free that is in no list, merged with its free neighbours.
void buddy_insert(struct buddy *b, uint32_t head, unsigned order);
