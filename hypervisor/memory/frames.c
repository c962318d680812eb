#include "frames.h"

#include <string.h>

#include "bits.h"
#include "buddy.h"
#include "lock.h"
#include "log.h"

#define UNIT_ORDER 9 // of FRAMES_RUN_UNIT
#define UNIT_FRAMES (1u << UNIT_ORDER)
#define POOL_GENERAL 0u
#define POOL_ZONE 1u // the hypervisor's own range
#define POOL_ROOM 2u // behind it, for it to grow: given to others when nothing else is left
#define POOLS 3u

#define FRAMES_MAX (BUDDY_NOWHERE - POOLS * BUDDY_LISTS)

_Static_assert(FRAMES_RUN_UNIT == FRAME_SIZE << UNIT_ORDER, "the unit is a block");
_Static_assert(FRAMES_ORDER_MAX < BUDDY_ORDERS, "blocks are the buddy allocator's");
_Static_assert((int)FRAME_FREE == (int)BUDDY_FREE, "it finds free neighbours by their state");

// Where the table's entries keep what is ours: the owner of a HYPERVISOR's or CAPSULE's block in 'next', the references
// to a SHARED one in 'prev'.

// A range of RAM. Its frames follow each other in the table; a frame's number is its index plus 'delta'.
struct area {
    uint32_t base; // index of the first
    uint32_t count;
    uint64_t delta;
};

static struct {
    struct lock lock;         // guards all of this, and the table
    struct buddy_unit *table; // behind the frames' entries lie the free lists of each pool
    uint32_t total;
    size_t area_count;
    struct area areas[FRAMES_RANGES_MAX];
    uint32_t zone_base, zone_count; // the hypervisor's own range, as indices; empty if there is none
    uint32_t room_count;            // frames behind it that are kept for it as long as possible
} frames;

// The only legal changes of state, from one to another.
static const bool legal[FRAME_STATES][FRAME_STATES] = {
    [FRAME_RESERVED][FRAME_FREE] = true,   [FRAME_FREE][FRAME_HYPERVISOR] = true, [FRAME_FREE][FRAME_CAPSULE] = true,
    [FRAME_HYPERVISOR][FRAME_FREE] = true, [FRAME_CAPSULE][FRAME_FREE] = true,    [FRAME_CAPSULE][FRAME_SHARED] = true,
    [FRAME_SHARED][FRAME_SHARED] = true,   [FRAME_SHARED][FRAME_CAPSULE] = true,
};

// Called rather than inlined: many do, and nobody is in a hurry.
static __attribute__((noinline)) void frames_lock(void)
{
    lock_acquire(&frames.lock);
}

static __attribute__((noinline)) void frames_unlock(void)
{
    lock_release(&frames.lock);
}

static uint64_t frame_number(const struct area *area, uint32_t index)
{
    return index + area->delta;
}

static struct hpa frame_address(const struct area *area, uint32_t index)
{
    return hpa(frame_number(area, index) << FRAME_SHIFT);
}

static bool area_has(const struct area *area, uint32_t index)
{
    return index - area->base < area->count;
}

// The area that an address is in, NULL if in none, and its frame's index there.
static const struct area *area_locate(struct hpa address, uint32_t *index)
{
    uint64_t number = address.value >> FRAME_SHIFT;
    for (const struct area *area = frames.areas; area < frames.areas + frames.area_count; area++) {
        *index = (uint32_t)(number - area->delta);
        if (number - area->delta - area->base < area->count)
            return area;
    }
    return NULL;
}

// The same for a range of whole frames, which has to be RAM.
static const struct area *area_of_range(struct range range, uint32_t *index, uint32_t *end)
{
    const struct area *area = area_locate(hpa(range.start), index);
    uint64_t count = range.size >> FRAME_SHIFT;
    bool is_whole = area && is_aligned(range.start | range.size, FRAME_SIZE);
    CHECK(is_whole && count <= area->base + area->count - *index);
    *end = *index + (uint32_t)count;
    return area;
}

static uint32_t list_of(unsigned pool)
{
    return frames.total + pool * BUDDY_LISTS;
}

static unsigned pool_of(uint32_t index)
{
    uint32_t offset = index - frames.zone_base;
    if (offset < frames.zone_count)
        return POOL_ZONE;
    return offset - frames.zone_count < frames.room_count ? POOL_ROOM : POOL_GENERAL;
}

// What of an area is of the same pool as this frame: blocks don't reach over a pool's ends.
static struct buddy buddy_at(const struct area *area, uint32_t index)
{
    uint32_t borders[] = {frames.zone_base, frames.zone_count, frames.room_count}, border = 0;
    struct buddy b = {frames.table, area->delta, area->base, area->base + area->count, list_of(pool_of(index))};
    for (size_t i = 0; i < array_length(borders); i++) {
        border += borders[i];
        if (border <= index && border > b.base)
            b.base = border;
        if (border > index && border < b.end)
            b.end = border;
    }
    return b;
}

// Which pool an owner's frames come from. Where that is the general one, the room comes next.
static unsigned pool_for(uint16_t owner)
{
    return frames.zone_count && owner == FRAMES_OWNER_HYPERVISOR ? POOL_ZONE : POOL_GENERAL;
}

static uint32_t block_find(const struct area *area, uint32_t index)
{
    struct buddy b = buddy_at(area, index);
    return buddy_find(&b, index);
}

// The one place where frames change their state: those of the block at 'head', which is in no free list.
static void block_change(const struct area *area, uint32_t head, unsigned order, struct buddy_unit to)
{
    unsigned from = frames.table[head].state;
    if (!legal[from][to.state])
        panic("frame 0x%llx: illegal change of state %u to %u", (unsigned long long)frame_address(area, head).value,
              from, (unsigned)to.state);
    to.order = order;
    frames.table[head] = to;
}

static void block_make_free(const struct area *area, uint32_t head, unsigned order)
{
    struct buddy b = buddy_at(area, head);
    block_change(area, head, order, (struct buddy_unit){.state = FRAME_FREE});
    buddy_insert(&b, head, order);
}

// Gives out a block that is FREE, but in no free list any more.
static void block_give(const struct area *area, uint32_t head, uint16_t owner)
{
    enum frame_state state = owner == FRAMES_OWNER_HYPERVISOR ? FRAME_HYPERVISOR : FRAME_CAPSULE;
    block_change(area, head, frames.table[head].order, (struct buddy_unit){.state = state, .next = owner});
}

size_t frames_table_size(const struct range *ram, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += ram[i].size >> FRAME_SHIFT; // a frame that is cut by the range's ends isn't counted
    return (size_t)(total + POOLS * BUDDY_LISTS) * sizeof(struct buddy_unit);
}

static void area_add(struct range ram)
{
    uint64_t first = align_up(ram.start, FRAME_SIZE) >> FRAME_SHIFT;
    uint64_t end = range_end(ram) >> FRAME_SHIFT;
    if (end <= first)
        return;
    CHECK(frames.area_count < FRAMES_RANGES_MAX);
    uint64_t count = end - first, most = FRAMES_MAX - frames.total; // what is beyond stays ABSENT
    struct area *area = &frames.areas[frames.area_count++];
    *area = (struct area){.base = frames.total, .delta = first - frames.total};
    area->count = (uint32_t)(count < most ? count : most);
    frames.total += area->count;
}

void frames_init(void *table, const struct range *ram, size_t count)
{
    memset(&frames, 0, sizeof(frames));
    frames.table = table;
    for (size_t i = 0; i < count; i++)
        area_add(ram[i]);
    memset(table, 0, frames_table_size(ram, count));
    for (unsigned pool = 0; pool < POOLS; pool++)
        buddy_lists_init(frames.table, list_of(pool));
}

void frames_set_hypervisor_range(struct range zone, uint64_t room)
{
    frames_lock();
    uint32_t index, end;
    const struct area *area = area_of_range(zone, &index, &end);
    CHECK(index < end);
    uint32_t behind = area->base + area->count - end;
    frames.zone_base = index;
    frames.zone_count = end - index;
    frames.room_count = room >> FRAME_SHIFT < behind ? (uint32_t)(room >> FRAME_SHIFT) : behind;
    frames_unlock();
}

// Looking at every frame would cost more than all else here, so a frame that was released before is
// found out only at a block's ends.
static void area_release(const struct area *area, uint32_t index, uint32_t end)
{
    while (index < end) {
        struct buddy b = buddy_at(area, index);
        unsigned order = buddy_order_at(&b, index, end < b.end ? end : b.end);
        bool was_reserved =
            buddy_find(&b, index) == BUDDY_NOWHERE && buddy_find(&b, index + (1u << order) - 1) == BUDDY_NOWHERE;
        CHECK(was_reserved);
        block_make_free(area, index, order);
        index += 1u << order;
    }
}

void frames_release(struct range range)
{
    frames_lock();
    uint64_t first = align_up(range.start, FRAME_SIZE) >> FRAME_SHIFT;
    uint64_t end = range_end(range) >> FRAME_SHIFT;
    for (const struct area *area = frames.areas; area < frames.areas + frames.area_count; area++) {
        uint64_t area_first = frame_number(area, area->base), area_end = area_first + area->count;
        uint64_t from = first > area_first ? first : area_first;
        uint64_t to = end < area_end ? end : area_end;
        if (from < to)
            area_release(area, (uint32_t)(from - area->delta), (uint32_t)(to - area->delta));
    }
    frames_unlock();
}

static const struct area *area_of_index(uint32_t index)
{
    const struct area *area = frames.areas;
    while (!area_has(area, index))
        area++;
    return area;
}

// The allocator takes the upper end of a larger block: so the runs of capsules, lowest first, find the rest of memory
// in one piece.
static enum status pool_allocate(unsigned pool, unsigned order, uint16_t owner, struct hpa *out)
{
    uint32_t head = buddy_first(frames.table, list_of(pool), order);
    if (head == BUDDY_NOWHERE)
        return STATUS_NO_MEMORY;
    const struct area *area = area_of_index(head);
    struct buddy b = buddy_at(area, head);
    head = buddy_cut(&b, head, order);
    block_give(area, head, owner);
    *out = frame_address(area, head);
    return STATUS_OK;
}

static enum status pools_allocate(unsigned order, uint16_t owner, struct hpa *out)
{
    unsigned pool = pool_for(owner);
    enum status status = pool_allocate(pool, order, owner, out);
    if (status != STATUS_OK && pool == POOL_GENERAL)
        status = pool_allocate(POOL_ROOM, order, owner, out);
    return status;
}

enum status frames_allocate(unsigned order, uint16_t owner, struct hpa *out)
{
    if (order > FRAMES_ORDER_MAX)
        return STATUS_INVALID;
    frames_lock();
    enum status status = pools_allocate(order, owner, out);
    frames_unlock();
    return status;
}

// What is wanted of a contiguous run.
struct run {
    uint64_t bytes, align;
    const struct range *avoid;
    size_t avoid_count;
    unsigned pools; // it may lie in, a bit for each
};

// The free units of these pools from an index on, without a gap.
static struct range extent_at(const struct area *area, unsigned pools, uint32_t index)
{
    uint32_t end = index;
    while (area_has(area, end)) {
        struct buddy_unit entry = frames.table[end];
        if (entry.state != FRAME_FREE || entry.order < UNIT_ORDER || !(pools >> pool_of(end) & 1))
            break;
        end += 1u << entry.order;
    }
    return (struct range){frame_address(area, index).value, (uint64_t)(end - index) << FRAME_SHIFT};
}

// The first extent of free units that begins at or after an index; of size 0 if there is none. A unit
// that is free as a whole begins with a head or lies in the extent already seen, so nothing is
// searched for.
static struct range extent_next(const struct area *area, unsigned pools, uint32_t index)
{
    struct range extent = {0};
    index += -(uint32_t)frame_number(area, index) & (UNIT_FRAMES - 1);
    for (; area_has(area, index) && !extent.size; index += UNIT_FRAMES)
        extent = extent_at(area, pools, index);
    return extent;
}

static uint32_t extent_end(const struct area *area, struct range extent)
{
    return (uint32_t)((range_end(extent) >> FRAME_SHIFT) - area->delta);
}

// The lowest place in an extent that is aligned and outside of all windows to avoid.
static bool extent_fit(struct range extent, const struct run *run, uint64_t *out)
{
    uint64_t start = align_up(extent.start, run->align);
    for (size_t i = 0; i < run->avoid_count;) {
        if (range_overlaps(run->avoid[i], (struct range){start, run->bytes})) {
            start = align_up(range_end(run->avoid[i]), run->align);
            i = 0;
        } else {
            i++;
        }
    }
    *out = start;
    return range_contains(extent, start, run->bytes);
}

// Gives out all of a range of free frames, cutting the blocks at its ends.
static void area_give(const struct area *area, uint32_t index, uint32_t end, uint16_t owner)
{
    while (index < end) {
        struct buddy b = buddy_at(area, index);
        uint32_t head = buddy_find(&b, index), size = 1u << frames.table[head].order;
        if (head == index && size <= end - index) {
            buddy_unlink(&b, head);
            block_give(area, head, owner);
            index += size;
        } else {
            buddy_split(&b, head);
        }
    }
}

static enum status area_allocate_run(const struct area *area, const struct run *run, uint16_t owner, struct hpa *out)
{
    uint64_t start;
    uint32_t index = area->base;
    for (struct range extent; (extent = extent_next(area, run->pools, index)).size;) {
        if (extent_fit(extent, run, &start)) {
            index = (uint32_t)((start >> FRAME_SHIFT) - area->delta);
            area_give(area, index, index + (uint32_t)(run->bytes >> FRAME_SHIFT), owner);
            *out = hpa(start);
            return STATUS_OK;
        }
        index = extent_end(area, extent);
    }
    return STATUS_NO_MEMORY;
}

static enum status areas_allocate_run(const struct run *run, uint16_t owner, struct hpa *out)
{
    enum status status = STATUS_NO_MEMORY;
    for (size_t i = 0; status != STATUS_OK && i < frames.area_count; i++)
        status = area_allocate_run(&frames.areas[i], run, owner, out);
    return status;
}

enum status frames_allocate_run(uint64_t bytes, uint64_t align, uint16_t owner, const struct range *avoid,
                                size_t avoid_count, struct hpa *out)
{
    if (!bytes || !is_aligned(bytes, FRAMES_RUN_UNIT) || !is_power_of_two(align) || align < FRAMES_RUN_UNIT)
        return STATUS_INVALID;
    unsigned pool = pool_for(owner);
    struct run run = {bytes, align, avoid, avoid_count, 1u << pool};
    frames_lock();
    enum status status = areas_allocate_run(&run, owner, out);
    run.pools |= 1u << POOL_ROOM;
    if (status != STATUS_OK && pool == POOL_GENERAL)
        status = areas_allocate_run(&run, owner, out);
    frames_unlock();
    return status;
}

// Cuts a block that is given out in two, of the same owner.
static void block_split(uint32_t head)
{
    struct buddy_unit entry = frames.table[head];
    entry.order = entry.order - 1;
    frames.table[head] = frames.table[head + (1u << entry.order)] = entry;
}

// Cuts a block that is given out so that one begins at 'index', within it, and ends by 'end'; its order.
static unsigned block_trim(uint32_t head, uint32_t index, uint32_t end)
{
    for (;;) {
        unsigned order = frames.table[head].order;
        if (head == index && 1u << order <= end - index)
            return order;
        block_split(head);
        if (index - head >= 1u << (order - 1))
            head += 1u << (order - 1);
    }
}

static bool block_is_given(uint32_t head, uint16_t owner)
{
    if (head == BUDDY_NOWHERE)
        return false;
    struct buddy_unit entry = frames.table[head];
    return (entry.state == FRAME_HYPERVISOR || entry.state == FRAME_CAPSULE) && entry.next == owner;
}

static void area_free(const struct area *area, uint32_t index, uint32_t end, uint16_t owner)
{
    while (index < end) {
        uint32_t head = block_find(area, index);
        if (!block_is_given(head, owner))
            panic("frame 0x%llx: freed by %u, not its owner", (unsigned long long)frame_address(area, index).value,
                  owner);
        unsigned order = block_trim(head, index, end);
        block_make_free(area, index, order);
        index += 1u << order;
    }
}

void frames_free(struct hpa start, uint64_t bytes, uint16_t owner)
{
    frames_lock();
    uint32_t index, end;
    const struct area *area = area_of_range((struct range){start.value, bytes}, &index, &end);
    area_free(area, index, end, owner);
    frames_unlock();
}

// The block that covers a frame, which has to be the owner's own or shared; its entry.
static struct buddy_unit block_shareable(const struct area *area, uint32_t index, uint16_t owner, uint32_t *head)
{
    *head = block_find(area, index);
    struct buddy_unit entry = *head == BUDDY_NOWHERE ? (struct buddy_unit){0} : frames.table[*head];
    if (entry.state != FRAME_SHARED && (entry.state != FRAME_CAPSULE || entry.next != owner))
        panic("frame 0x%llx: shared by %u, not its owner", (unsigned long long)frame_address(area, index).value, owner);
    return entry;
}

// Does each block of the range have at most that many references?
static bool references_within(const struct area *area, uint32_t index, uint32_t end, uint16_t owner, uint32_t most)
{
    uint32_t head;
    while (index < end) {
        struct buddy_unit entry = block_shareable(area, index, owner, &head);
        if (entry.state == FRAME_SHARED && entry.prev > most)
            return false;
        index = head + (1u << entry.order);
    }
    return true;
}

// One more reference to each block of the range, or none but the owner's.
static unsigned references_change(const struct area *area, uint32_t index, uint32_t end, uint16_t owner, bool more)
{
    unsigned blocks = 0;
    uint32_t head;
    for (; index < end; blocks++) {
        struct buddy_unit entry = block_shareable(area, index, owner, &head);
        unsigned order = block_trim(head, index, end);
        if (more)
            block_change(
                area, index, order,
                (struct buddy_unit){.state = FRAME_SHARED, .prev = entry.state == FRAME_SHARED ? entry.prev + 1 : 2});
        else if (entry.state == FRAME_SHARED)
            block_change(area, index, order, (struct buddy_unit){.state = FRAME_CAPSULE, .next = owner});
        index += 1u << order;
    }
    return blocks;
}

enum status frames_share(struct hpa start, uint64_t bytes, uint16_t owner, unsigned *work)
{
    uint32_t index, end;
    frames_lock();
    const struct area *area = area_of_range((struct range){start.value, bytes}, &index, &end);
    bool ok = references_within(area, index, end, owner, FRAMES_REFERENCES_MAX - 1);
    if (ok)
        *work += references_change(area, index, end, owner, true);
    frames_unlock();
    return ok ? STATUS_OK : STATUS_NO_MEMORY;
}

bool frames_claim(struct hpa start, uint64_t bytes, uint16_t owner)
{
    uint32_t index, end;
    frames_lock();
    const struct area *area = area_of_range((struct range){start.value, bytes}, &index, &end);
    bool ok = references_within(area, index, end, owner, 1);
    if (ok)
        (void)references_change(area, index, end, owner, false);
    frames_unlock();
    return ok;
}

bool frames_unshare(struct hpa start, uint64_t bytes, uint16_t owner, uint64_t *done)
{
    uint32_t index, end, head;
    frames_lock();
    const struct area *area = area_of_range((struct range){start.value, bytes}, &index, &end);
    struct buddy_unit entry = block_shareable(area, index, owner, &head), to = {.state = FRAME_CAPSULE, .next = owner};
    unsigned order = block_trim(head, index, end);
    bool is_last = entry.state == FRAME_CAPSULE || entry.prev == 1;
    if (!is_last)
        to = (struct buddy_unit){.state = FRAME_SHARED, .prev = entry.prev - 1};
    if (entry.state == FRAME_SHARED)
        block_change(area, index, order, to);
    frames_unlock();
    *done = (uint64_t)FRAME_SIZE << order;
    return is_last;
}

// Are all frames of a range free?
static bool area_is_free(const struct area *area, uint32_t index, uint32_t end)
{
    while (index < end) {
        uint32_t head = block_find(area, index);
        if (head == BUDDY_NOWHERE || frames.table[head].state != FRAME_FREE)
            return false;
        index = head + (1u << frames.table[head].order);
    }
    return true;
}

enum status frames_grow_hypervisor_range(uint64_t bytes, struct range *zone)
{
    enum status status = STATUS_NO_MEMORY;
    frames_lock();
    const struct area *area = area_of_index(frames.zone_base);
    uint32_t index = frames.zone_base + frames.zone_count, count = (uint32_t)(bytes >> FRAME_SHIFT);
    if (frames.zone_count && count <= area->base + area->count - index && area_is_free(area, index, index + count)) {
        area_give(area, index, index + count, FRAMES_OWNER_HYPERVISOR);
        frames.zone_count += count;
        frames.room_count -= count < frames.room_count ? count : frames.room_count;
        area_free(area, index, index + count, FRAMES_OWNER_HYPERVISOR);
        *zone = (struct range){frame_address(area, frames.zone_base).value, (uint64_t)frames.zone_count << FRAME_SHIFT};
        status = STATUS_OK;
    }
    frames_unlock();
    return status;
}

bool frames_ram(unsigned i, struct range *out)
{
    if (i >= frames.area_count)
        return false;
    const struct area *area = &frames.areas[i];
    *out = (struct range){frame_address(area, area->base).value, (uint64_t)area->count << FRAME_SHIFT};
    return true;
}

uint64_t frames_total_bytes(void)
{
    return (uint64_t)frames.total << FRAME_SHIFT;
}

static uint64_t pools_free(unsigned first, unsigned last)
{
    uint64_t count = 0;
    frames_lock();
    for (unsigned pool = first; pool <= last; pool++)
        count += buddy_free_units(&(struct buddy){.table = frames.table, .lists = list_of(pool)});
    frames_unlock();
    return count << FRAME_SHIFT;
}

uint64_t frames_free_bytes(void)
{
    return pools_free(0, POOLS - 1);
}

struct range frames_hypervisor_range(void)
{
    frames_lock();
    const struct area *area = area_of_index(frames.zone_base);
    struct range zone = {frame_address(area, frames.zone_base).value, (uint64_t)frames.zone_count << FRAME_SHIFT};
    frames_unlock();
    return zone;
}

uint64_t frames_hypervisor_free_bytes(void)
{
    return pools_free(POOL_ZONE, POOL_ZONE);
}

bool frames_hypervisor_has(unsigned order)
{
    frames_lock();
    bool has = order < BUDDY_ORDERS && buddy_first(frames.table, list_of(POOL_ZONE), order) != BUDDY_NOWHERE;
    frames_unlock();
    return has;
}

uint64_t frames_largest_free(void)
{
    uint64_t largest = 0;
    frames_lock();
    for (const struct area *area = frames.areas; area < frames.areas + frames.area_count; area++) {
        struct range extent = {0};
        for (uint32_t index = area->base;
             (extent = extent_next(area, 1u << POOL_GENERAL | 1u << POOL_ROOM, index)).size;) {
            largest = extent.size > largest ? extent.size : largest;
            index = extent_end(area, extent);
        }
    }
    frames_unlock();
    return largest;
}

static struct buddy_unit entry_of(const struct area *area, uint32_t index)
{
    uint32_t head = block_find(area, index);
    return head == BUDDY_NOWHERE ? (struct buddy_unit){.state = FRAME_RESERVED} : frames.table[head];
}

enum frame_state frames_state(struct hpa address, uint16_t *owner)
{
    frames_lock();
    uint32_t index = 0;
    const struct area *area = area_locate(address, &index);
    struct buddy_unit entry = area ? entry_of(area, index) : (struct buddy_unit){.state = FRAME_ABSENT};
    frames_unlock();
    if (owner)
        *owner = entry.state == FRAME_CAPSULE ? (uint16_t)entry.next : FRAMES_OWNER_HYPERVISOR;
    return entry.state;
}

unsigned frames_references(struct hpa address)
{
    frames_lock();
    uint32_t index = 0;
    const struct area *area = area_locate(address, &index);
    struct buddy_unit entry = area ? entry_of(area, index) : (struct buddy_unit){.state = FRAME_RESERVED};
    frames_unlock();
    if (entry.state == FRAME_SHARED)
        return entry.prev;
    return entry.state == FRAME_CAPSULE || entry.state == FRAME_HYPERVISOR;
}
