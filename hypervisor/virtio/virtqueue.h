// The device's side of a split virtqueue (VIRTIO 1.3, section 2.7), in a guest's memory.
//
// The driver is a hostile guest: it may write anything anywhere at any time. So everything is read once, copied,
// and checked before it is used; what is wrong makes the queue BROKEN, and the device then needs a reset. Positions
// are kept here and never read back: the used ring is only written.
//
// No lock here: one hart at a time works on a queue (virtio.h), in an exit of one of the capsule's vcores or as a
// visitor of its memory (isolation.h). As writing to guest memory may wait for other harts, it holds no lock.
#pragma once

#include "isolation.h"
#include "virtio_mmio.h"

// Buffers in one chain. A queue has at most as many entries, so no chain that is allowed is longer.
#define VIRTQUEUE_SEGMENTS_MAX 64u
#define VIRTQUEUE_SIZE_MAX VIRTQUEUE_SEGMENTS_MAX

struct virtqueue {
    // As the driver gave them; they change only while the queue is not ready.
    struct gpa descriptors, available, used;
    uint16_t size;
    bool ready;
    // Negotiated (sections 2.7.5.3 and 2.7.10).
    bool has_indirect, has_event_index;
    bool is_quiet; // without event index: the driver was told not to notify

    uint16_t next;      // available entries taken, modulo 2^16
    uint16_t returned;  // used entries given
    uint16_t signalled; // 'returned' when the driver was interrupted last

    uint64_t chains; // taken since the queue was made ready
};

struct virtqueue_segment {
    struct gpa start; // all of it lies in the capsule's RAM
    uint32_t length;
};

// Where reading or writing has got to.
struct virtqueue_cursor {
    uint16_t segment, end; // the segment it is in, and the one where it is over
    uint32_t offset;
    uint32_t left; // bytes, in all
};

// A request of the driver: buffers to read, then buffers to write. A copy, so it stays as it was checked. It may be
// kept over many steps; what its buffers hold may change at any time.
struct virtqueue_chain {
    uint16_t head;
    uint16_t count;
    struct virtqueue_cursor read, write;
    uint32_t writable; // bytes in all
    struct virtqueue_segment segments[VIRTQUEUE_SEGMENTS_MAX];
};

// Takes over what the driver has set up and makes the queue ready, from the start. STATUS_INVALID: its size or
// addresses are wrong (section 2.7: alignments 16, 2 and 4; all in RAM).
must_check enum status virtqueue_start(struct virtqueue *q, const struct space *s);
void virtqueue_stop(struct virtqueue *q);

// The next chain. STATUS_NOT_FOUND: there is none. STATUS_INVALID: the driver broke a rule.
must_check enum status virtqueue_take(struct virtqueue *q, const struct space *s, struct virtqueue_chain *c);
// The same, and its buffers follow those that the chain has already: for who fills several as if they were one. Its own
// head takes the place of the other's. STATUS_BUSY: there are too many of them, and it stays where it is.
must_check enum status virtqueue_take_more(struct virtqueue *q, const struct space *s, struct virtqueue_chain *c);
// The last so many that were taken were not: they are taken again.
void virtqueue_untake(struct virtqueue *q, unsigned chains);
// Gives a chain back that was taken, in whatever order, with so many bytes written. Errors as of space_write; the
// driver sees all of it or nothing.
must_check enum status virtqueue_return(struct virtqueue *q, struct space *s, uint16_t head, uint32_t written);
// Gives several back at once, no more than the queue has.
must_check enum status virtqueue_return_all(struct virtqueue *q, struct space *s, const struct virtio_used *used,
                                            unsigned count);
// Does the driver want to be interrupted for what was returned since it was asked last? (Sections 2.7.7, 2.7.10.)
bool virtqueue_wants_interrupt(struct virtqueue *q, const struct space *s);
// Asks the driver to notify us of the next chain. STATUS_BUSY: there is one already. Else errors as of space_write.
must_check enum status virtqueue_rest(struct virtqueue *q, struct space *s);
// As virtqueue_take(). STATUS_NOT_FOUND: there is none, and the driver was asked to notify us of the next.
must_check enum status virtqueue_next(struct virtqueue *q, struct space *s, struct virtqueue_chain *c);
// Notifications are not needed for now; the driver may send them all the same.
must_check enum status virtqueue_hush(struct virtqueue *q, struct space *s);

// Bytes from or to the chain's buffers, from where the last call stopped. STATUS_INVALID: there are fewer left, and
// nothing was done. Else errors as of space_read and space_write.
must_check enum status chain_read(struct virtqueue_chain *c, const struct space *s, void *to, uint32_t size);
must_check enum status chain_write(struct virtqueue_chain *c, struct space *s, const void *from, uint32_t size);
// Passes over some of what is left.
void chain_skip(struct virtqueue_chain *c, struct virtqueue_cursor *cursor, uint32_t size);
// Where what comes next lies in the guest, and how much of it is in one piece there. `cursor->left` is not 0.
uint32_t chain_next(const struct virtqueue_chain *c, struct virtqueue_cursor *cursor, struct gpa *start);
// The bytes that come next, as far as they are in one piece and no more than `size`, which is not more than is left:
// *run of them are at the answer, from where they can be copied without another copy between. The pointer is good
// until anything is written to this guest's memory, or the step ends.
must_check enum status chain_read_piece(struct virtqueue_chain *c, const struct space *s, uint32_t size,
                                        const void **at, uint32_t *run);
must_check enum status chain_write_piece(struct virtqueue_chain *c, struct space *s, uint32_t size, void **at,
                                         uint32_t *run);
// Moves bytes from one chain to another, of another capsule or the same, with one copy.
must_check enum status chain_move(struct virtqueue_chain *to, struct space *to_space, struct virtqueue_chain *from,
                                  const struct space *from_space, uint32_t size);
