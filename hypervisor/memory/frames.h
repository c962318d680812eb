// Every host frame's owner and state, in one table, and the buddy allocator on top of it.
//
// The table has 8 bytes for each 4 KiB frame of RAM. Its unit is the block: 2^order frames,
// naturally aligned. Only a block's first frame, its head, has a non-zero entry, which says the
// state, the order, and the owner or the free list's links for the whole block. A frame that no
// head covers is RESERVED, so a zeroed table is a valid one.
//
//      ABSENT    no RAM is there: not in the table
//      RESERVED --release--> FREE --allocate, owner 0--> HYPERVISOR --free--> FREE
//                            FREE --allocate, others---> CAPSULE ----free--> FREE
//
// Free neighbours are always merged, so a 2 MiB piece that is free as a whole is one block or
// part of one: contiguous runs are found by looking at heads, 2 MiB at a time.
//
// All calls take the module's own lock, which is a leaf. A call that would change a frame's state
// illegally panics: addresses given here are the hypervisor's own, never a guest's.
#pragma once

#include "status.h"
#include "types.h"

enum frame_state {
    FRAME_RESERVED, // RAM, but not ours to give: the image, this table, what the device tree reserves
    FRAME_FREE,
    FRAME_HYPERVISOR,
    FRAME_CAPSULE,
    FRAME_ABSENT,
    FRAME_STATES,
};

#define FRAMES_RANGES_MAX 16
#define FRAMES_ORDER_MAX 18      // 1 GiB
#define FRAMES_RUN_UNIT 0x200000 // granularity of contiguous runs
#define FRAMES_OWNER_HYPERVISOR 0

// Bytes of the table for this RAM. The ranges are apart, at most FRAMES_RANGES_MAX, in any order. What is
// beyond 512 GiB in all is not used.
size_t frames_table_size(const struct range *ram, size_t count);

// Starts with all RAM RESERVED. 'table' has frames_table_size() bytes, is aligned to 8 and is
// zeroed here. Forgets whatever was before.
void frames_init(void *table, const struct range *ram, size_t count);

// From now on owner 0 gets frames from this range alone, and nobody else gets any of it, so
// that one PMP entry can close the hypervisor's memory to guests. To be called before anything of the
// range is released, once or never: without it all RAM is for all.
void frames_set_hypervisor_range(struct range zone);

// Makes the whole pages of a range that are RAM, all RESERVED until now, FREE. What isn't RAM is left out.
void frames_release(struct range range);

// A block of 2^order frames, aligned to its size. Content: whatever the last owner left, who has scrubbed it.
// Owner 0 is the hypervisor. Fails with INVALID (order) or NO_MEMORY.
must_check enum status frames_allocate(unsigned order, uint16_t owner, struct hpa *out);

// A contiguous run, the lowest that fits in the first RAM range that has one. Fails with INVALID
// (size, alignment) or NO_MEMORY.
must_check enum status frames_allocate_run(uint64_t bytes, uint64_t align, uint16_t owner, const struct range *avoid,
                                           size_t avoid_count, struct hpa *out);

// Gives back the whole or a part of what was allocated, at frame granularity. The caller has scrubbed it.
void frames_free(struct hpa start, uint64_t bytes, uint16_t owner);

uint64_t frames_total_bytes(void); // all RAM in the table, reserved or not
uint64_t frames_free_bytes(void);

// The size of the longest run that frames_allocate_run() could give, at alignment FRAMES_RUN_UNIT.
uint64_t frames_largest_free(void);

// A frame's state, and its owner (0 where it has none). 'owner' may be NULL.
enum frame_state frames_state(struct hpa address, uint16_t *owner);
