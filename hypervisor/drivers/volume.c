#include "volume.h"

#include <string.h>

#include "bits.h"
#include "buddy.h"
#include "frames.h"

// --- labels ------------------------------------------------------------------------------------------------

#define LABEL_SECTORS 4u // that hold the labels

#define EXT_SUPERBLOCK 1024u
#define EXT_MAGIC (EXT_SUPERBLOCK + 56)
#define EXT_LABEL (EXT_SUPERBLOCK + 120)
#define EXT_LABEL_MAX 16u

#define FAT_SIGNATURE 510u
#define FAT_LABEL_MAX 11u // filled up with blanks
static const struct {
    uint8_t type_length;
    const char *type;
    uint16_t type_at, mark_at, label_at; // the mark says that there is a label
} fats[] = {{8, "FAT32   ", 82, 66, 71}, {4, "FAT1", 54, 38, 43}};
#define FAT_MARK 0x29u

static bool sectors_read(struct block_user *u, uint64_t sector, uint32_t bytes)
{
    if (block_is_busy(u)) // still, with what was asked for before: it is no use
        return false;
    block_submit(u, BLOCK_READ, sector, bytes);
    return block_wait(u, BLOCK_PATIENCE);
}

// A name that a person could give, with its prefix; else none.
static void name_set(char *name, const char *prefix, const uint8_t *text, size_t length)
{
    size_t at = strlen(prefix);

    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return;
    if (!length)
        return;
    memcpy(name, prefix, at);
    memcpy(name + at, text, length);
    name[at + length] = '\0';
}

static void fat_label_set(struct block_volume *v, const uint8_t *sector)
{
    size_t length = FAT_LABEL_MAX;

    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *label = sector + fats[i].label_at;
        if (memcmp(sector + fats[i].type_at, fats[i].type, fats[i].type_length) != 0 ||
            sector[fats[i].mark_at] != FAT_MARK || !memcmp(label, "NO NAME    ", FAT_LABEL_MAX))
            continue;
        while (length && label[length - 1] == ' ')
            length--;
        name_set(v->label, BLOCK_BY_LABEL, label, length);
        return;
    }
}

static void label_read(struct block_user *u, struct block_volume *v)
{
    const uint8_t *b = u->buffer;

    if (v->sectors < LABEL_SECTORS || !sectors_read(u, v->start, LABEL_SECTORS * BLOCK_SECTOR))
        return;
    if (b[EXT_MAGIC] == 0x53 && b[EXT_MAGIC + 1] == 0xef)
        name_set(v->label, BLOCK_BY_LABEL, b + EXT_LABEL, strnlen((const char *)b + EXT_LABEL, EXT_LABEL_MAX));
    else if (b[FAT_SIGNATURE] == 0x55 && b[FAT_SIGNATURE + 1] == 0xaa)
        fat_label_set(v, b);
}

// --- partitions --------------------------------------------------------------------------------------------

#define NAME_UNITS 36u
#define ENTRIES_MAX 128u

struct table_header {
    char signature[8];
    uint32_t revision, size, crc, reserved;
    uint64_t own, other, first_usable, last_usable;
    uint8_t guid[16];
    uint64_t entries;
    uint32_t entry_count, entry_size, entries_crc;
};
_Static_assert(offsetof(struct table_header, entries) == 72, "as the specification has it");

struct table_entry {
    uint8_t type[16], guid[16];
    uint64_t first, last; // both of it
    uint64_t attributes;
    uint16_t name[NAME_UNITS]; // UTF-16
};
_Static_assert(sizeof(struct table_entry) == 128, "as the specification has it");

// Entries of another size than the usual are not read. False: there is no table; else its entries, as far as there is
// room, are in the buffer.
static bool table_read(struct block_user *u, unsigned *count)
{
    struct table_header header;

    *count = 0;
    if (u->sectors < 3 || !sectors_read(u, 1, BLOCK_SECTOR))
        return false;
    memcpy(&header, u->buffer, sizeof(header));
    if (memcmp(header.signature, "EFI PART", 8) != 0)
        return false;
    if (header.entry_size == sizeof(struct table_entry) &&
        header.entries < u->sectors - ENTRIES_MAX * sizeof(struct table_entry) / BLOCK_SECTOR &&
        sectors_read(u, header.entries, ENTRIES_MAX * sizeof(struct table_entry)))
        *count = header.entry_count < ENTRIES_MAX ? header.entry_count : ENTRIES_MAX;
    return true;
}

static bool entry_read(const struct block_user *u, unsigned n, struct block_volume *v)
{
    struct table_entry e;
    uint8_t name[NAME_UNITS];
    size_t length = 0;

    memcpy(&e, u->buffer + n * sizeof(e), sizeof(e));
    if (!e.first || e.first > e.last || e.last >= u->sectors)
        return false;
    for (; length < NAME_UNITS && e.name[length]; length++)
        name[length] = e.name[length] <= UINT8_MAX ? (uint8_t)e.name[length] : 0;
    *v = (struct block_volume){.start = e.first, .sectors = e.last - e.first + 1, .number = n + 1};
    name_set(v->name, BLOCK_BY_NAME, name, length);
    return true;
}

static void parts_read(struct block_disk *d, struct block_user *u, unsigned entries)
{
    struct block_volume part;
    unsigned count = 0;
    struct hpa frames;

    for (unsigned i = 0; i < entries; i++)
        count += entry_read(u, i, &part);
    if (!count || frames_allocate(buddy_order(align_up(count * sizeof(part), FRAME_SIZE) / FRAME_SIZE),
                                  FRAMES_OWNER_HYPERVISOR, &frames) != STATUS_OK)
        return;
    d->parts = hpa_pointer(frames);
    for (unsigned i = 0; i < entries; i++)
        if (entry_read(u, i, &part))
            d->parts[d->part_count++] = part;
    for (unsigned i = 0; i < d->part_count; i++)
        label_read(u, &d->parts[i]);
}

void volumes_read(struct block_disk *d)
{
    struct block_user *u = &d->users[0];
    unsigned entries;

    d->whole = (struct block_volume){.sectors = d->sectors};
    if (!u->buffer)
        return;
    u->start = 0;
    u->sectors = d->sectors;
    if (table_read(u, &entries))
        parts_read(d, u, entries);
    else
        label_read(u, &d->whole);
}
