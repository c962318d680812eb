#include "frames.h"

#include <string.h>

#include "arch.h"
#include "bits.h"
#include "buddy.h"

static struct buddy buddy;
static uint64_t total;

static enum status range_release(struct range r)
{
    uint64_t first = align_up(r.start, FRAME_SIZE) >> FRAME_SHIFT, end = range_end(r) >> FRAME_SHIFT;

    if (first >= end)
        return STATUS_OK;
    total += end - first;
    return buddy_release(&buddy, first, end - first);
}

enum status frames_init(struct range span, const struct range *usable, size_t count)
{
    uint64_t first = span.start >> FRAME_SHIFT, units = (align_up(range_end(span), FRAME_SIZE) >> FRAME_SHIFT) - first;
    uint32_t most = units < BUDDY_UNITS_MAX ? (uint32_t)units : BUDDY_UNITS_MAX;
    uint64_t size = align_up(buddy_table_size(most), FRAME_SIZE);
    enum status status = STATUS_NO_MEMORY;
    size_t with_table = 0;

    while (with_table < count && usable[with_table].size < size + FRAME_SIZE)
        with_table++;
    if (with_table == count)
        return STATUS_NO_MEMORY;
    uint64_t table = align_up(usable[with_table].start, FRAME_SIZE);
    buddy_init(&buddy, physical_pointer(table), first, most);
    total = 0;
    for (size_t i = 0; i < count; i++) {
        struct range r = usable[i];
        if (i == with_table)
            r = (struct range){table + size, range_end(r) - table - size};
        status = range_release(r);
        if (status != STATUS_OK)
            break;
    }
    return status;
}

enum status budget_reserve(struct budget *pays, uint64_t frames)
{
    if (frames > pays->limit - pays->used)
        return STATUS_NO_MEMORY;
    pays->used += frames;
    return STATUS_OK;
}

void budget_return(struct budget *paid, uint64_t frames)
{
    CHECK(frames <= paid->used);
    paid->used -= frames;
}

enum status frames_take(struct budget *pays, unsigned order, uint64_t *physical)
{
    uint64_t number;

    if (order >= BUDDY_ORDERS || budget_reserve(pays, UINT64_C(1) << order) != STATUS_OK)
        return STATUS_NO_MEMORY;
    if (buddy_take(&buddy, order, &number) != STATUS_OK) {
        budget_return(pays, UINT64_C(1) << order);
        return STATUS_NO_MEMORY;
    }
    *physical = number << FRAME_SHIFT;
    memset(physical_pointer(*physical), 0, (size_t)FRAME_SIZE << order);
    return STATUS_OK;
}

void frames_give(struct budget *paid, unsigned order, uint64_t physical)
{
    CHECK(buddy_give(&buddy, physical >> FRAME_SHIFT, order) == STATUS_OK);
    budget_return(paid, UINT64_C(1) << order);
}

uint64_t frames_total(void)
{
    return total;
}

uint64_t frames_free(void)
{
    return buddy_free_units(&buddy);
}
