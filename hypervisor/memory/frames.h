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
//                                                        CAPSULE ---share--> SHARED
//                                                        CAPSULE <--claim, unshare-- SHARED
//
// A SHARED block has no owner, but a count of references: one for each capsule that maps it. The last of
// them gets it for its own before it can be freed, so nobody is without the chance to scrub.
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
    FRAME_SHARED, // copy-on-write, by several capsules
    FRAME_ABSENT,
    FRAME_STATES,
};

#define FRAMES_RANGES_MAX 16
#define FRAMES_ORDER_MAX 18      // 1 GiB
#define FRAMES_RUN_UNIT 0x200000 // granularity of contiguous runs
#define FRAMES_OWNER_HYPERVISOR 0
#define FRAMES_REFERENCES_MAX 65535u // of a SHARED block

// Bytes of the table for this RAM. The ranges are apart, at most FRAMES_RANGES_MAX, in any order. What is
// beyond 512 GiB in all is not used.
size_t frames_table_size(const struct range *ram, size_t count);

// Starts with all RAM RESERVED. 'table' has frames_table_size() bytes, is aligned to 8 and is
// zeroed here. Forgets whatever was before.
void frames_init(void *table, const struct range *ram, size_t count);

// From now on owner 0 gets frames from this range alone, and nobody else gets any of it, so
// that one PMP entry can close the hypervisor's memory to guests. To be called before anything of the
// range is released, once or never: without it all RAM is for all. 'room' bytes behind it are what others
// get last, so that the range can grow.
void frames_set_hypervisor_range(struct range zone, uint64_t room);

// Lets the hypervisor's range grow by that many bytes behind its end, and tells the range as it is then. Fails
// with NO_MEMORY if they are not all free. A multiple of FRAME_SIZE.
must_check enum status frames_grow_hypervisor_range(uint64_t bytes, struct range *zone);

// The hypervisor's range, and what of it is free.
struct range frames_hypervisor_range(void);
uint64_t frames_hypervisor_free_bytes(void);
// Is a block of 2^order frames free in it?
bool frames_hypervisor_has(unsigned order);

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

// --- sharing: all of a range is CAPSULE of 'owner', or SHARED with a reference of its ----------------------
//
// Blocks are cut at the range's ends only, and stay as large as they are otherwise. The work is bounded by
// the number of blocks in the range, so by its frames.

// One more reference to each block: CAPSULE becomes SHARED with two. Fails with NO_MEMORY, and nothing has
// changed, if a block has the most that can be. Adds the number of blocks to *work.
must_check enum status frames_share(struct hpa start, uint64_t bytes, uint16_t owner, unsigned *work);

// Takes all of it back as CAPSULE of 'owner' if no other has a reference left to any of it; else false, and
// nothing has changed.
must_check bool frames_claim(struct hpa start, uint64_t bytes, uint16_t owner);

// Drops the owner's reference to the first block of the range, or what of it is in the range, and tells its
// size. True if that was the last one: the block is CAPSULE of 'owner' now, to be scrubbed and freed. Of
// what is CAPSULE already says true and changes nothing.
must_check bool frames_unshare(struct hpa start, uint64_t bytes, uint16_t owner, uint64_t *done);

// Range i of RAM, from 0; false if there are fewer.
bool frames_ram(unsigned i, struct range *out);
uint64_t frames_total_bytes(void); // all RAM in the table, reserved or not
uint64_t frames_free_bytes(void);

// The size of the longest run that frames_allocate_run() could give, at alignment FRAMES_RUN_UNIT.
uint64_t frames_largest_free(void);

// A frame's state, and its owner (0 where it has none). 'owner' may be NULL.
enum frame_state frames_state(struct hpa address, uint16_t *owner);

// How many references a frame has: of a SHARED one their number, of any other that is given out 1, else 0.
unsigned frames_references(struct hpa address);
