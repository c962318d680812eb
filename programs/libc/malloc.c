// malloc and its like, from our own budget of memory. Regions are not given back: sv_allocate() makes what can be.
#include "store.h"
#include "sv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REGION_LEAST 65536u

// Of at least 64 KiB, or of what is asked for if the budget has no more.
void *store_grow(size_t *size)
{
    struct sv_handle region;
    size_t more = *size < REGION_LEAST ? REGION_LEAST : (*size + 4095) & ~(size_t)4095;
    void *address;
    if (sv_allocate(sv_frames, more, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_LAZY, &address, &region) == SV_OK) {
        *size = more;
        return address;
    }
    *size = (*size + 4095) & ~(size_t)4095;
    if (sv_allocate(sv_frames, *size, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_LAZY, &address, &region) == SV_OK)
        return address;
    return NULL;
}

void *malloc(size_t size)
{
    return store_take(size);
}

void free(void *piece)
{
    if (piece)
        store_give(piece);
}

void *calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    void *piece = store_take(count * size);
    if (piece)
        memset(piece, 0, count * size);
    return piece;
}

void *realloc(void *piece, size_t size)
{
    if (piece && store_size(piece) >= size)
        return piece;
    void *larger = store_take(size);
    if (larger && piece) {
        memcpy(larger, piece, store_size(piece));
        store_give(piece);
    }
    return larger;
}
