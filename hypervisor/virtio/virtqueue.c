#include "virtqueue.h"

#include <string.h>

#include "bits.h"

// Sections 2.7.6 and 2.7.8: both rings start with flags and index; the available ring has half-words, the used
// ring pairs of words. Each ends with where the other side wants to hear of something.
#define RING_FLAGS 0u
#define RING_INDEX 2u
#define RING_ENTRIES 4u
#define USED_NO_NOTIFY 1u

static struct gpa at(struct gpa base, uint64_t offset)
{
    return gpa(base.value + offset);
}

static uint64_t available_bytes(const struct virtqueue *q)
{
    return RING_ENTRIES + 2u * q->size + 2;
}

static uint64_t used_bytes(const struct virtqueue *q)
{
    return RING_ENTRIES + sizeof(struct virtio_used) * q->size + 2;
}

static bool is_placed(const struct space *s, struct gpa a, uint64_t bytes, uint64_t align)
{
    return is_aligned(a.value, align) && space_contains(s, a, bytes);
}

enum status virtqueue_start(struct virtqueue *q, const struct space *s)
{
    if (!q->size || q->size > VIRTQUEUE_SIZE_MAX || !is_power_of_two(q->size) ||
        !is_placed(s, q->descriptors, sizeof(struct virtio_descriptor) * q->size, 16) ||
        !is_placed(s, q->available, available_bytes(q), 2) || !is_placed(s, q->used, used_bytes(q), 4))
        return STATUS_INVALID;
    q->next = q->returned = q->signalled = 0;
    q->chains = 0;
    q->is_quiet = false;
    q->ready = true;
    return STATUS_OK;
}

void virtqueue_stop(struct virtqueue *q)
{
    q->ready = false;
}

// --- taking ----------------------------------------------------------------------------------------------

// Where descriptors are looked up: the queue's own table or an indirect one.
struct table {
    struct gpa start;
    uint32_t entries;
    bool is_indirect;
};

// One more buffer. Those to be read come first (section 2.7.4.2), and all together are below 4 GiB (2.7.4).
static bool segment_add(struct virtqueue_chain *c, const struct space *s, const struct virtio_descriptor *d)
{
    struct virtqueue_cursor *cursor = d->flags & VIRTIO_DESCRIPTOR_WRITE ? &c->write : &c->read;

    if (c->count == VIRTQUEUE_SEGMENTS_MAX || (c->write.end && cursor == &c->read) ||
        !space_contains(s, gpa(d->address), d->length) || d->length > UINT32_MAX - c->read.left - c->write.left)
        return false;
    if (!cursor->end)
        cursor->segment = c->count;
    c->segments[c->count++] = (struct virtqueue_segment){gpa(d->address), d->length};
    cursor->end = c->count;
    cursor->left += d->length;
    return true;
}

// Section 2.7.5.3.1: the last of a chain, of whole descriptors, none of which leads to a table again, and no more
// than the queue has.
static bool table_enter(const struct virtqueue *q, const struct virtio_descriptor *d, struct table *t)
{
    if (!q->has_indirect || t->is_indirect || d->flags & VIRTIO_DESCRIPTOR_NEXT || d->length % sizeof(*d) ||
        d->length / sizeof(*d) > q->size)
        return false;
    *t = (struct table){gpa(d->address), d->length / sizeof(*d), true};
    return t->entries != 0;
}

// A copy, of which nothing is read again. Mostly aligned and in one piece; an indirect table needn't be.
static bool descriptor_read(const struct space *s, struct gpa a, struct virtio_descriptor *d)
{
    struct hpa host;

    if (unlikely(!is_aligned(a.value, sizeof(uint64_t)) || space_find(s, a, &host) < sizeof(*d)))
        return space_read(s, a, d, sizeof(*d)) == STATUS_OK;
    const volatile struct virtio_descriptor *there = hpa_pointer(host);
    *d = (struct virtio_descriptor){there->address, there->length, there->flags, there->next};
    return true;
}

// Follows the chain. No more steps than the table has entries: one that is longer has a loop.
static enum status chain_follow(const struct virtqueue *q, const struct space *s, uint32_t index,
                                struct virtqueue_chain *c)
{
    struct table t = {q->descriptors, q->size, false};
    struct virtio_descriptor d;

    for (uint32_t steps = 0; steps < t.entries && index < t.entries; steps++) {
        if (!descriptor_read(s, at(t.start, sizeof(d) * index), &d))
            return STATUS_INVALID;
        if (d.flags & VIRTIO_DESCRIPTOR_INDIRECT) {
            if (!table_enter(q, &d, &t))
                return STATUS_INVALID;
            index = 0;
            steps = UINT32_MAX; // begins at 0
            continue;
        }
        if (!segment_add(c, s, &d))
            return STATUS_INVALID;
        if (!(d.flags & VIRTIO_DESCRIPTOR_NEXT))
            return STATUS_OK;
        index = d.next;
    }
    return STATUS_INVALID;
}

// The next chain's.
static enum status head_read(const struct virtqueue *q, const struct space *s, uint16_t *head)
{
    uint16_t end;

    if (space_load16(s, at(q->available, RING_INDEX), &end) != STATUS_OK)
        return STATUS_INVALID;
    uint16_t waiting = (uint16_t)(end - q->next);
    if (!waiting)
        return STATUS_NOT_FOUND;
    if (waiting > q->size ||
        space_load16(s, at(q->available, RING_ENTRIES + 2u * (q->next & (q->size - 1u))), head) != STATUS_OK)
        return STATUS_INVALID;
    return STATUS_OK;
}

enum status virtqueue_take_more(struct virtqueue *q, const struct space *s, struct virtqueue_chain *c)
{
    uint16_t head, before = c->count;
    uint32_t left = c->write.left;
    enum status status = head_read(q, s, &head);

    if (status != STATUS_OK)
        return status;
    status = chain_follow(q, s, head, c);
    if (status != STATUS_OK)
        return before && c->count == VIRTQUEUE_SEGMENTS_MAX ? STATUS_BUSY : status;
    c->head = head;
    c->writable += c->write.left - left;
    q->next++;
    q->chains++;
    return STATUS_OK;
}

enum status virtqueue_take(struct virtqueue *q, const struct space *s, struct virtqueue_chain *c)
{
    c->count = 0;
    c->read = c->write = (struct virtqueue_cursor){0};
    c->writable = 0;
    return virtqueue_take_more(q, s, c);
}

void virtqueue_untake(struct virtqueue *q, unsigned chains)
{
    q->next -= (uint16_t)chains;
    q->chains -= chains;
}

// --- giving back -----------------------------------------------------------------------------------------

static enum status used_write(struct space *s, struct gpa a, const struct virtio_used *used)
{
    struct hpa host;
    uint64_t run;
    enum status status = space_find_writable(s, a, &host, &run);

    if (status != STATUS_OK)
        return status;
    if (unlikely(run < sizeof(*used)))
        return space_write(s, a, used, sizeof(*used));
    *(struct virtio_used *)hpa_pointer(host) = *used;
    return STATUS_OK;
}

enum status virtqueue_return_all(struct virtqueue *q, struct space *s, const struct virtio_used *used, unsigned count)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < count && status == STATUS_OK; i++) {
        uint32_t entry = (q->returned + i) & (q->size - 1u);
        status = used_write(s, at(q->used, RING_ENTRIES + sizeof(*used) * entry), &used[i]);
    }
    if (status == STATUS_OK) // releases what was written
        status = space_store16(s, at(q->used, RING_INDEX), (uint16_t)(q->returned + count));
    if (status == STATUS_OK)
        q->returned = (uint16_t)(q->returned + count);
    return status;
}

enum status virtqueue_return(struct virtqueue *q, struct space *s, uint16_t head, uint32_t written)
{
    struct virtio_used used = {head, written};
    return virtqueue_return_all(q, s, &used, 1);
}

bool virtqueue_wants_interrupt(struct virtqueue *q, const struct space *s)
{
    uint16_t before = q->signalled, word = 0;

    if (q->returned == before)
        return false;
    q->signalled = q->returned;
    // The index is out before we look, as the driver has said what it wants before it looks at the index.
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t offset = q->has_event_index ? RING_ENTRIES + 2u * q->size : RING_FLAGS;
    if (space_load16(s, at(q->available, offset), &word) != STATUS_OK)
        return true;
    if (!q->has_event_index)
        return !(word & VIRTIO_AVAILABLE_NO_INTERRUPT);
    return (uint16_t)(q->returned - word - 1) < (uint16_t)(q->returned - before);
}

enum status virtqueue_rest(struct virtqueue *q, struct space *s)
{
    enum status status = STATUS_OK;
    uint16_t end;

    if (q->has_event_index)
        status = space_store16(s, at(q->used, RING_ENTRIES + sizeof(struct virtio_used) * q->size), q->next);
    else if (q->is_quiet)
        status = space_store16(s, at(q->used, RING_FLAGS), 0);
    if (status != STATUS_OK)
        return status;
    q->is_quiet = false;
    atomic_thread_fence(memory_order_seq_cst); // as above, the other way round
    if (space_load16(s, at(q->available, RING_INDEX), &end) != STATUS_OK)
        return STATUS_INVALID;
    return end == q->next ? STATUS_OK : STATUS_BUSY;
}

enum status virtqueue_next(struct virtqueue *q, struct space *s, struct virtqueue_chain *c)
{
    enum status status = virtqueue_take(q, s, c);

    if (status != STATUS_NOT_FOUND)
        return status;
    status = virtqueue_rest(q, s);
    if (status == STATUS_BUSY)
        return virtqueue_take(q, s, c);
    return status == STATUS_OK ? STATUS_NOT_FOUND : status;
}

enum status virtqueue_hush(struct virtqueue *q, struct space *s)
{
    // With event index, nothing more comes until virtqueue_rest() asks for it.
    if (q->has_event_index || q->is_quiet)
        return STATUS_OK;
    q->is_quiet = true;
    return space_store16(s, at(q->used, RING_FLAGS), USED_NO_NOTIFY);
}

// --- what chains hold ------------------------------------------------------------------------------------

uint32_t chain_next(const struct virtqueue_chain *c, struct virtqueue_cursor *cursor, struct gpa *start)
{
    const struct virtqueue_segment *segment = &c->segments[cursor->segment];

    while (cursor->offset == segment->length) {
        segment = &c->segments[++cursor->segment];
        cursor->offset = 0;
    }
    *start = gpa(segment->start.value + cursor->offset);
    return segment->length - cursor->offset;
}

static void cursor_advance(struct virtqueue_cursor *cursor, uint32_t bytes)
{
    cursor->offset += bytes;
    cursor->left -= bytes;
}

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

void chain_skip(struct virtqueue_chain *c, struct virtqueue_cursor *cursor, uint32_t size)
{
    struct gpa ignored;

    while (size) {
        uint32_t piece = least(size, chain_next(c, cursor, &ignored));
        cursor_advance(cursor, piece);
        size -= piece;
    }
}

enum status chain_read_piece(struct virtqueue_chain *c, const struct space *s, uint32_t size, const void **pointer,
                             uint32_t *run)
{
    struct gpa start;
    struct hpa host;
    uint32_t piece = least(size, chain_next(c, &c->read, &start));
    uint64_t there = space_find(s, start, &host);

    if (!there)
        return STATUS_NOT_FOUND;
    *run = least(piece, there);
    *pointer = hpa_pointer(host);
    cursor_advance(&c->read, *run);
    return STATUS_OK;
}

enum status chain_write_piece(struct virtqueue_chain *c, struct space *s, uint32_t size, void **pointer, uint32_t *run)
{
    struct gpa start;
    struct hpa host;
    uint64_t there;
    uint32_t piece = least(size, chain_next(c, &c->write, &start));
    enum status status = space_find_writable(s, start, &host, &there);

    if (status != STATUS_OK)
        return status;
    *run = least(piece, there);
    *pointer = hpa_pointer(host);
    cursor_advance(&c->write, *run);
    return STATUS_OK;
}

enum status chain_read(struct virtqueue_chain *c, const struct space *s, void *to, uint32_t size)
{
    uint8_t *end = to;

    if (size > c->read.left)
        return STATUS_INVALID;
    for (uint32_t run; size; size -= run, end += run) {
        const void *from;
        enum status status = chain_read_piece(c, s, size, &from, &run);
        if (status != STATUS_OK)
            return status;
        memcpy(end, from, run);
    }
    return STATUS_OK;
}

enum status chain_write(struct virtqueue_chain *c, struct space *s, const void *from, uint32_t size)
{
    const uint8_t *next = from;

    if (size > c->write.left)
        return STATUS_INVALID;
    for (uint32_t run; size; size -= run, next += run) {
        void *to;
        enum status status = chain_write_piece(c, s, size, &to, &run);
        if (status != STATUS_OK)
            return status;
        memcpy(to, next, run);
    }
    return STATUS_OK;
}

enum status chain_move(struct virtqueue_chain *to, struct space *to_space, struct virtqueue_chain *from,
                       const struct space *from_space, uint32_t size)
{
    if (size > to->write.left || size > from->read.left)
        return STATUS_INVALID;
    while (size) {
        void *target;
        uint32_t room;
        enum status status = chain_write_piece(to, to_space, size, &target, &room);
        if (status != STATUS_OK)
            return status;
        size -= room;
        // Nothing is written by translation from here on, so `target` stays good.
        for (uint32_t run, done = 0; done < room; done += run) {
            const void *source;
            status = chain_read_piece(from, from_space, room - done, &source, &run);
            if (status != STATUS_OK)
                return status;
            memmove((uint8_t *)target + done, source, run); // the guest may let them overlap
        }
    }
    return STATUS_OK;
}
