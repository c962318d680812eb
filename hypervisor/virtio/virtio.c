#include "virtio.h"

#include <string.h>

#include "hart.h"

#define VENDOR 0x786f6964u // "diox"
#define STATUS_BITS                                                                                                    \
    (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK | VIRTIO_NEEDS_RESET | VIRTIO_FAILED)

#define COMMON_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

static void latch(struct lock *l)
{
    while (!lock_try(l))
        virtio_wait();
}

static uint32_t status_of(struct virtio_device *d)
{
    return atomic_load_explicit(&d->status, memory_order_acquire);
}

void virtio_init(struct virtio_device *d, const struct virtio_class *class, struct space *space,
                 struct virtio_queue *queues, uint64_t features)
{
    *d =
        (struct virtio_device){.class = class, .space = space, .queues = queues, .offered = features | COMMON_FEATURES};
    memset(queues, 0, class->queue_count * sizeof(*queues));
}

void virtio_adopt(struct virtio_device *d, struct space *space, struct virtio_queue *queues)
{
    d->space = space;
    d->queues = queues;
    d->lock = d->wishes = (struct lock){0};
    memset(d->counts, 0, sizeof(d->counts));
    for (unsigned i = 0; i < d->class->queue_count; i++)
        queues[i].lock = (struct lock){0};
}

// --- trouble ---------------------------------------------------------------------------------------------

// Section 2.1.2: nothing goes on until the driver resets it, and it is told if it listens already.
static void broken(struct virtio_device *d)
{
    uint32_t before = atomic_fetch_or(&d->status, VIRTIO_NEEDS_RESET);

    if (before & VIRTIO_DRIVER_OK && !(before & VIRTIO_NEEDS_RESET))
        atomic_fetch_or(&d->interrupts, VIRTIO_INTERRUPT_CONFIG);
}

void virtio_config_changed(struct virtio_device *d)
{
    d->config_generation++;
    if (status_of(d) & VIRTIO_DRIVER_OK)
        atomic_fetch_or(&d->interrupts, VIRTIO_INTERRUPT_CONFIG);
}

// --- the registers, under the device's lock --------------------------------------------------------------

static void queues_latch(struct virtio_device *d)
{
    for (unsigned i = 0; i < d->class->queue_count; i++)
        latch(&d->queues[i].lock);
}

static void queues_release(struct virtio_device *d)
{
    for (unsigned i = 0; i < d->class->queue_count; i++)
        lock_release(&d->queues[i].lock);
}

// Whoever works on a queue has finished its step then, and nobody begins another.
static void reset(struct virtio_device *d)
{
    queues_latch(d);
    atomic_store(&d->status, 0);
    if (d->class->reset)
        d->class->reset(d);
    for (unsigned i = 0; i < d->class->queue_count; i++)
        d->queues[i].ring = (struct virtqueue){0};
    d->accepted = 0;
    d->offered_select = d->accepted_select = d->queue_select = 0;
    atomic_store(&d->called, 0);
    atomic_store(&d->delayed, 0);
    atomic_store(&d->interrupts, 0);
    queues_release(d);
}

void virtio_reset(struct virtio_device *d)
{
    latch(&d->lock);
    reset(d);
    lock_release(&d->lock);
}

// The queue that is selected; NULL: there is none.
static struct virtio_queue *selected(struct virtio_device *d)
{
    return d->queue_select < d->class->queue_count ? &d->queues[d->queue_select] : NULL;
}

// Section 3.1.1, step 6: all it accepts was offered and goes together, and it is no driver of before version 1.
static bool features_fit(const struct virtio_device *d)
{
    return !(d->accepted & ~d->offered) && d->accepted & VIRTIO_F_VERSION_1 &&
           (!d->class->fits || d->class->fits(d->accepted));
}

// Bits are added, never taken away but by a reset (section 2.1.1).
static void status_write(struct virtio_device *d, uint32_t value)
{
    uint32_t before = status_of(d);

    if (!value) {
        reset(d);
        return;
    }
    value &= STATUS_BITS & ~VIRTIO_NEEDS_RESET;
    if (!features_fit(d))
        value &= ~(uint32_t)VIRTIO_FEATURES_OK;
    if (!((before | value) & VIRTIO_FEATURES_OK))
        value &= ~(uint32_t)VIRTIO_DRIVER_OK;
    atomic_fetch_or(&d->status, value);
    if (value & ~before & VIRTIO_DRIVER_OK)
        atomic_fetch_or(&d->called, (1u << d->class->queue_count) - 1);
}

static void features_write(struct virtio_device *d, uint32_t value)
{
    unsigned shift = 32 * d->accepted_select;

    if (status_of(d) & VIRTIO_FEATURES_OK)
        return;
    if (d->accepted_select < 2)
        d->accepted = (d->accepted & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
    else if (value) // none is offered there: it must not be accepted
        d->accepted |= ~d->offered;
}

static void ready_write(struct virtio_device *d, struct virtio_queue *q, bool ready)
{
    latch(&q->lock);
    q->ring.has_indirect = virtio_has(d, VIRTIO_F_INDIRECT_DESC);
    q->ring.has_event_index = virtio_has(d, VIRTIO_F_EVENT_IDX);
    if (!ready)
        virtqueue_stop(&q->ring);
    else if (!q->ring.ready &&
             (!(status_of(d) & VIRTIO_FEATURES_OK) || virtqueue_start(&q->ring, d->space) != STATUS_OK))
        broken(d);
    lock_release(&q->lock);
}

// Half of an address.
static void address_write(struct gpa *address, uint32_t offset, uint32_t value)
{
    if (offset & 4)
        address->value = (uint32_t)address->value | (uint64_t)value << 32;
    else
        address->value = (address->value & ~(uint64_t)UINT32_MAX) | value;
}

// Nothing of a queue changes while it is ready (section 4.2.2.2).
static void queue_write(struct virtio_device *d, uint32_t offset, uint32_t value)
{
    struct virtio_queue *q = selected(d);

    if (!q)
        return;
    if (offset == VIRTIO_QUEUE_READY)
        ready_write(d, q, value & 1);
    if (q->ring.ready)
        return;
    if (offset == VIRTIO_QUEUE_SIZE)
        q->ring.size = value <= d->class->queue_size ? (uint16_t)value : 0;
    else if (offset >= VIRTIO_QUEUE_USED)
        address_write(&q->ring.used, offset, value);
    else if (offset >= VIRTIO_QUEUE_AVAILABLE)
        address_write(&q->ring.available, offset, value);
    else if (offset >= VIRTIO_QUEUE_DESCRIPTORS)
        address_write(&q->ring.descriptors, offset, value);
}

static bool is_address(uint32_t offset)
{
    return offset >= VIRTIO_QUEUE_DESCRIPTORS && offset < VIRTIO_SHARED_MEMORY_LENGTH && (offset & 0xf) < 8;
}

static void register_write(struct virtio_device *d, uint32_t offset, uint32_t value)
{
    if (offset == VIRTIO_DEVICE_FEATURES_SELECT)
        d->offered_select = value;
    else if (offset == VIRTIO_DRIVER_FEATURES_SELECT)
        d->accepted_select = value;
    else if (offset == VIRTIO_DRIVER_FEATURES)
        features_write(d, value);
    else if (offset == VIRTIO_QUEUE_SELECT)
        d->queue_select = value;
    else if (offset == VIRTIO_STATUS)
        status_write(d, value);
    else if (offset == VIRTIO_QUEUE_SIZE || offset == VIRTIO_QUEUE_READY || is_address(offset))
        queue_write(d, offset, value);
}

static uint32_t register_read(struct virtio_device *d, uint32_t offset)
{
    struct virtio_queue *q = selected(d);

    switch (offset) {
    case VIRTIO_MAGIC_VALUE:
        return VIRTIO_MAGIC;
    case VIRTIO_VERSION:
        return 2;
    case VIRTIO_DEVICE_ID:
        return d->class->id;
    case VIRTIO_VENDOR_ID:
        return VENDOR;
    case VIRTIO_DEVICE_FEATURES:
        return d->offered_select < 2 ? (uint32_t)(d->offered >> 32 * d->offered_select) : 0;
    case VIRTIO_QUEUE_SIZE_MAX:
        return q ? d->class->queue_size : 0;
    case VIRTIO_QUEUE_READY:
        return q && q->ring.ready;
    case VIRTIO_STATUS:
        return status_of(d);
    case VIRTIO_CONFIG_GENERATION:
        return d->config_generation;
    default: // a shared memory region that does not exist has the length -1
        return offset >= VIRTIO_SHARED_MEMORY_LENGTH && offset < VIRTIO_SHARED_MEMORY_END ? UINT32_MAX : 0;
    }
}

// --- accesses --------------------------------------------------------------------------------------------

static uint64_t config_read(const struct virtio_device *d, uint32_t offset, unsigned bytes)
{
    uint64_t value = 0;

    if (offset < d->config_size)
        memcpy(&value, d->config + offset, offset + bytes <= d->config_size ? bytes : d->config_size - offset);
    return value;
}

uint64_t virtio_read(struct virtio_device *d, uint32_t offset, unsigned bytes)
{
    if (offset == VIRTIO_INTERRUPT_STATUS && bytes == 4)
        return atomic_load(&d->interrupts);
    if (offset < VIRTIO_CONFIG && bytes != 4)
        return 0;
    latch(&d->lock);
    uint64_t value = offset < VIRTIO_CONFIG ? register_read(d, offset) : config_read(d, offset - VIRTIO_CONFIG, bytes);
    lock_release(&d->lock);
    return value;
}

void virtio_write(struct virtio_device *d, uint32_t offset, unsigned bytes, uint64_t value)
{
    if (offset >= VIRTIO_CONFIG || bytes != 4) // no device has anything to write there
        return;
    if (offset == VIRTIO_QUEUE_NOTIFY) {
        if ((uint32_t)value < d->class->queue_count)
            virtio_call(d, (unsigned)value);
    } else if (offset == VIRTIO_INTERRUPT_ACK) {
        atomic_fetch_and(&d->interrupts, ~(uint32_t)value);
    } else {
        latch(&d->lock);
        register_write(d, offset, (uint32_t)value);
        lock_release(&d->lock);
    }
}

// --- settings --------------------------------------------------------------------------------------------

struct virtio_settings *virtio_settings_open(struct virtio_device *d)
{
    lock_acquire(&d->wishes);
    return &d->settings;
}

void virtio_settings_close(struct virtio_device *d, bool changed)
{
    if (changed)
        atomic_store(&d->is_unsettled, true);
    lock_release(&d->wishes);
}

// What has been waiting may be allowed now, or be answered otherwise.
void virtio_settle(struct virtio_device *d)
{
    latch(&d->lock);
    queues_latch(d);
    lock_acquire(&d->wishes);
    atomic_store(&d->is_unsettled, false);
    for (unsigned i = 0; i < d->class->queue_count; i++)
        rates_set(&d->queues[i].rates, d->settings.requests, d->settings.bytes);
    if (d->class->settle)
        d->class->settle(d);
    lock_release(&d->wishes);
    queues_release(d);
    lock_release(&d->lock);
    atomic_fetch_or(&d->called, (1u << d->class->queue_count) - 1);
}

// --- running ---------------------------------------------------------------------------------------------

static bool is_live(struct virtio_device *d, const struct virtio_queue *q)
{
    return (status_of(d) & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK && q->ring.ready;
}

enum virtio_progress virtio_begin(struct virtio_device *d, unsigned queue)
{
    struct virtio_queue *q = &d->queues[queue];

    if (!lock_try(&q->lock))
        return VIRTIO_MORE;
    if (is_live(d, q))
        return VIRTIO_IDLE;
    lock_release(&q->lock);
    return VIRTIO_BROKEN;
}

void virtio_end(struct virtio_device *d, unsigned queue, enum virtio_progress progress)
{
    struct virtio_queue *q = &d->queues[queue];

    if (progress == VIRTIO_BROKEN)
        broken(d);
    else if (virtqueue_wants_interrupt(&q->ring, d->space))
        atomic_fetch_or(&d->interrupts, VIRTIO_INTERRUPT_USED);
    lock_release(&q->lock);
}

static enum virtio_progress queue_run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    enum virtio_progress progress = virtio_begin(d, queue);

    if (progress == VIRTIO_BROKEN)
        return VIRTIO_IDLE;
    if (progress == VIRTIO_IDLE) {
        progress = d->class->run(d, queue, budget);
        if (progress == VIRTIO_LATER)
            atomic_fetch_or(&d->delayed, 1u << queue);
        virtio_end(d, queue, progress);
    }
    if (progress == VIRTIO_MORE)
        virtio_call(d, queue);
    return progress;
}

enum virtio_progress virtio_run(struct virtio_device *d, uint32_t budget)
{
    if (unlikely(atomic_load_explicit(&d->is_unsettled, memory_order_relaxed)))
        virtio_settle(d);

    uint32_t called = atomic_exchange(&d->called, 0);
    enum virtio_progress all = VIRTIO_IDLE;

    if (called & (called - 1)) // so that none of them takes all
        budget /= (uint32_t)__builtin_popcount(called);
    for (; called; called &= called - 1) {
        uint32_t part = budget;
        enum virtio_progress one = queue_run(d, called & 1 ? 0 : (unsigned)__builtin_ctz(called), &part);
        if (one > all)
            all = one;
    }
    return all;
}

bool virtio_is_early(struct virtio_queue *q)
{
    return rates_are_set(&q->rates) && !rates_allow(&q->rates, hart_time(), &q->later);
}

void virtio_pay(struct virtio_queue *q, uint64_t requests, uint64_t bytes)
{
    if (rates_are_set(&q->rates))
        rates_spend(&q->rates, hart_time(), requests, bytes);
}

enum virtio_progress virtio_hush(struct virtio_device *d, unsigned queue, enum virtio_progress otherwise)
{
    enum status status = virtqueue_hush(&d->queues[queue].ring, d->space);
    return status == STATUS_OK ? otherwise : virtio_progress_of(status);
}

uint64_t virtio_later(struct virtio_device *d)
{
    uint64_t first = UINT64_MAX;

    for (uint32_t delayed = atomic_load(&d->delayed); delayed; delayed &= delayed - 1) {
        struct virtio_queue *q = &d->queues[__builtin_ctz(delayed)];
        if (!lock_try(&q->lock))
            return 0;
        first = q->later < first ? q->later : first;
        lock_release(&q->lock);
    }
    return first;
}
