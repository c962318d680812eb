#include "block.h"

#include <string.h>

#include "frames.h"
#include "hart.h"
#include "volume.h"

struct block_disk *block_disks[BLOCK_DISKS_MAX];
unsigned block_count;

void block_add(struct block_disk *d)
{
    block_disks[block_count++] = d;
    volumes_read(d);
}

// --- names -------------------------------------------------------------------------------------------------

static bool is_serial(const struct block_place *p, const char *name)
{
    return p->volume == &p->disk->whole && !strcmp(p->disk->serial, name);
}

static bool is_name(const struct block_place *p, const char *name)
{
    const char *own = p->volume->name;
    return !strcmp(own, name) || !strcmp(p->volume->label, name) ||
           (*own && !strcmp(own + strlen(BLOCK_BY_NAME), name));
}

static unsigned places_find(bool (*is_meant)(const struct block_place *, const char *), const char *name,
                            struct block_place found[2])
{
    unsigned count = 0;

    for (unsigned i = 0; i < block_count; i++) {
        struct block_disk *d = block_disks[i];
        for (unsigned n = 0; n <= d->part_count && count < 2; n++) {
            struct block_place at = {d, n ? &d->parts[n - 1] : &d->whole};
            if (is_meant(&at, name))
                found[count++] = at;
        }
    }
    return count;
}

enum status block_find(const char *name, struct block_place found[2])
{
    unsigned count = *name ? places_find(is_serial, name, found) : 0;

    if (*name && !count)
        count = places_find(is_name, name, found);
    return !count ? STATUS_NOT_FOUND : count == 1 ? STATUS_OK : STATUS_INVALID;
}

// --- users -------------------------------------------------------------------------------------------------

// The place is free again when nobody has it and nothing is under way.
static struct block_user *place_find(struct block_disk *d)
{
    for (unsigned i = 0; i < BLOCK_USERS_MAX; i++)
        if (!d->users[i].is_open && !block_is_busy(&d->users[i])) {
            d->users[i].index = i;
            d->users[i].disk = d;
            return &d->users[i];
        }
    return NULL;
}

static bool buffer_get(struct block_user *u)
{
    struct hpa buffer;

    if (u->buffer)
        return true; // of who had the place before
    if (frames_allocate(BLOCK_BUFFER_ORDER, FRAMES_OWNER_HYPERVISOR, &buffer) != STATUS_OK)
        return false;
    u->buffer = hpa_pointer(buffer);
    return true;
}

// Does anybody write to this part, or read what is to be written?
static bool is_contested(const struct block_disk *d, const struct block_user *wanted)
{
    for (unsigned i = 0; i < BLOCK_USERS_MAX; i++) {
        const struct block_user *u = &d->users[i];
        bool apart = u->start + u->sectors <= wanted->start || wanted->start + wanted->sectors <= u->start;
        if (u != wanted && u->is_open && !apart && !(u->is_readonly && wanted->is_readonly))
            return true;
    }
    return false;
}

static const char *name_of(const struct block_place *p)
{
    const struct block_volume *v = p->volume;
    return v == &p->disk->whole ? p->disk->serial : *v->name ? v->name : v->label;
}

// With the disk's lock held: its size may change at any time.
static enum status user_begin(struct block_user *u, const struct block_place *place, bool is_readonly)
{
    const struct block_disk *d = u->disk;

    u->start = place->volume->start;
    u->sectors = place->volume->number ? place->volume->sectors : d->sectors;
    u->name = name_of(place);
    u->is_readonly = is_readonly;
    u->done = u->resized = NULL;
    if (u->start + u->sectors > d->sectors)
        return STATUS_NOT_FOUND;
    if (!is_readonly && d->is_readonly)
        return STATUS_DENIED;
    if (is_contested(d, u))
        return STATUS_BUSY;
    u->is_open = true;
    return STATUS_OK;
}

enum status block_open(const struct block_place *place, bool is_readonly, struct block_user **out)
{
    struct block_disk *d = place->disk;
    struct block_user *u = place_find(d);

    if (!u)
        return STATUS_BUSY;
    if (!buffer_get(u))
        return STATUS_NO_MEMORY;
    lock_acquire(&d->lock);
    enum status status = user_begin(u, place, is_readonly);
    lock_release(&d->lock);
    if (status == STATUS_OK)
        *out = u;
    return status;
}

void block_close(struct block_user *u)
{
    lock_acquire(&u->disk->lock);
    u->done = u->resized = NULL;
    u->is_open = false;
    lock_release(&u->disk->lock);
}

// --- requests ----------------------------------------------------------------------------------------------

void block_submit(struct block_user *u, enum block_operation what, uint64_t sector, uint32_t bytes)
{
    struct block_disk *d = u->disk;

    lock_acquire(&d->lock);
    atomic_store_explicit(&u->is_busy, true, memory_order_relaxed);
    d->driver->submit(d, u, what, u->start + sector, bytes);
    lock_release(&d->lock);
}

void block_over(struct block_user *u, bool failed)
{
    u->failed = failed;
    atomic_store_explicit(&u->is_busy, false, memory_order_release);
    if (u->done)
        u->done(u->owner);
}

// Partitions stay as they are; what is beyond the end answers with errors.
void block_resize(struct block_disk *d, uint64_t sectors)
{
    uint64_t before = d->sectors;

    d->sectors = sectors;
    for (unsigned i = 0; i < BLOCK_USERS_MAX; i++) {
        struct block_user *u = &d->users[i];
        if (!u->is_open || u->start || u->sectors != before || sectors == before)
            continue;
        u->sectors = sectors;
        if (u->resized)
            u->resized(u->owner);
    }
}

static void poll(struct block_disk *d)
{
    lock_acquire(&d->lock);
    d->driver->poll(d);
    lock_release(&d->lock);
}

bool block_interrupt(uint32_t irq)
{
    bool any = false;

    for (unsigned i = 0; i < block_count; i++)
        if (block_disks[i]->irq == irq) {
            poll(block_disks[i]);
            any = true;
        }
    return any;
}

bool block_wait(struct block_user *u, uint64_t ticks)
{
    uint64_t until = hart_time() + ticks;

    while (block_is_busy(u) && hart_time() < until)
        poll(u->disk);
    return !block_is_busy(u) && !u->failed;
}
