#include "gstage_table.h"

#include <string.h>

#include "bits.h"
#include "frames.h"
#include "isolation.h"

#define PTE_V 0x01
#define PTE_RWX 0x0e
#define PTE_U 0x10  // second-stage accesses count as U-mode's
#define PTE_AD 0xc0 // set beforehand: hardware never needs to write these tables
#define PTE_W 0x04
#define PTE_SHARED 0x100 // bits 8 and 9 are software's
#define PTE_LEAF (PTE_V | PTE_RWX | PTE_U | PTE_AD)

#define ROOT_ORDER 2 // of frames

const struct gstage_mode gstage_sv39x4 = {.levels = 3, .index_bits = 9, .entry_bytes = 8, .hgatp_mode = 8};
const struct gstage_mode gstage_sv32x4 = {.levels = 2, .index_bits = 10, .entry_bytes = 4, .hgatp_mode = 1};

void gstage_pool_init(struct gstage_pool *pool, struct range memory)
{
    *pool = (struct gstage_pool){.memory = memory,
                                 .roots_next = align_up(memory.start, GSTAGE_ROOT_SIZE),
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

// A zeroed table, or a root (order 2): from the pool, else from general memory.
static enum status page_create(struct gstage_pool *pool, struct gstage_user *user, unsigned order, struct hpa *out)
{
    lock_acquire(&pool->lock);
    uint64_t page = order ? root_take(pool) : table_take(pool);
    lock_release(&pool->lock);
    *out = hpa(page);
    if (!page) {
        if (frames_allocate(order, user->owner, out) != STATUS_OK)
            return STATUS_NO_MEMORY;
        user->bytes += FRAME_SIZE << order;
    }
    memset(hpa_pointer(*out), 0, FRAME_SIZE << order);
    return STATUS_OK;
}

static void page_destroy(struct gstage_pool *pool, struct gstage_user *user, unsigned order, struct hpa page)
{
    if (!range_contains(pool->memory, page.value, FRAME_SIZE)) {
        memset(hpa_pointer(page), 0, FRAME_SIZE << order);
        frames_free(page, FRAME_SIZE << order, user->owner);
        user->bytes -= FRAME_SIZE << order;
        return;
    }
    lock_acquire(&pool->lock);
    list_push(order ? &pool->free_root : &pool->free_table, page.value);
    lock_release(&pool->lock);
}

enum status gstage_root_create(struct gstage_pool *pool, struct gstage_user *user, struct hpa *root)
{
    return page_create(pool, user, ROOT_ORDER, root);
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
    return mode->entry_bytes == 8 ? *(const volatile uint64_t *)entry : *(const volatile uint32_t *)entry;
}

static void entry_write(const struct gstage_mode *mode, void *entry, uint64_t value)
{
    if (mode->entry_bytes == 8)
        *(volatile uint64_t *)entry = value;
    else
        *(volatile uint32_t *)entry = (uint32_t)value;
}

static uint64_t entry_encode(uint64_t host, uint64_t flags)
{
    return host >> FRAME_SHIFT << 10 | flags;
}
static struct hpa entry_host(uint64_t entry)
{
    return hpa(((entry >> 10) & 0xfffffffffffULL) << FRAME_SHIFT);
}

static uint64_t entry_flags(enum gstage_rights rights)
{
    if (rights == GSTAGE_OWN)
        return PTE_LEAF;
    return rights == GSTAGE_SHARED ? (PTE_LEAF & ~PTE_W) | PTE_SHARED : PTE_LEAF & ~PTE_W;
}

static enum gstage_rights entry_rights(uint64_t entry)
{
    if (entry & PTE_W)
        return GSTAGE_OWN;
    return entry & PTE_SHARED ? GSTAGE_SHARED : GSTAGE_FRESH;
}

static bool is_table(uint64_t entry)
{
    return (entry & PTE_V) && !(entry & PTE_RWX);
}

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

enum status gstage_slot(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                        struct hpa root, struct gpa a, unsigned level, void **out)
{
    struct hpa table = root, below;

    for (unsigned at = mode->levels - 1; at > level; at--) {
        void *entry = entry_at(mode, table, at, a.value);
        uint64_t value = entry_read(mode, entry);
        if (!(value & PTE_V)) {
            if (page_create(pool, user, 0, &below) != STATUS_OK)
                return STATUS_NO_MEMORY;
            value = entry_encode(below.value, PTE_V);
            entry_write(mode, entry, value);
        }
        table = entry_host(value);
    }
    *out = entry_at(mode, table, level, a.value);
    return STATUS_OK;
}

enum status gstage_map(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                       struct hpa root, struct gpa guest, struct hpa host, uint64_t size)
{
    void *entry;

    for (uint64_t done = 0; done < size;) {
        unsigned level = level_for(mode, guest.value + done, host.value + done, size - done);
        enum status status = gstage_slot(pool, user, mode, root, gpa(guest.value + done), level, &entry);
        if (status != STATUS_OK)
            return status;
        entry_write(mode, entry, entry_encode(host.value + done, PTE_LEAF));
        done += 1ULL << level_shift(mode, level);
    }
    return STATUS_OK;
}

// At most three levels deep, by construction.
static void tables_free(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                        struct hpa table, unsigned level)
{
    bool is_root = level == mode->levels - 1;
    unsigned count = 1u << (mode->index_bits + (is_root ? 2 : 0));

    for (unsigned i = 0; level > 0 && i < count; i++) {
        uint64_t value = entry_read(mode, (char *)hpa_pointer(table) + i * mode->entry_bytes);
        if (is_table(value))
            tables_free(pool, user, mode, entry_host(value), level - 1);
    }
    page_destroy(pool, user, is_root ? ROOT_ORDER : 0, table);
}

void gstage_root_destroy(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                         struct hpa root)
{
    tables_free(pool, user, mode, root, mode->levels - 1);
}

bool gstage_find(const struct gstage_mode *mode, struct hpa root, struct gpa a, struct gstage_leaf *out)
{
    struct hpa table = root;

    for (unsigned level = mode->levels; level-- > 0;) {
        void *entry = entry_at(mode, table, level, a.value);
        uint64_t value = entry_read(mode, entry);
        if (!(value & PTE_V))
            return false;
        table = entry_host(value);
        if (value & PTE_RWX) {
            *out = (struct gstage_leaf){entry, level, table, 1ULL << level_shift(mode, level), entry_rights(value)};
            return true;
        }
    }
    return false;
}

bool gstage_lookup(const struct gstage_mode *mode, struct hpa root, struct gpa a, struct hpa *out)
{
    struct gstage_leaf leaf;

    if (!gstage_find(mode, root, a, &leaf))
        return false;
    *out = hpa(leaf.host.value | (a.value & (leaf.size - 1)));
    return true;
}

void gstage_change(const struct gstage_mode *mode, struct gstage_leaf *leaf, struct hpa host, enum gstage_rights rights)
{
    leaf->host = host;
    leaf->rights = rights;
    // What was written there is seen by who finds the entry.
    atomic_thread_fence(memory_order_release);
    entry_write(mode, leaf->entry, entry_encode(host.value, entry_flags(rights)));
}

enum status gstage_cut(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                       struct gstage_leaf *leaf, struct gpa a)
{
    struct hpa table;
    uint64_t flags = entry_flags(leaf->rights), size = leaf->size >> mode->index_bits;

    if (page_create(pool, user, 0, &table) != STATUS_OK)
        return STATUS_NO_MEMORY;
    char *entry = hpa_pointer(table);
    for (uint64_t done = 0; done < leaf->size; done += size, entry += mode->entry_bytes)
        entry_write(mode, entry, entry_encode(leaf->host.value + done, flags));
    atomic_thread_fence(memory_order_release);
    entry_write(mode, leaf->entry, entry_encode(table.value, PTE_V));
    uint64_t offset = align_down(a.value & (leaf->size - 1), size);
    *leaf = (struct gstage_leaf){entry_at(mode, table, leaf->level - 1, a.value), leaf->level - 1,
                                 hpa(leaf->host.value + offset), size, leaf->rights};
    return STATUS_OK;
}

unsigned gstage_run(const struct gstage_mode *mode, const struct gstage_leaf *leaf, unsigned most)
{
    // A table that has leaves of the smallest size is one page.
    unsigned left = (FRAME_SIZE - (unsigned)((uintptr_t)leaf->entry & (FRAME_SIZE - 1))) / mode->entry_bytes, count = 1;
    uint64_t flags = entry_flags(leaf->rights);

    most = most < left ? most : left;
    while (count < most && entry_read(mode, (char *)leaf->entry + count * mode->entry_bytes) ==
                               entry_encode(leaf->host.value + count * leaf->size, flags))
        count++;
    return count;
}

void gstage_share(const struct gstage_mode *mode, const struct gstage_leaf *from, void *to, unsigned count)
{
    uint64_t flags = entry_flags(GSTAGE_SHARED);

    for (unsigned i = 0; i < count; i++) {
        uint64_t value = entry_encode(from->host.value + i * from->size, flags);
        entry_write(mode, (char *)from->entry + i * mode->entry_bytes, value);
        entry_write(mode, (char *)to + i * mode->entry_bytes, value);
    }
}

void gstage_prune(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode, struct hpa root,
                  struct gpa a)
{
    struct hpa table = root;

    for (unsigned level = mode->levels - 1; level > 0; level--) {
        void *entry = entry_at(mode, table, level, a.value);
        uint64_t value = entry_read(mode, entry);
        if (!is_table(value))
            return;
        table = entry_host(value);
        if (level == 1) {
            entry_write(mode, entry, 0);
            page_destroy(pool, user, 0, table);
        }
    }
}
