#include "virtio_nic.h"

#include <stdatomic.h>
#include <string.h>

#include "frames.h"

// Descriptor n is always of buffer n, and what goes round is their numbers.
#define QUEUE_SIZE 64u // a long frame is 45 of ours
#define BUFFER_SIZE 2048u
#define BUFFERS_ORDER 5u // of one queue, in frames
_Static_assert(QUEUE_SIZE *BUFFER_SIZE == FRAME_SIZE << BUFFERS_ORDER, "as many");
_Static_assert(sizeof(struct virtio_net_header) + NIC_FRAME_MAX <= BUFFER_SIZE, "each holds a frame");

// What the device reads and writes, both queues in one frame.
struct ring {
    struct virtio_descriptor descriptors[QUEUE_SIZE];
    _Atomic uint16_t available_flags, available_index;
    uint16_t available[QUEUE_SIZE], used_event;
    uint16_t used_flags __attribute__((aligned(4)));
    _Atomic uint16_t used_index;
    struct virtio_used used[QUEUE_SIZE];
    uint16_t available_event __attribute__((aligned(16)));
};
_Static_assert(2 * sizeof(struct ring) <= FRAME_SIZE, "they must fit");

struct queue {
    struct ring *ring;
    uint8_t *buffers;
    uint16_t seen; // entries of `used`
};

static struct virtio_nic {
    struct nic nic;
    uintptr_t base;
    struct queue rx, tx;
    uint16_t free[QUEUE_SIZE]; // buffers to send from
    unsigned free_count;
    bool has_status;
} the_nic;

static struct virtio_nic *of(struct nic *n)
{
    return container_of(n, struct virtio_nic, nic);
}

static uint8_t *buffer(const struct queue *q, unsigned n)
{
    return q->buffers + BUFFER_SIZE * n;
}

static void give(struct queue *q, unsigned n)
{
    uint16_t index = atomic_load_explicit(&q->ring->available_index, memory_order_relaxed);

    q->ring->available[index % QUEUE_SIZE] = (uint16_t)n;
    atomic_store_explicit(&q->ring->available_index, (uint16_t)(index + 1), memory_order_release);
}

static bool is_returned(const struct queue *q)
{
    return atomic_load_explicit(&q->ring->used_index, memory_order_acquire) != q->seen;
}

// --- sending -------------------------------------------------------------------------------------------------

// The device is believed no more than it must be: what it can't have had is passed over.
static void sent_collect(struct virtio_nic *v)
{
    while (is_returned(&v->tx)) {
        uint32_t n = v->tx.ring->used[v->tx.seen++ % QUEUE_SIZE].head;
        if (n < QUEUE_SIZE && v->free_count < QUEUE_SIZE)
            v->free[v->free_count++] = (uint16_t)n;
    }
}

static uint8_t *room(struct nic *n)
{
    struct virtio_nic *v = of(n);

    sent_collect(v);
    return v->free_count ? buffer(&v->tx, v->free[v->free_count - 1]) + sizeof(struct virtio_net_header) : NULL;
}

static void send(struct nic *n, uint32_t bytes)
{
    struct virtio_nic *v = of(n);
    unsigned which = v->free[--v->free_count];

    memset(buffer(&v->tx, which), 0, sizeof(struct virtio_net_header));
    v->tx.ring->descriptors[which].length = (uint32_t)sizeof(struct virtio_net_header) + bytes;
    give(&v->tx, which);
    virtio_slot_set(v->base, VIRTIO_QUEUE_NOTIFY, VIRTIO_NET_TRANSMIT); // no earlier than what was written (io.h)
}

// --- receiving -----------------------------------------------------------------------------------------------

static struct virtio_used returned(const struct queue *q)
{
    struct virtio_used used = q->ring->used[q->seen % QUEUE_SIZE];
    used.head %= QUEUE_SIZE;
    return used;
}

static const uint8_t *first(struct nic *n, uint32_t *bytes)
{
    struct virtio_nic *v = of(n);

    if (!is_returned(&v->rx))
        return NULL;
    struct virtio_used used = returned(&v->rx);
    bool is_frame = used.written >= sizeof(struct virtio_net_header) && used.written <= BUFFER_SIZE;
    *bytes = is_frame ? used.written - (uint32_t)sizeof(struct virtio_net_header) : 0;
    return buffer(&v->rx, used.head) + sizeof(struct virtio_net_header);
}

static void pass(struct nic *n)
{
    struct virtio_nic *v = of(n);

    give(&v->rx, returned(&v->rx).head);
    v->rx.seen++;
    virtio_slot_set(v->base, VIRTIO_QUEUE_NOTIFY, VIRTIO_NET_RECEIVE);
}

// It has been told before we look, as it has written before it looks (section 2.7.7).
static bool listen(struct nic *n, bool on)
{
    struct virtio_nic *v = of(n);

    atomic_store(&v->rx.ring->available_flags, on ? 0 : VIRTIO_AVAILABLE_NO_INTERRUPT);
    atomic_thread_fence(memory_order_seq_cst);
    return is_returned(&v->rx);
}

static bool acknowledge(struct nic *n)
{
    return virtio_slot_acknowledge(of(n)->base);
}

static bool is_up(struct nic *n)
{
    const struct virtio_nic *v = of(n);
    // Section 5.1.4: the half-word after the address.
    return !v->has_status || virtio_slot_get(v->base, VIRTIO_CONFIG + 4) >> 16 & VIRTIO_NET_LINK_UP;
}

static const struct nic_driver driver = {room, send, first, pass, listen, acknowledge, is_up};

// --- starting ------------------------------------------------------------------------------------------------

static bool memory_get(struct virtio_nic *v)
{
    struct hpa rings, rx, tx;

    if (frames_allocate(0, FRAMES_OWNER_HYPERVISOR, &rings) != STATUS_OK ||
        frames_allocate(BUFFERS_ORDER, FRAMES_OWNER_HYPERVISOR, &rx) != STATUS_OK ||
        frames_allocate(BUFFERS_ORDER, FRAMES_OWNER_HYPERVISOR, &tx) != STATUS_OK)
        return false;
    v->rx = (struct queue){.ring = memset(hpa_pointer(rings), 0, FRAME_SIZE), .buffers = hpa_pointer(rx)};
    v->tx = (struct queue){.ring = v->rx.ring + 1, .buffers = hpa_pointer(tx)};
    return true;
}

static void descriptors_set(struct queue *q, uint16_t flags)
{
    for (unsigned i = 0; i < QUEUE_SIZE; i++)
        q->ring->descriptors[i] = (struct virtio_descriptor){hpa_of(buffer(q, i)).value, BUFFER_SIZE, flags, 0};
}

static bool queue_start(const struct virtio_nic *v, unsigned number, const struct queue *q)
{
    const void *const places[] = {q->ring->descriptors, &q->ring->available_flags, &q->ring->used_flags};
    return virtio_slot_queue(v->base, number, QUEUE_SIZE, places);
}

static const char *start(struct virtio_nic *v)
{
    uint64_t features = VIRTIO_F_VERSION_1 | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS;
    const char *problem = virtio_slot_negotiate(v->base, &features);

    if (problem)
        return problem;
    v->has_status = features & VIRTIO_NET_F_STATUS;
    if (!memory_get(v))
        return "the hypervisor's own memory is exhausted";
    descriptors_set(&v->rx, VIRTIO_DESCRIPTOR_WRITE);
    descriptors_set(&v->tx, 0);
    atomic_store(&v->tx.ring->available_flags, VIRTIO_AVAILABLE_NO_INTERRUPT);
    if (!queue_start(v, VIRTIO_NET_RECEIVE, &v->rx) || !queue_start(v, VIRTIO_NET_TRANSMIT, &v->tx))
        return "its queues are too short";
    virtio_slot_go(v->base);
    for (unsigned i = 0; i < QUEUE_SIZE; i++) {
        v->free[v->free_count++] = (uint16_t)i;
        give(&v->rx, i);
    }
    virtio_slot_set(v->base, VIRTIO_QUEUE_NOTIFY, VIRTIO_NET_RECEIVE);
    uint32_t low = virtio_slot_get(v->base, VIRTIO_CONFIG), high = virtio_slot_get(v->base, VIRTIO_CONFIG + 4);
    memcpy(v->nic.address, &low, 4);
    memcpy(v->nic.address + 4, &high, 2);
    v->nic.driver = &driver;
    return NULL;
}

struct nic *nic_first;

void virtio_nic_probe(const struct virtio_slot *slot, const char **problem)
{
    *problem = NULL;
    if (nic_first || !virtio_slot_holds(slot, VIRTIO_ID_NET, problem))
        return;
    the_nic = (struct virtio_nic){.base = slot->base, .nic.irq = slot->irq};
    *problem = start(&the_nic);
    if (*problem)
        virtio_slot_fail(slot->base);
    else
        nic_first = &the_nic.nic;
}
