// Who gets which part of RAM at boot: pure arithmetic over ranges, tested on the host.
#pragma once

#include "status.h"
#include "types.h"

#define RANGES_MAX 64

// Ranges that are apart, ascending.
struct ranges {
    struct range list[RANGES_MAX];
    size_t count;
};

// Takes `hole` out. What no longer fits the list (too many pieces) is dropped, the last first: memory is
// lost then, never given twice.
void ranges_subtract(struct ranges *from, struct range hole);

// Could runs of these sizes, each aligned, be laid out first fit?
bool ranges_fit(const struct ranges *free, const uint64_t *sizes, size_t count, uint64_t align);

// The highest place of this size, page-aligned, in `free`; false if there is none.
bool ranges_highest(const struct ranges *free, uint64_t size, uint64_t *start);
