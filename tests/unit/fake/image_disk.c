#include "image_disk.h"

#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "hart.h"

static struct {
    const uint8_t *image;
    size_t size;
} images[BLOCK_DISKS_MAX];
static void *given[64];
static unsigned given_count;
unsigned image_disk_errors;
unsigned char *hpa_arena; // addresses are themselves

uint64_t hart_time(void)
{
    return 0;
}

enum status frames_allocate(unsigned order, uint16_t owner, struct hpa *out)
{
    (void)owner;
    if (given_count == sizeof(given) / sizeof(given[0]))
        return STATUS_NO_MEMORY;
    *out = hpa_of(given[given_count++] = calloc(1, (size_t)FRAME_SIZE << order));
    return STATUS_OK;
}

static void submit(struct block_disk *d, struct block_user *u, enum block_operation what, uint64_t sector,
                   uint32_t bytes)
{
    unsigned n = d->irq;
    uint64_t at = sector * BLOCK_SECTOR;

    if (what != BLOCK_READ || bytes > BLOCK_BUFFER_SIZE || sector >= d->sectors ||
        bytes / BLOCK_SECTOR > d->sectors - sector)
        abort(); // nobody asks a disk for what it does not have
    memset(u->buffer, 0, bytes);
    if (at < images[n].size)
        memcpy(u->buffer, images[n].image + at, bytes < images[n].size - at ? bytes : images[n].size - at);
    block_over(u, image_disk_errors && image_disk_errors--);
}

static void poll(struct block_disk *d)
{
    (void)d;
}

void image_disk_add(struct block_disk *d, const char *serial, const uint8_t *image, size_t size, uint64_t sectors)
{
    static const struct block_driver driver = {submit, poll};
    struct hpa buffer;

    *d = (struct block_disk){.driver = &driver, .irq = block_count, .sectors = sectors};
    strcpy(d->serial, serial);
    images[block_count].image = image;
    images[block_count].size = size;
    d->users[0].disk = d;
    if (frames_allocate(BLOCK_BUFFER_ORDER, FRAMES_OWNER_HYPERVISOR, &buffer) == STATUS_OK)
        d->users[0].buffer = hpa_pointer(buffer);
    block_add(d);
}

void image_disks_reset(void)
{
    while (given_count)
        free(given[--given_count]);
    block_count = 0;
    image_disk_errors = 0;
}
