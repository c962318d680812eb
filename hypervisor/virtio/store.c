#include "store.h"

#include <string.h>

#include "buddy.h"

// Entries of the table: 0 is the image's, this is zeros, anything else a frame's number.
#define ZEROS UINT32_MAX
#define SIZE_MAX_BYTES (1ull << 40)
#define STEP_BLOCKS 64u // that are scrubbed; looked at are more
#define STEP_ENTRIES 8192u
#define CLONE_STEP_BLOCKS 512u

static uint8_t zeros[STORE_BLOCK]; // never written, and not const so that the image need not hold them

static unsigned table_order(uint64_t size)
{
    uint64_t bytes = (size + STORE_BLOCK - 1) / STORE_BLOCK * sizeof(uint32_t);
    return buddy_order((bytes + FRAME_SIZE - 1) / FRAME_SIZE);
}

uint64_t store_cost(uint64_t size, uint64_t room)
{
    return room ? (uint64_t)FRAME_SIZE << table_order(size) : 0;
}

enum status store_init(struct store *s, const uint8_t *base, uint64_t base_size, uint64_t size, uint64_t room,
                       uint16_t owner)
{
    struct hpa table;

    if (size > SIZE_MAX_BYTES)
        return STATUS_INVALID;
    *s = (struct store){.base = base, .base_size = base_size, .size = size, .owner = owner};
    if (!room)
        return STATUS_OK;
    enum status status = frames_allocate(table_order(size), FRAMES_OWNER_HYPERVISOR, &table);
    if (status != STATUS_OK)
        return status;
    s->blocks = hpa_pointer(table);
    memset(s->blocks, 0, store_block_count(s) * sizeof(uint32_t));
    room /= STORE_BLOCK;
    s->room = room < store_block_count(s) ? (uint32_t)room : store_block_count(s);
    return STATUS_OK;
}

void store_grow(struct store *s, uint64_t size, uint32_t *table)
{
    uint32_t count = store_block_count(s);
    uint32_t *old = s->blocks;
    unsigned order = table_order(s->size);

    memcpy(table, old, count * sizeof(uint32_t));
    s->size = size;
    s->blocks = table;
    memset(table + count, 0, ((size_t)FRAME_SIZE << table_order(size)) - count * sizeof(uint32_t));
    memset(old, 0, count * sizeof(uint32_t));
    frames_free(hpa_of(old), (uint64_t)FRAME_SIZE << order, FRAMES_OWNER_HYPERVISOR);
}

void store_unmake(struct store *s)
{
    if (s->blocks)
        frames_free(hpa_of(s->blocks), (uint64_t)FRAME_SIZE << table_order(s->size), FRAMES_OWNER_HYPERVISOR);
    *s = (struct store){0};
}

static struct hpa frame_of(uint32_t entry)
{
    return hpa((uint64_t)entry << FRAME_SHIFT);
}

static bool is_frame(uint32_t entry)
{
    return entry && entry != ZEROS;
}

// The last to have a frame scrubs it. Answers whether that was done here, which takes its time.
static bool frame_drop(struct store *s, uint32_t *entry)
{
    struct hpa frame = frame_of(*entry);
    uint64_t done;

    *entry = 0;
    s->used--;
    if (!frames_unshare(frame, STORE_BLOCK, s->owner, &done))
        return false;
    memset(hpa_pointer(frame), 0, STORE_BLOCK);
    frames_free(frame, STORE_BLOCK, s->owner);
    return true;
}

bool store_release_step(struct store *s)
{
    uint32_t count = s->blocks ? store_block_count(s) : 0;
    uint32_t end = count - s->release_block > STEP_ENTRIES ? s->release_block + STEP_ENTRIES : count;

    for (unsigned work = 0; s->release_block < end && work < STEP_BLOCKS; s->release_block++) {
        uint32_t *entry = &s->blocks[s->release_block];
        if (is_frame(*entry))
            work += frame_drop(s, entry);
        *entry = 0;
    }
    if (s->release_block < count)
        return true;
    s->release_block = 0;
    return false;
}

// --- reading and writing ---------------------------------------------------------------------------------

static uint32_t piece_of(uint64_t offset, uint64_t size)
{
    uint32_t piece = STORE_BLOCK - (uint32_t)(offset % STORE_BLOCK);
    return size < piece ? (uint32_t)size : piece;
}

const uint8_t *store_read(const struct store *s, uint64_t offset, uint32_t size, uint32_t *run)
{
    uint32_t entry = s->blocks ? s->blocks[offset / STORE_BLOCK] : 0;

    *run = s->blocks ? piece_of(offset, size) : size;
    if (!entry && offset < s->base_size) {
        uint64_t left = s->base_size - offset;
        *run = *run < left ? *run : (uint32_t)left;
        return s->base + offset;
    }
    const uint8_t *block = is_frame(entry) ? hpa_pointer(frame_of(entry)) : zeros;
    return block + offset % STORE_BLOCK;
}

// What the block holds now goes with it, unless all of it is going to be overwritten. The image may end in its midst:
// behind it are zeros.
static void block_fill(const struct store *s, uint32_t block, uint8_t *to)
{
    uint64_t start = (uint64_t)block * STORE_BLOCK, left = s->size - start;
    uint32_t run;

    const uint8_t *from = store_read(s, start, left < STORE_BLOCK ? (uint32_t)left : STORE_BLOCK, &run);
    memcpy(to, from, run);
    memset(to + run, 0, STORE_BLOCK - run);
}

// One of its own in the place of what it shares or what isn't written yet.
static bool block_own(struct store *s, uint32_t block, bool fill)
{
    uint32_t old = s->blocks[block];
    struct hpa frame;

    if (!is_frame(old) && s->used == s->room)
        return false;
    if (is_frame(old) && frames_claim(frame_of(old), STORE_BLOCK, s->owner))
        return true;
    if (frames_allocate(0, s->owner, &frame) != STATUS_OK)
        return false;
    if (fill)
        block_fill(s, block, hpa_pointer(frame));
    if (is_frame(old))
        (void)frame_drop(s, &s->blocks[block]);
    s->blocks[block] = (uint32_t)(frame.value >> FRAME_SHIFT);
    s->used++;
    return true;
}

uint8_t *store_write(struct store *s, uint64_t offset, uint32_t size, uint32_t *run)
{
    uint32_t block = (uint32_t)(offset / STORE_BLOCK);

    if (!s->room)
        return NULL;
    *run = piece_of(offset, size);
    if ((s->is_shared || !is_frame(s->blocks[block])) && !block_own(s, block, *run < STORE_BLOCK))
        return NULL;
    return (uint8_t *)hpa_pointer(frame_of(s->blocks[block])) + offset % STORE_BLOCK;
}

bool store_zero(struct store *s, uint64_t offset, uint64_t size, uint32_t *run)
{
    if (!s->room)
        return false;
    *run = piece_of(offset, size);
    uint32_t *entry = &s->blocks[offset / STORE_BLOCK];
    if (*entry == ZEROS)
        return true;
    if (*run == STORE_BLOCK) {
        if (is_frame(*entry))
            (void)frame_drop(s, entry);
        *entry = ZEROS;
        return true;
    }
    uint8_t *bytes = store_write(s, offset, *run, run);
    if (bytes)
        memset(bytes, 0, *run);
    return bytes;
}

// --- cloning ---------------------------------------------------------------------------------------------

enum status store_clone_step(struct store *clone, struct store *from, uint32_t *block)
{
    uint32_t count = store_clone_blocks(clone, from);
    unsigned ignored = 0;

    clone->is_shared = from->is_shared = true;
    for (unsigned work = 0; *block < count && work < CLONE_STEP_BLOCKS; work++, ++*block) {
        uint32_t entry = from->blocks[*block];
        enum status status =
            is_frame(entry) ? frames_share(frame_of(entry), STORE_BLOCK, from->owner, &ignored) : STATUS_OK;
        if (status != STATUS_OK)
            return status;
        clone->blocks[*block] = entry;
        clone->used += is_frame(entry);
    }
    return STATUS_OK;
}
