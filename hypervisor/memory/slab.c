#include "slab.h"

#include <string.h>

#include "bits.h"
#include "frames.h"
#include "log.h"

// What a freed object holds until it is given out again.
struct slab_object {
    struct slab_object *next;
    uintptr_t mark; // slab_mark(): an object that says so may be freed already
};

static uintptr_t slab_mark(const struct slab *slab)
{
    return (uintptr_t)slab ^ (uintptr_t)0x5ab0f7ee5ab0f7ee;
}

void slab_init(struct slab *slab, const char *name, size_t object_size, size_t align, size_t max_objects)
{
    bool is_sane = object_size && is_power_of_two(align) && align <= FRAME_SIZE;
    CHECK(is_sane);
    size_t least = object_size > sizeof(struct slab_object) ? object_size : sizeof(struct slab_object);
    *slab = (struct slab){.name = name, .max = (uint32_t)max_objects};
    slab->stride = (uint32_t)align_up(least, align > sizeof(uint64_t) ? align : sizeof(uint64_t));
    while (FRAME_SIZE << slab->order < slab->stride)
        slab->order++;
}

static bool slab_grow(struct slab *slab)
{
    struct hpa block;
    if (frames_allocate(slab->order, FRAMES_OWNER_HYPERVISOR, &block) != STATUS_OK)
        return false;
    slab->blocks++;
    slab->fresh = hpa_pointer(block);
    slab->fresh_end = slab->fresh + (FRAME_SIZE << slab->order);
    return true;
}

// Cuts the next object out of the latest block, or out of a new one.
static struct slab_object *slab_carve(struct slab *slab)
{
    if (slab->carved == slab->max)
        return NULL;
    if ((size_t)(slab->fresh_end - slab->fresh) < slab->stride && !slab_grow(slab))
        return NULL;
    void *object = slab->fresh;
    slab->fresh += slab->stride;
    slab->carved++;
    return object;
}

void *slab_allocate(struct slab *slab)
{
    lock_acquire(&slab->lock);
    struct slab_object *object = slab->free;
    if (object)
        slab->free = object->next;
    else
        object = slab_carve(slab);
    slab->used += object != NULL;
    lock_release(&slab->lock);
    return object ? memset(object, 0, slab->stride) : NULL;
}

// What a guest has written into an object may look like the mark: only who is in the free list is free.
static bool is_free(const struct slab *slab, const struct slab_object *object)
{
    const struct slab_object *at = object->mark == slab_mark(slab) ? slab->free : NULL;
    while (at && at != object)
        at = at->next;
    return at;
}

void slab_free(struct slab *slab, void *pointer)
{
    struct slab_object *object = pointer;
    if (!object)
        return;
    lock_acquire(&slab->lock);
    if (!slab->used || is_free(slab, object))
        panic("%s: freed twice", slab->name);
    object->mark = slab_mark(slab);
    object->next = slab->free;
    slab->free = object;
    slab->used--;
    lock_release(&slab->lock);
}

uint32_t slab_used(struct slab *slab)
{
    lock_acquire(&slab->lock);
    uint32_t used = slab->used;
    lock_release(&slab->lock);
    return used;
}

uint64_t slab_bytes(struct slab *slab)
{
    lock_acquire(&slab->lock);
    uint64_t bytes = (uint64_t)slab->blocks << (FRAME_SHIFT + slab->order);
    lock_release(&slab->lock);
    return bytes;
}
