#include "placement.h"

#include "bits.h"

static void ranges_insert(struct ranges *r, size_t at, struct range range)
{
    if (r->count == RANGES_MAX)
        r->count--;
    for (size_t i = r->count; i > at; i--)
        r->list[i] = r->list[i - 1];
    r->list[at] = range;
    r->count++;
}

static void ranges_remove(struct ranges *r, size_t at)
{
    r->count--;
    for (size_t i = at; i < r->count; i++)
        r->list[i] = r->list[i + 1];
}

void ranges_subtract(struct ranges *from, struct range hole)
{
    for (size_t i = 0; i < from->count; i++) {
        struct range r = from->list[i];
        if (!range_overlaps(r, hole))
            continue;
        size_t left = 0;
        ranges_remove(from, i);
        if (range_end(hole) < range_end(r)) {
            ranges_insert(from, i, (struct range){range_end(hole), range_end(r) - range_end(hole)});
            left++;
        }
        if (r.start < hole.start) {
            ranges_insert(from, i, (struct range){r.start, hole.start - r.start});
            left++;
        }
        i += left - 1; // to the last piece of it; if nothing is left, the next moved here (0 wraps back)
    }
}

static bool take_first(struct ranges *free, uint64_t size, uint64_t align)
{
    for (size_t i = 0; i < free->count; i++) {
        uint64_t start = align_up(free->list[i].start, align);
        if (range_contains(free->list[i], start, size)) {
            ranges_subtract(free, (struct range){start, size});
            return true;
        }
    }
    return false;
}

bool ranges_fit(const struct ranges *free, const uint64_t *sizes, size_t count, uint64_t align)
{
    struct ranges left = *free;

    for (size_t i = 0; i < count; i++)
        if (sizes[i] && !take_first(&left, sizes[i], align))
            return false;
    return true;
}

bool ranges_highest(const struct ranges *free, uint64_t size, uint64_t *start)
{
    for (size_t i = free->count; i-- > 0;) {
        if (free->list[i].size < size)
            continue;
        uint64_t at = align_down(range_end(free->list[i]) - size, FRAME_SIZE);
        if (at >= free->list[i].start) {
            *start = at;
            return true;
        }
    }
    return false;
}
