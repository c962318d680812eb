#include "driver.h"

#include <stdlib.h>
#include <string.h>

struct space driver_space;
unsigned driver_lacking;
static uint8_t *pieces[2]; // exactly: an access beyond is found

void driver_memory_reset(void)
{
    driver_space = (struct space){.size = DRIVER_RAM_SIZE, .extent_count = 2, .forked = true};
    for (unsigned i = 0; i < 2; i++) {
        free(pieces[i]);
        pieces[i] = calloc(1, DRIVER_PIECE);
    }
    for (unsigned i = 0; i < 2; i++)
        driver_space.extents[i] = (struct extent){gpa(DRIVER_RAM + i * DRIVER_PIECE), hpa_of(pieces[i]), DRIVER_PIECE};
    driver_lacking = 0;
}

uint64_t space_run(const struct space *s, struct gpa a, struct hpa *out)
{
    uint64_t offset = a.value - DRIVER_RAM;

    (void)s;
    if (offset >= DRIVER_RAM_SIZE)
        return 0;
    *out = hpa_of(pieces[offset / DRIVER_PIECE] + offset % DRIVER_PIECE);
    return DRIVER_PIECE - offset % DRIVER_PIECE;
}

enum status space_run_writable(struct space *s, struct gpa a, struct hpa *out, uint64_t *run)
{
    if (driver_lacking && --driver_lacking == 0)
        return STATUS_NO_MEMORY;
    *run = space_run(s, a, out);
    return *run ? STATUS_OK : STATUS_NOT_FOUND;
}

bool space_translate(const struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    return space_run(s, a, out) >= size && size;
}

enum status space_translate_writable(struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    uint64_t run;
    enum status status = space_run_writable(s, a, out, &run);
    return status == STATUS_OK && run < size ? STATUS_NOT_FOUND : status;
}

// What they held is gone.
uint64_t driver_discarded;
enum status space_discard(struct space *s, const struct gpa *pages, unsigned count)
{
    (void)s;
    if (driver_lacking && --driver_lacking == 0)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        struct hpa host;
        if (pages[i].value % FRAME_SIZE || space_run(s, pages[i], &host) < FRAME_SIZE || count > SPACE_DISCARD_MAX)
            abort();
        memset(hpa_pointer(host), 0, FRAME_SIZE);
        driver_discarded++;
    }
    return STATUS_OK;
}

void virtio_wait(void)
{
    abort(); // nobody else is there
}

void *driver_at(uint64_t where)
{
    struct hpa host;
    return space_run(&driver_space, gpa(where), &host) ? hpa_pointer(host) : NULL;
}

void driver_put(uint64_t where, const void *from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *(uint8_t *)driver_at(where + i) = ((const uint8_t *)from)[i];
}

void driver_get(uint64_t where, void *to, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)to)[i] = *(uint8_t *)driver_at(where + i);
}

static void put16(uint64_t where, uint16_t value)
{
    driver_put(where, &value, sizeof(value));
}

static uint16_t get16(uint64_t where)
{
    uint16_t value;
    driver_get(where, &value, sizeof(value));
    return value;
}

uint32_t driver_read(struct virtio_device *d, uint32_t offset)
{
    return (uint32_t)virtio_read(d, offset, 4);
}

void driver_write(struct virtio_device *d, uint32_t offset, uint32_t value)
{
    virtio_write(d, offset, 4, value);
}

void driver_negotiate(struct virtio_device *d, uint64_t features)
{
    driver_write(d, 0x070, 0);
    driver_write(d, 0x070, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    driver_write(d, 0x024, 0);
    driver_write(d, 0x020, (uint32_t)features);
    driver_write(d, 0x024, 1);
    driver_write(d, 0x020, (uint32_t)(features >> 32));
    driver_write(d, 0x070, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
}

static void address_write(struct virtio_device *d, uint32_t offset, uint64_t value)
{
    driver_write(d, offset, (uint32_t)value);
    driver_write(d, offset + 4, (uint32_t)(value >> 32));
}

void driver_queue_set_up(struct driver_queue *q, struct virtio_device *d, unsigned number, uint16_t size,
                         uint64_t where)
{
    *q = (struct driver_queue){.device = d, .number = number, .size = size, .descriptors = where};
    q->available = where + 16 * size;
    q->used = (q->available + 6 + 2 * size + 3) & ~3ull;
    driver_write(d, 0x030, number);
    driver_write(d, 0x038, size);
    address_write(d, 0x080, q->descriptors);
    address_write(d, 0x090, q->available);
    address_write(d, 0x0a0, q->used);
    driver_write(d, 0x044, 1);
}

void driver_ok(struct virtio_device *d)
{
    driver_write(d, 0x070, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void driver_descriptor(struct driver_queue *q, uint16_t n, uint64_t address, uint32_t length, uint16_t flags,
                       uint16_t next)
{
    struct {
        uint64_t address;
        uint32_t length;
        uint16_t flags, next;
    } d = {address, length, flags, next};
    driver_put(q->descriptors + 16 * n, &d, sizeof(d));
}

void driver_offer(struct driver_queue *q, uint16_t head)
{
    put16(q->available + 4 + 2 * (q->index % q->size), head);
    put16(q->available + 2, ++q->index);
}

uint16_t driver_add(struct driver_queue *q, const struct driver_buffer *buffers, unsigned count)
{
    uint16_t head = q->next_descriptor;

    for (unsigned i = 0; i < count; i++) {
        uint16_t n = q->next_descriptor, next = (uint16_t)((n + 1) % q->size);
        uint16_t flags = (uint16_t)((i + 1 < count ? FLAG_NEXT : 0) | (buffers[i].is_writable ? FLAG_WRITE : 0));
        driver_descriptor(q, n, buffers[i].address, buffers[i].length, flags, next);
        q->next_descriptor = next;
    }
    driver_offer(q, head);
    return head;
}

void driver_notify(struct driver_queue *q)
{
    driver_write(q->device, 0x050, q->number);
    while (virtio_run(q->device, VIRTIO_STEP_BYTES) == VIRTIO_MORE) {
    }
}

bool driver_used(struct driver_queue *q, uint32_t *head, uint32_t *written)
{
    if (get16(q->used + 2) == q->seen)
        return false;
    uint64_t entry = q->used + 4 + 8 * (q->seen++ % q->size);
    driver_get(entry, head, 4);
    driver_get(entry + 4, written, 4);
    return true;
}
