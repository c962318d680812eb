#include "gstage_table.h"

#include <string.h>

#include "bits.h"

#define PTE_V 0x01
#define PTE_RWX 0x0e
#define PTE_U 0x10 // second-stage accesses count as U-mode's
#define PTE_AD 0xc0 // set beforehand: hardware never needs to write these tables

const struct gstage_mode gstage_sv39x4 = {.levels = 3, .index_bits = 9, .entry_bytes = 8, .hgatp_mode = 8};
const struct gstage_mode gstage_sv32x4 = {.levels = 2, .index_bits = 10, .entry_bytes = 4, .hgatp_mode = 1};

void gstage_pool_init(struct gstage_pool *pool, struct range memory)
{
    *pool = (struct gstage_pool){.roots_next = align_up(memory.start, GSTAGE_ROOT_SIZE),
                                 .tables_next = align_down(range_end(memory), FRAME_SIZE)};
}

static uint64_t list_pop(uint64_t *list)
{
    uint64_t item = *list;
    if (item)
        memcpy(list, hpa_pointer(hpa(item)), sizeof(*list));
    return item;
}

static void list_push(uint64_t *list, uint64_t item)
{
    memcpy(hpa_pointer(hpa(item)), list, sizeof(*list));
    *list = item;
}

static uint64_t root_take(struct gstage_pool *pool)
{
    uint64_t root = list_pop(&pool->free_root);
    if (!root && pool->tables_next - pool->roots_next >= GSTAGE_ROOT_SIZE && pool->tables_next > pool->roots_next) {
        root = pool->roots_next;
        pool->roots_next += GSTAGE_ROOT_SIZE;
    }
    return root;
}

static uint64_t table_take(struct gstage_pool *pool)
{
    uint64_t table = list_pop(&pool->free_table);
    if (!table && pool->tables_next > pool->roots_next) {
        pool->tables_next -= FRAME_SIZE;
        table = pool->tables_next;
    }
    return table;
}

static enum status page_create(struct gstage_pool *pool, uint64_t (*take)(struct gstage_pool *), size_t size,
                               struct hpa *out)
{
    lock_acquire(&pool->lock);
    uint64_t page = take(pool);
    lock_release(&pool->lock);
    if (!page)
        return STATUS_NO_MEMORY;
    memset(hpa_pointer(hpa(page)), 0, size);
    *out = hpa(page);
    return STATUS_OK;
}

enum status gstage_root_create(struct gstage_pool *pool, struct hpa *root)
{
    return page_create(pool, root_take, GSTAGE_ROOT_SIZE, root);
}

static unsigned level_shift(const struct gstage_mode *mode, unsigned level)
{
    return FRAME_SHIFT + level * mode->index_bits;
}

static void *entry_at(const struct gstage_mode *mode, struct hpa table, unsigned level, uint64_t guest)
{
    unsigned bits = mode->index_bits + (level == mode->levels - 1 ? 2 : 0);
    uint64_t index = (guest >> level_shift(mode, level)) & ((1ULL << bits) - 1);
    return hpa_pointer(hpa(table.value + index * mode->entry_bytes));
}

static uint64_t entry_read(const struct gstage_mode *mode, const void *entry)
{
    return mode->entry_bytes == 8 ? *(const uint64_t *)entry : *(const uint32_t *)entry;
}

static void entry_write(const struct gstage_mode *mode, void *entry, uint64_t value)
{
    if (mode->entry_bytes == 8)
        *(uint64_t *)entry = value;
    else
        *(uint32_t *)entry = (uint32_t)value;
}

static uint64_t entry_encode(uint64_t host, uint64_t flags) { return host >> FRAME_SHIFT << 10 | flags; }
static struct hpa entry_host(uint64_t entry) { return hpa(((entry >> 10) & 0xfffffffffffULL) << FRAME_SHIFT); }

// The largest level whose page fits at this place.
static unsigned level_for(const struct gstage_mode *mode, uint64_t guest, uint64_t host, uint64_t size)
{
    unsigned level = mode->levels - 1;
    while (level > 0) {
        uint64_t page = 1ULL << level_shift(mode, level);
        if (is_aligned(guest | host, page) && size >= page)
            break;
        level--;
    }
    return level;
}

static enum status map_one(struct gstage_pool *pool, const struct gstage_mode *mode, struct hpa table, uint64_t guest,
                           uint64_t host, unsigned leaf)
{
    for (unsigned level = mode->levels - 1; level > leaf; level--) {
        void *entry = entry_at(mode, table, level, guest);
        uint64_t value = entry_read(mode, entry);
        if (!(value & PTE_V)) {
            struct hpa below;
            if (page_create(pool, table_take, FRAME_SIZE, &below) != STATUS_OK)
                return STATUS_NO_MEMORY;
            value = entry_encode(below.value, PTE_V);
            entry_write(mode, entry, value);
        }
        table = entry_host(value);
    }
    entry_write(mode, entry_at(mode, table, leaf, guest), entry_encode(host, PTE_V | PTE_RWX | PTE_U | PTE_AD));
    return STATUS_OK;
}

enum status gstage_map(struct gstage_pool *pool, const struct gstage_mode *mode, struct hpa root, struct gpa guest,
                       struct hpa host, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        unsigned level = level_for(mode, guest.value + done, host.value + done, size - done);
        enum status status = map_one(pool, mode, root, guest.value + done, host.value + done, level);
        if (status != STATUS_OK)
            return status;
        done += 1ULL << level_shift(mode, level);
    }
    return STATUS_OK;
}

// At most three levels deep, by construction.
static void tables_free(struct gstage_pool *pool, const struct gstage_mode *mode, struct hpa table, unsigned level)
{
    unsigned count = 1u << (mode->index_bits + (level == mode->levels - 1 ? 2 : 0));

    for (unsigned i = 0; level > 0 && i < count; i++) {
        uint64_t value = entry_read(mode, (char *)hpa_pointer(table) + i * mode->entry_bytes);
        if ((value & PTE_V) && !(value & PTE_RWX))
            tables_free(pool, mode, entry_host(value), level - 1);
    }
    list_push(level == mode->levels - 1 ? &pool->free_root : &pool->free_table, table.value);
}

void gstage_root_destroy(struct gstage_pool *pool, const struct gstage_mode *mode, struct hpa root)
{
    lock_acquire(&pool->lock);
    tables_free(pool, mode, root, mode->levels - 1);
    lock_release(&pool->lock);
}

bool gstage_lookup(const struct gstage_mode *mode, struct hpa root, struct gpa a, struct hpa *out)
{
    struct hpa table = root;
    for (unsigned level = mode->levels; level-- > 0;) {
        uint64_t value = entry_read(mode, entry_at(mode, table, level, a.value));
        if (!(value & PTE_V))
            return false;
        table = entry_host(value);
        if (value & PTE_RWX) {
            *out = hpa(table.value | (a.value & ((1ULL << level_shift(mode, level)) - 1)));
            return true;
        }
    }
    return false;
}
