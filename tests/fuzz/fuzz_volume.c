// sources: hypervisor/drivers/volume.c hypervisor/drivers/block.c tests/unit/fake/image_disk.c
//
// Disks with anything on them. Nothing but the disk is read, parts lie within it, and names are such as can be shown.
#include <stdlib.h>
#include <string.h>

#include "image_disk.h"
#include "volume.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void name_check(const char *name, size_t size, const char *prefix)
{
    REQUIRE(strnlen(name, size) < size);
    REQUIRE(!*name || !strncmp(name, prefix, strlen(prefix)));
    for (; *name; name++)
        REQUIRE(*name > ' ' && *name <= '~');
}

static void volume_check(const struct block_disk *d, const struct block_volume *v)
{
    struct block_place found[2];
    struct block_user *u;
    REQUIRE(v->sectors <= d->sectors && v->start <= d->sectors - v->sectors);
    name_check(v->name, sizeof(v->name), BLOCK_BY_NAME);
    name_check(v->label, sizeof(v->label), BLOCK_BY_LABEL);
    if (*v->label)
        REQUIRE(block_find(v->label, found) != STATUS_NOT_FOUND);
    if (*v->name && block_find(v->name, found) == STATUS_OK && block_open(&found[0], true, &u) == STATUS_OK) {
        REQUIRE(u->start + u->sectors <= d->sectors && !strcmp(u->name, v->name));
        block_close(u);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct block_disk disk;
    if (size < 2)
        return 0;
    image_disk_errors = data[0] % 16 == 1 ? data[1] : 0;
    image_disk_add(&disk, "data", data + 2, size - 2, data[0] & 1 ? data[1] : (size + 511) / 512 + data[1]);
    volume_check(&disk, &disk.whole);
    for (unsigned i = 0; i < disk.part_count; i++)
        volume_check(&disk, &disk.parts[i]);
    image_disks_reset();
    return 0;
}
