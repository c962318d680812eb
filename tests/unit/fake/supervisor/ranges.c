// Virtual ranges for the tests: the lowest that fits.
#include "ranges.h"

#include <string.h>

#include "fake.h"

#define PAGES (ARCH_USER_END / FRAME_SIZE)
static unsigned char taken[PAGES]; // 0, or the order + 1 at a block's first page, 255 in the others
uint64_t fake_ranges;              // pages that are taken

enum status ranges_init(uint64_t frames)
{
    (void)frames;
    memset(taken, 0, sizeof(taken));
    fake_ranges = 0;
    return STATUS_OK;
}

bool range_take(unsigned order, uintptr_t *address)
{
    size_t count = (size_t)1 << order;

    for (size_t at = 0; at + count <= PAGES; at += count) {
        if (at < ARCH_USER_START / FRAME_SIZE || memchr(taken + at, 255, count))
            continue;
        size_t i = 0;
        while (i < count && !taken[at + i])
            i++;
        if (i < count)
            continue;
        memset(taken + at, 255, count);
        taken[at] = (unsigned char)(order + 1);
        *address = at * FRAME_SIZE;
        fake_ranges += count;
        return true;
    }
    return false;
}

void range_give(unsigned order, uintptr_t address)
{
    CHECK(taken[address / FRAME_SIZE] == order + 1);
    memset(taken + address / FRAME_SIZE, 0, (size_t)1 << order);
    fake_ranges -= 1ull << order;
}
