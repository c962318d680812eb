// A buddy allocator of numbered units: frames of memory, or pages of an address space.
//
// It gives out blocks of 2^order units, aligned to their size by their number. What it knows lies in a table of 8 bytes
// for each unit, beside the memory that it is about. Only a block's first unit, its head, has a non-zero entry, so a
// zeroed table is one where nothing is free. Free neighbours are always merged.
//
// Taking and giving is bounded by the number of orders. A block that is given twice, or never was taken, is refused.
// The caller locks.
#pragma once

#include "status.h"
#include "types.h"

#define BUDDY_ORDERS 20                             // 0 to 19
#define BUDDY_UNITS_MAX ((1u << 27) - BUDDY_ORDERS) // 512 GiB of frames

// An entry of the table. Behind the units' entries lie the heads of the free lists, which are circular.
struct buddy_unit {
    uint32_t state : 4; // 0: not a head
    uint32_t next : 28; // FREE: in the free list
    uint32_t order : 5;
    uint32_t prev : 27;
};

struct buddy {
    struct buddy_unit *table;
    uint64_t first;    // number of the first unit
    uint32_t count;    // units, free or not
    uint32_t free;     // those that are free
    uint32_t nonempty; // lists, a bit for each order
};

// Bytes of the table for that many units.
size_t buddy_table_size(uint32_t count);

// Nothing is free at first. 'table' is aligned to 8, and zeroed here; count is at most BUDDY_UNITS_MAX.
void buddy_init(struct buddy *b, void *table, uint64_t first, uint32_t count);

// Makes units free that never were. STATUS_INVALID: they are not all in the table. What is free or taken already is
// found out only at blocks' ends, and refused: STATUS_INVALID, with what comes before it freed.
must_check enum status buddy_release(struct buddy *b, uint64_t unit, uint64_t count);

// STATUS_NO_MEMORY: no block of that size is free. STATUS_INVALID: there is no such order.
must_check enum status buddy_take(struct buddy *b, unsigned order, uint64_t *unit);

// STATUS_INVALID: it is not a block of this order that was taken.
must_check enum status buddy_give(struct buddy *b, uint64_t unit, unsigned order);

// The smallest order whose block has that many units.
static inline unsigned buddy_order(uint64_t units)
{
    unsigned order = 0;
    while (order < BUDDY_ORDERS && (UINT64_C(1) << order) < units)
        order++;
    return order;
}
