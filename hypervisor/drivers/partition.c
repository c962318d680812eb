#include "partition.h"

#include <string.h>

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

static bool sectors_read(struct block_user *u, uint64_t sector, uint32_t bytes)
{
    block_submit(u, BLOCK_READ, sector, bytes);
    return block_wait(u, BLOCK_PATIENCE);
}

static bool name_is(const struct table_entry *e, const char *name)
{
    unsigned i = 0;

    while (i < NAME_UNITS && name[i] && e->name[i] == (uint8_t)name[i])
        i++;
    return !name[i] && (i == NAME_UNITS || !e->name[i]);
}

// Entries of another size than the usual are not read.
bool partition_find(struct block_user *u, const char *name)
{
    struct table_header header;
    struct table_entry e;

    if (u->sectors < 3 || !sectors_read(u, 1, BLOCK_SECTOR))
        return false;
    memcpy(&header, u->buffer, sizeof(header));
    if (memcmp(header.signature, "EFI PART", 8) != 0 || header.entry_size != sizeof(e) ||
        header.entries >= u->sectors - ENTRIES_MAX * sizeof(e) / BLOCK_SECTOR ||
        !sectors_read(u, header.entries, ENTRIES_MAX * sizeof(e)))
        return false;
    for (unsigned i = 0; i < ENTRIES_MAX && i < header.entry_count; i++) {
        memcpy(&e, u->buffer + i * sizeof(e), sizeof(e));
        if (!name_is(&e, name) || e.first > e.last || e.last >= u->sectors)
            continue;
        u->start = e.first;
        u->sectors = e.last - e.first + 1;
        return true;
    }
    return false;
}
