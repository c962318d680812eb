// A disk's content in memory: an image that is never written, and, over it, the blocks that were.
//
// The overlay's blocks are frames of the capsule, taken as it writes them, up to a bound. A table says where each
// block lies: 4 bytes for every 4 KiB of the disk, in the hypervisor's memory. Clones share blocks by the frames'
// reference counts until one of them writes (memory/frames.h).
//
// No lock: the disk's queue's is held, or nobody uses the disk.
#pragma once

#include "frames.h"
#include "types.h"

#define STORE_BLOCK FRAME_SIZE

struct store {
    const uint8_t *base; // of `base_size` bytes, after which come zeros
    uint64_t base_size, size;
    uint16_t owner;         // of the frames
    uint32_t room, used;    // frames: at most, now; room 0: it can't be written
    uint32_t *blocks;       // [n]: where block n lies; NULL without room
    bool is_shared;         // perhaps: it was cloned
    uint32_t release_block; // how far store_release_step has got
};

// Bytes of hypervisor memory that the table takes.
uint64_t store_cost(uint64_t size, uint64_t room);
// An image of `base_size` bytes, and zeros up to `size`. `room` in bytes. STATUS_NO_MEMORY: for the table.
// STATUS_INVALID: more than 1 TiB.
must_check enum status store_init(struct store *s, const uint8_t *base, uint64_t base_size, uint64_t size,
                                  uint64_t room, uint16_t owner);
// Gives up what was written, in steps of 256 KiB, each scrubbed: true while there is more. Then it is as it was new.
bool store_release_step(struct store *s);
// Makes it larger. A table of store_cost(size) bytes takes the old one's place, whatever it holds.
void store_grow(struct store *s, uint64_t size, uint32_t *table);
// The table, too; nothing is written.
void store_unmake(struct store *s);

// Where the bytes from `offset` on are, as many as are in one piece; *run of them, at most `size`. All of
// [offset, offset + size) is on the disk.
const uint8_t *store_read(const struct store *s, uint64_t offset, uint32_t size, uint32_t *run);
// The same to be overwritten, all of them. NULL: there is no room or no memory.
uint8_t *store_write(struct store *s, uint64_t offset, uint32_t size, uint32_t *run);
// Makes bytes zero, within one block: tells how many. False: no room, no memory.
must_check bool store_zero(struct store *s, uint64_t offset, uint64_t size, uint32_t *run);

// `clone` becomes a copy of `from`, whose image it has, in steps: some blocks from *block on; done when that is
// store_clone_blocks(). On STATUS_NO_MEMORY the clone is to be released. Nobody uses either meanwhile.
must_check enum status store_clone_step(struct store *clone, struct store *from, uint32_t *block);
static inline uint32_t store_block_count(const struct store *s)
{
    return (uint32_t)((s->size + STORE_BLOCK - 1) / STORE_BLOCK);
}
// Those that both have: one may have grown meanwhile.
static inline uint32_t store_clone_blocks(const struct store *clone, const struct store *from)
{
    uint32_t own = store_block_count(clone), count = store_block_count(from);
    return !clone->blocks || !from->blocks ? 0 : own < count ? own : count;
}
