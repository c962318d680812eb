// Bounded pools of objects of one size, on top of frames.
//
// A pool takes frames as it grows, never more than its bound needs, and keeps them: an object that
// was freed is the next to be given out. Exhaustion is NULL to who asked.
#pragma once

#include "lock.h"
#include "types.h"

struct slab {
    const char *name;
    uint32_t stride;  // bytes from one object to the next
    uint32_t max;     // objects at most
    uint32_t order;   // of the blocks of frames the pool grows by
    struct lock lock; // guards what follows; held while frames are taken
    uint32_t used;
    uint32_t carved; // objects ever cut out of blocks: those in use and those on the free list
    uint32_t blocks;
    struct slab_object *free;
    unsigned char *fresh, *fresh_end; // what is left of the latest block
};

// 'align' is a power of two up to FRAME_SIZE; the name is kept by reference. Takes no memory yet.
void slab_init(struct slab *slab, const char *name, size_t object_size, size_t align, size_t max_objects);

// A zeroed object, or NULL when the bound or the memory is reached.
must_check void *slab_allocate(struct slab *slab);

// Gives an object back. NULL is ignored. Freeing twice panics.
void slab_free(struct slab *slab, void *object);

// Objects in use, and bytes of frames held.
uint32_t slab_used(struct slab *slab);
uint64_t slab_bytes(struct slab *slab);
