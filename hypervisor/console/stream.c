#include "stream.h"

#include <string.h>

#include "console.h"
#include "log.h"
#include "pump.h"
#include "uart.h"

// How far back a line's beginning is looked for: prompts are short.
#define REWIND_MAX 256u

void stream_init(struct stream *s, const char *name, uint8_t *ring, size_t ring_size)
{
    CHECK(ring_size >= 1024 && ring_size <= 1u << 30 && !(ring_size & (ring_size - 1)));
    memset(s, 0, sizeof(*s));
    s->name = name;
    s->ring = ring;
    s->size = (uint32_t)ring_size;
    s->mask = ring_size - 1;
    atomic_init(&s->limit, s->size + 1);
    list_init(&s->link);
    memset(ring + ring_size - REWIND_MAX, 0, REWIND_MAX); // stream_rewind() stops at the stream's beginning
}

static void stream_copy(struct stream *s, const uint8_t *bytes, size_t count)
{
    uint32_t head = atomic_load_explicit(&s->head, memory_order_relaxed);
    for (size_t i = 0; i < count; i++)
        s->ring[head++ & s->mask] = bytes[i];
    atomic_store_explicit(&s->head, head, memory_order_release);
}

// Nobody looks: the newest output is worth more than the oldest.
static size_t stream_overwrite(struct stream *s, const uint8_t *bytes, size_t count)
{
    size_t skip = count > s->size ? count - s->size : 0;
    stream_copy(s, bytes + skip, count - skip);

    uint32_t unshown = s->head - s->shown, lost = unshown > s->size ? unshown - s->size : 0;
    atomic_store_explicit(&s->shown, s->shown + lost, memory_order_relaxed);
    atomic_store_explicit(&s->dropped, s->dropped + lost + (uint32_t)skip, memory_order_relaxed);
    return count;
}

size_t stream_put(struct stream *s, const uint8_t *bytes, size_t count)
{
    if (unlikely(!stream_watched(s)))
        return stream_overwrite(s, bytes, count);

    uint32_t unshown =
        atomic_load_explicit(&s->head, memory_order_relaxed) - atomic_load_explicit(&s->shown, memory_order_acquire);
    if (unlikely(count > s->size - unshown)) {
        count = s->size - unshown;
        atomic_store_explicit(&s->starved, 1, memory_order_relaxed);
    }
    stream_copy(s, bytes, count);
    return count;
}

// The byte that was put at `head` of a watched stream goes straight to the port if that is all there
// is to do; if not, the pump does it.
static void push_byte(struct stream *s, uint32_t head, uint8_t byte)
{
    if (unlikely(!latch_try(&console.lock))) {
        console_push(s);
        return;
    }
    if (unlikely(console.fast != s || !console.budget ||
                 atomic_load_explicit(&s->shown, memory_order_relaxed) != head)) {
        pump_push(s);
        return;
    }
    console.budget--;
    console.midline = byte != '\n';
    atomic_store_explicit(&s->shown, head + 1, memory_order_relaxed);
    uart_tx(byte);
    latch_release(&console.lock);
    atomic_thread_fence(memory_order_seq_cst); // as in console_release() and pump_starved()
    if (unlikely(atomic_load_explicit(&console.note, memory_order_relaxed) |
                 atomic_load_explicit(&s->starved, memory_order_relaxed)))
        console_push(s);
}

// All but the fast path. Lets go of the stream's lock.
static size_t __attribute__((noinline)) write_locked(struct stream *s, const uint8_t *bytes, size_t count)
{
    size_t taken = stream_put(s, bytes, count);
    bool watched = stream_watched(s);
    latch_release(&s->lock);
    if (watched)
        console_push(s);
    return taken;
}

// The fast path: one byte into a watched stream that has room.
size_t stream_write(struct stream *s, const uint8_t *bytes, size_t count)
{
    latch_acquire(&s->lock);
    uint32_t head = atomic_load_explicit(&s->head, memory_order_relaxed), size = s->size;
    uint32_t unshown = head - atomic_load_explicit(&s->shown, memory_order_acquire);
    if (unlikely(count != 1 || unshown >= size || atomic_load_explicit(&s->limit, memory_order_relaxed) != size))
        return write_locked(s, bytes, count);

    uint8_t byte = *bytes;
    s->ring[(size_t)(int32_t)head & s->mask] = byte; // the sign is masked out, and costs nothing
    atomic_store_explicit(&s->head, head + 1, memory_order_release);
    latch_release(&s->lock);
    push_byte(s, head, byte);
    return 1;
}

// The fence pairs with pump_starved()'s: either this sees the room that was made meanwhile, or the
// console sees that somebody waits.
bool stream_room_slow(struct stream *s)
{
    atomic_store_explicit(&s->starved, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t unshown =
        atomic_load_explicit(&s->head, memory_order_relaxed) - atomic_load_explicit(&s->shown, memory_order_relaxed);
    return unshown < atomic_load_explicit(&s->limit, memory_order_relaxed);
}

size_t stream_peek(struct stream *s, uint32_t *position, uint8_t *bytes, size_t size, uint32_t *end)
{
    size_t count = 0;

    latch_acquire(&s->lock);
    uint32_t head = s->head, kept = head < s->size ? head : s->size;
    if (head - *position > kept)
        *position = head - kept;
    for (uint32_t at = *position; at != head && count < size; at++)
        bytes[count++] = s->ring[at & s->mask];
    *end = head;
    latch_release(&s->lock);
    return count;
}

int stream_read(struct stream *s)
{
    int byte = -1;
    if (!stream_has_input(s))
        return byte;
    latch_acquire(&s->lock);
    uint32_t tail = atomic_load_explicit(&s->input_tail, memory_order_relaxed);
    if (tail != atomic_load_explicit(&s->input_head, memory_order_acquire)) {
        byte = s->input[tail % STREAM_INPUT_SIZE];
        atomic_store_explicit(&s->input_tail, tail + 1, memory_order_release);
    }
    latch_release(&s->lock);
    return byte;
}

bool stream_feed(struct stream *s, uint8_t byte)
{
    uint32_t head = atomic_load_explicit(&s->input_head, memory_order_relaxed);
    if (head - atomic_load_explicit(&s->input_tail, memory_order_acquire) >= STREAM_INPUT_SIZE)
        return false;
    s->input[head % STREAM_INPUT_SIZE] = byte;
    atomic_store_explicit(&s->input_head, head + 1, memory_order_release);
    return true;
}

void stream_watch(struct stream *s, bool watched)
{
    latch_acquire(&s->lock);
    atomic_store_explicit(&s->limit, watched ? s->size : s->size + 1, memory_order_relaxed);
    latch_release(&s->lock);
    s->scanned = s->shown;
    s->partial = s->flush = s->cut = s->carriage = false;
    s->filter = FILTER_TEXT;
    s->column = 0;
}

void stream_rewind(struct stream *s)
{
    latch_acquire(&s->lock);
    uint32_t shown = s->shown, kept = s->size - (s->head - shown), back = 0;
    while (back < kept && back < REWIND_MAX) {
        uint8_t byte = s->ring[(shown - back - 1) & s->mask];
        if (byte == '\n' || byte == 0)
            break;
        back++;
    }
    if (back < kept && back < REWIND_MAX)
        atomic_store_explicit(&s->shown, shown - back, memory_order_relaxed);
    latch_release(&s->lock);
}
