// A virtio device of a guest, behind registers as of VIRTIO 1.3, section 4.2.2 ("MMIO", version 2). What kind of
// device it is, is a `struct virtio_class` and a file of its own; this is what they have in common.
//
//      driver's writes of Status (section 3.1.1)
//      0 --> ACKNOWLEDGE, DRIVER --> FEATURES_OK --> DRIVER_OK: queues run ---> NEEDS_RESET: nothing runs
//      ^                                                |    a rule is broken       |
//      +------------------------ write of 0 ------------+---------------------------+
//
// Locks: `lock` guards the registers, each queue's `lock` the work on it, in that order, and queues in the order of
// their numbers. All are waited for with virtio_wait(), so that their holder may wait for other harts; so who asks
// for one holds none of the hypervisor's ordinary locks. A queue that somebody else works on is not waited for but
// left for later (virtio_run). `wishes` is an ordinary lock, under which only those of frames and disks are taken.
//
// What people change while a device is in use is left with it (its settings), and done by who runs it next.
#pragma once

#include "rate.h"
#include "virtio_mmio.h"
#include "virtqueue.h"

// VIRTIO_BASE + n * this.
#define VIRTIO_WINDOW 0x1000u
#define VIRTIO_CONFIG_MAX 64u

// What one step may do before others get the hart: copied bytes, and so many for each request. It takes some 10 us at
// 1 GHz. Between steps the hart takes its interrupts, so that is what a neighbour's timer may be late.
#define VIRTIO_STEP_BYTES 32768u
#define VIRTIO_REQUEST_BYTES 512u

// How a step on a queue went.
enum virtio_progress {
    VIRTIO_IDLE,  // nothing more to do until somebody calls: the driver, or what the device waits for
    VIRTIO_LATER, // there is more to do, at queue.later or when somebody calls
    VIRTIO_MORE,  // its budget is used up
    VIRTIO_BROKEN,
    VIRTIO_NO_MEMORY, // for a page of the guest's own: the capsule must end
};

// What a call on a queue or a chain makes of the step that it was part of.
static inline enum virtio_progress virtio_progress_of(enum status status)
{
    return status == STATUS_OK ? VIRTIO_IDLE : status == STATUS_NO_MEMORY ? VIRTIO_NO_MEMORY : VIRTIO_BROKEN;
}

struct virtio_device;

// What can be changed, as far as it means something to the kind of device.
struct virtio_settings {
    uint64_t requests, bytes; // a second, each way; 0: no limit
    bool is_out;              // a network's link is down, a disk is out of its drive
    uint64_t size;            // of a disk, 0: all there is; of a balloon
    void *medium;             // the kind's own
};

// What it has done; each way is counted under the lock of the queue that it goes through. Read by anybody.
struct virtio_count {
    uint64_t requests, bytes, errors, drops;
};
enum { VIRTIO_TO_GUEST, VIRTIO_FROM_GUEST, VIRTIO_WAYS };

struct virtio_queue {
    struct virtqueue ring;
    struct lock lock;
    struct rates rates; // of the device, so that a reset changes nothing
    uint64_t later;     // host time
};

// What kind of device it is. All functions are called with the queue's lock held, or, where no queue is named, all
// of them. They may write to guest memory (see virtqueue.h).
struct virtio_class {
    uint8_t id; // section 5
    uint8_t queue_count;
    uint8_t queue_size; // at most VIRTQUEUE_SIZE_MAX
    // Serves a queue until it is empty or the budget, in bytes, is used up, and subtracts what it took. May overdraw
    // by one request's VIRTIO_REQUEST_BYTES.
    enum virtio_progress (*run)(struct virtio_device *d, unsigned queue, uint32_t *budget);
    // Section 3.1.1, step 6: do the features that the driver has chosen of those offered go together? NULL: all do.
    bool (*fits)(uint64_t features);
    // Forgets all requests. Whatever still works on one elsewhere must not find it. NULL: there is nothing.
    void (*reset)(struct virtio_device *d);
    // Brings the device in line with its settings, `wishes` being held besides. NULL: it has none but its rates.
    void (*settle)(struct virtio_device *d);
};

struct virtio_device {
    const struct virtio_class *class;
    uint8_t slot; // of its capsule; virtio_init() leaves it 0
    struct space *space;
    struct virtio_queue *queues; // class->queue_count
    uint64_t offered;
    struct lock lock;
    uint64_t accepted;
    uint32_t offered_select, accepted_select, queue_select;
    uint8_t config_size;
    uint32_t config_generation;
    uint8_t config[VIRTIO_CONFIG_MAX]; // little-endian, as the driver reads it
    _Atomic uint32_t status;           // changed under `lock`, but for NEEDS_RESET
    _Atomic uint32_t interrupts;       // InterruptStatus
    _Atomic uint32_t called;           // bit n: queue n has something to do
    _Atomic uint32_t delayed;          // ... or will have when its rate allows it
    struct lock wishes;
    struct virtio_settings settings; // under `wishes`
    _Atomic bool is_unsettled;       // they have changed
    struct virtio_count counts[VIRTIO_WAYS];
};

// Power-on state. `queues` has class->queue_count; `features` are the class's own. Sets no configuration.
void virtio_init(struct virtio_device *d, const struct virtio_class *class, struct space *space,
                 struct virtio_queue *queues, uint64_t features);
// The device becomes one of a clone whose registers were copied with everything else while nobody used it.
void virtio_adopt(struct virtio_device *d, struct space *space, struct virtio_queue *queues);
// As the driver's write of 0 to Status.
void virtio_reset(struct virtio_device *d);

// An access of 1, 2, 4 or 8 bytes, naturally aligned. Registers take 4 (section 4.2.2.2); others, and what does not
// exist, read 0 and ignore writes. The configuration takes all. After a write the caller runs what is `called`.
uint64_t virtio_read(struct virtio_device *d, uint32_t offset, unsigned bytes);
void virtio_write(struct virtio_device *d, uint32_t offset, unsigned bytes, uint64_t value);

// One step on the queues that are called. VIRTIO_MORE: call it again, later; also if somebody else is at work there.
// VIRTIO_LATER: resume it and call it again at virtio_later().
enum virtio_progress virtio_run(struct virtio_device *d, uint32_t budget);
// The host time at which the first of the queues that were delayed may go on; 0 if somebody is at work there.
uint64_t virtio_later(struct virtio_device *d);
// Queues that were delayed are called.
static inline void virtio_resume(struct virtio_device *d)
{
    uint32_t delayed = atomic_exchange(&d->delayed, 0);
    atomic_fetch_or(&d->called, delayed);
}
// From any hart: queue n has something to do, as what it waited for is there. Somebody has to run it then.
static inline void virtio_call(struct virtio_device *d, unsigned queue)
{
    atomic_fetch_or(&d->called, 1u << queue);
}

// For who has something for a queue that did not come from its driver: VIRTIO_IDLE: it is the caller's until
// virtio_end(), which takes how it went; VIRTIO_MORE: somebody is at work there; VIRTIO_BROKEN: its driver does not use
// it. Waits for nobody.
must_check enum virtio_progress virtio_begin(struct virtio_device *d, unsigned queue);
void virtio_end(struct virtio_device *d, unsigned queue, enum virtio_progress progress);

// What a class's run() does with its budget, its queue's rates, and notifications. A step's work is counted in bytes:
static inline void virtio_spend(uint32_t *budget, uint32_t bytes)
{
    *budget -= bytes < *budget ? bytes : *budget;
}
// Has the next request to wait (VIRTIO_LATER) until those before are paid for? queue->later is set then.
bool virtio_is_early(struct virtio_queue *q);
// Requests have begun, of so many bytes in all: they are paid for.
void virtio_pay(struct virtio_queue *q, uint64_t requests, uint64_t bytes);
// As virtqueue_hush(). How the step went, then: `otherwise`, unless that failed.
enum virtio_progress virtio_hush(struct virtio_device *d, unsigned queue, enum virtio_progress otherwise);

// The settings, to be read and changed until they are closed. From any hart, under whatever locks but those below
// `wishes`. What was changed is settled when the device runs next: the caller has it run; or, if nobody uses the
// device, settles it.
struct virtio_settings *virtio_settings_open(struct virtio_device *d);
void virtio_settings_close(struct virtio_device *d, bool changed);
void virtio_settle(struct virtio_device *d);
// A number that one hart counts up, as another reads it: it has two halves on RV32, so until it stands still. It is
// counted too slowly to go on for long.
static inline uint64_t virtio_counted(const uint64_t *count)
{
    const volatile uint64_t *at = count;
    uint64_t before, after = *at;

    do {
        before = after;
        after = *at;
    } while (sizeof(uintptr_t) < sizeof(uint64_t) && before != after);
    return after;
}

// The level of its interrupt line.
static inline bool virtio_irq(struct virtio_device *d)
{
    return atomic_load(&d->interrupts) != 0;
}
// The configuration has changed (under d->lock): the driver is told.
void virtio_config_changed(struct virtio_device *d);
// Was the bit offered and accepted?
static inline bool virtio_has(const struct virtio_device *d, uint64_t feature)
{
    return d->accepted & feature;
}

// Given by the layer that knows vcores. What to do, again and again, while another hart has the lock (guest/fence.c):
void virtio_wait(void);
// From any hart, for a device that is there until the call returns: what it is called for (virtio_call) is done soon.
void virtio_wake(struct virtio_device *d);
// For a step's time, of a device whose capsule's memory is `own`: the other device's capsule stays, with its memory
// (guest/slots.c). False: it does not run. Waits for nobody. At the end its interrupt line is brought up to date, and
// it is made to end if its memory was `exhausted`.
must_check bool virtio_visit(struct virtio_device *other, const struct space *own);
void virtio_visit_end(struct virtio_device *other, const struct space *own, bool exhausted);
