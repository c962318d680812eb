#include "ranges.h"

#include "arch.h"
#include "funds.h"

struct buddy ranges;

enum status ranges_init(uint64_t frames)
{
    uint64_t count = frames * 4, most = (ARCH_USER_END - ARCH_USER_START) / FRAME_SIZE, table;

    if (most > BUDDY_UNITS_MAX)
        most = BUDDY_UNITS_MAX;
    if (count > most)
        count = most;
    size_t size = buddy_table_size((uint32_t)count);
    enum status status = frames_take(&machine_funds.budget, buddy_order((size + FRAME_SIZE - 1) / FRAME_SIZE), &table);
    if (status != STATUS_OK)
        return status;
    buddy_init(&ranges, physical_pointer(table), ARCH_USER_START / FRAME_SIZE, (uint32_t)count);
    return buddy_release(&ranges, ARCH_USER_START / FRAME_SIZE, count);
}

bool range_take(unsigned order, uintptr_t *address)
{
    uint64_t page;

    if (buddy_take(&ranges, order, &page) != STATUS_OK)
        return false;
    *address = (uintptr_t)page << FRAME_SHIFT;
    return true;
}

void range_give(unsigned order, uintptr_t address)
{
    CHECK(buddy_give(&ranges, address >> FRAME_SHIFT, order) == STATUS_OK);
}
