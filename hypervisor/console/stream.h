// What one capsule prints and reads: a ring of recent output on its way to the console, and a small
// one of input on its way to the guest.
//
// Positions are counts of bytes since the beginning, modulo 2^32; the ring holds the last `size` of
// them:
//
//      head - size         shown                 head
//          | kept, was shown | kept, not yet shown |
//
// Writers, serialized by the stream's lock, move `head`. While the stream is watched (on the screen
// now), whoever holds the console's lock moves `shown`, and a writer may not overwrite what was not
// shown: it finds no room, and gets an event (console_next_event()) when there is again. While it
// isn't watched, writers never wait: they move `shown` themselves over what they overwrite, and count
// it. Watching begins and ends under both locks.
//
// Lock order: a capsule's device lock, then the stream's; the console's lock, then the stream's. A
// stream's lock is never held while the console's is asked for.
#pragma once

#include <stdatomic.h>

#include "latch.h"
#include "list.h"
#include "types.h"

#define STREAM_INPUT_SIZE 256u

// Where a stream stands in the escape sequences and line ends that the interleaved view takes out.
enum stream_filter { FILTER_TEXT, FILTER_ESCAPE, FILTER_SEQUENCE, FILTER_STRING, FILTER_LEAD };

struct stream {
    struct latch lock;
    uint32_t size; // a power of two
    size_t mask;   // size - 1
    uint8_t *ring;
    const char *name;

    _Atomic uint32_t head;
    _Atomic uint32_t shown;
    _Atomic uint32_t limit;   // there is room while head - shown < limit; above size while not watched
    _Atomic uint32_t starved; // 1: a writer found no room and waits for the event
    _Atomic uint32_t dropped; // bytes of output lost since the screen last said so

    uint8_t input[STREAM_INPUT_SIZE];
    _Atomic uint32_t input_head; // moved under the console's lock
    _Atomic uint32_t input_tail; // moved under this stream's

    // The rest is the console's, under its lock.
    struct list link;
    struct stream *next_event;
    bool event;
    bool input_full; // bytes are being lost, and that was said
    uint32_t input_lost;
    uint32_t scanned;    // no line end between `shown` and here
    uint64_t partial_at; // when to show a line that has no end, if nothing more comes
    bool partial;        // partial_at is set
    bool flush;          // show what there is once, line end or not
    bool cut;            // another source ended this stream's line on the screen
    bool carriage;       // a carriage return waits for what follows it
    enum stream_filter filter;
    uint32_t column; // of the open line, after its prefix
};

// The name must outlive the stream; the size is a power of two, 1 KiB or more, and the ring's memory
// the caller's. Not on the console until console_add().
void stream_init(struct stream *s, const char *name, uint8_t *ring, size_t ring_size);

static inline bool stream_watched(const struct stream *s)
{
    return atomic_load_explicit(&s->limit, memory_order_relaxed) == s->size;
}

// Takes what there is room for and says how much that was. After less than `count`, an event follows.
size_t stream_write(struct stream *s, const uint8_t *bytes, size_t count);

bool stream_room_slow(struct stream *s);

// True if the next byte will be taken. After false, an event follows.
static inline bool stream_room(struct stream *s)
{
    uint32_t unshown =
        atomic_load_explicit(&s->head, memory_order_relaxed) - atomic_load_explicit(&s->shown, memory_order_relaxed);
    return likely(unshown < atomic_load_explicit(&s->limit, memory_order_relaxed)) || stream_room_slow(s);
}

// Copies kept output from *position on, a count of bytes modulo 2^32; the oldest kept if that is gone, or was
// never there. Says from where it copied, how many, and where all that was printed ends.
size_t stream_peek(struct stream *s, uint32_t *position, uint8_t *bytes, size_t size, uint32_t *end);

// The next byte of input, -1 if there is none.
int stream_read(struct stream *s);

static inline bool stream_has_input(const struct stream *s)
{
    return atomic_load_explicit(&s->input_head, memory_order_acquire) !=
           atomic_load_explicit(&s->input_tail, memory_order_relaxed);
}

// The rest is for the console alone. stream_put() is stream_write() without the console's part, under
// the stream's lock.
size_t stream_put(struct stream *s, const uint8_t *bytes, size_t count);

// Under the console's lock: begins or ends watching.
void stream_watch(struct stream *s, bool watched);

// Under the console's lock: makes the line that was begun but not ended count as not shown.
void stream_rewind(struct stream *s);

// Under the console's lock: false if the ring is full.
must_check bool stream_feed(struct stream *s, uint8_t byte);
