// Memory in pieces of any size, out of whole regions: what malloc stands on.
#pragma once

#include <stddef.h>

#define STORE_ALIGNMENT 16u

// 'size' is at most what SIZE_MAX leaves for a header. NULL: nothing is left.
void *store_take(size_t size);
void store_give(void *piece);
size_t store_size(const void *piece); // that may be used; at least what was asked for

// Given by who uses it: a region of at least *size bytes, aligned to 16; *size becomes what it has. NULL: none.
void *store_grow(size_t *size);
