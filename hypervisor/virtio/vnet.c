#include "vnet.h"

#include <string.h>

// --- transmitting ----------------------------------------------------------------------------------------

static bool is_unplugged(const struct vnet *n)
{
    return n->is_renamed || n->is_down;
}

static bool is_sendable(struct vnet *n)
{
    return !is_unplugged(n) && vswitch_admit(&n->frame);
}

// One that is none, or asks for what was not agreed on, is lost.
static enum status frame_open(struct vnet *n)
{
    struct virtqueue_chain *c = &n->sent;
    struct frame *f = &n->frame;
    struct virtio_net_header header;

    *f = (struct frame){.from = &n->port, .chain = c, .space = n->device.space};
    n->is_open = true;
    if (c->read.left < sizeof(header))
        return STATUS_OK;
    enum status status = chain_read(c, n->device.space, &header, sizeof(header));
    if (status != STATUS_OK)
        return status;
    f->length = c->read.left;
    f->start = c->read;
    status = frame_begin(f, &header, n->device.accepted);
    if (status == STATUS_INVALID || (status == STATUS_OK && !is_sendable(n)))
        f->length = 0;
    return status == STATUS_INVALID ? STATUS_OK : status;
}

// STATUS_NOT_FOUND: there is none, and we will be notified.
static enum status frame_next(struct vnet *n)
{
    enum status status = virtqueue_next(&n->queues[VIRTIO_NET_TRANSMIT].ring, n->device.space, &n->sent);
    return status == STATUS_OK ? frame_open(n) : status;
}

static uint32_t sent_packets(const struct frame *f)
{
    return frame_packets(f, f->length - f->head_bytes);
}

static uint32_t sent_bytes(const struct frame *f)
{
    return frame_wire_bytes(f, f->length - f->head_bytes);
}

static enum status frame_close(struct vnet *n)
{
    struct virtio_count *count = &n->device.counts[VIRTIO_FROM_GUEST];

    n->is_open = false;
    if (n->frame.length) {
        count->requests += sent_packets(&n->frame);
        count->bytes += sent_bytes(&n->frame);
    } else {
        count->drops++;
    }
    return virtqueue_return(&n->queues[VIRTIO_NET_TRANSMIT].ring, n->device.space, n->sent.head, 0);
}

// Takes it, or a piece of it, to one port. STATUS_BUSY: that can't be done now.
static enum status frame_step(struct vnet *n, uint32_t *budget)
{
    n->frame.budget = *budget;
    n->frame.spent = 0;
    enum delivery delivery = n->frame.length ? vswitch_deliver(&n->frame) : DELIVERY_DONE;

    switch (delivery) {
    case DELIVERY_DONE:
        return frame_close(n);
    case DELIVERY_BUSY:
        return STATUS_BUSY;
    default:
        virtio_spend(budget, VIRTIO_REQUEST_BYTES + n->frame.spent);
        return STATUS_OK;
    }
}

static void frame_pay(struct vnet *n, struct virtio_queue *q)
{
    if (n->frame.length)
        virtio_pay(q, sent_packets(&n->frame), sent_bytes(&n->frame));
    else
        virtio_pay(q, 1, 0);
}

static enum virtio_progress transmit(struct vnet *n, uint32_t *budget)
{
    struct virtio_queue *q = &n->queues[VIRTIO_NET_TRANSMIT];

    while (*budget) {
        enum status status;
        if (n->is_open) {
            status = frame_step(n, budget);
        } else {
            if (virtio_is_early(q))
                return virtio_hush(&n->device, VIRTIO_NET_TRANSMIT, VIRTIO_LATER);
            virtio_spend(budget, VIRTIO_REQUEST_BYTES);
            status = frame_next(n);
            if (status == STATUS_OK)
                frame_pay(n, q);
        }
        if (status == STATUS_NOT_FOUND)
            return VIRTIO_IDLE;
        if (status == STATUS_BUSY)
            break;
        if (status != STATUS_OK)
            return virtio_progress_of(status);
    }
    return virtio_hush(&n->device, VIRTIO_NET_TRANSMIT, VIRTIO_MORE);
}

// Nobody needs to know of buffers to receive into before a frame comes.
static enum virtio_progress run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    struct vnet *n = container_of(d, struct vnet, device);
    return queue == VIRTIO_NET_TRANSMIT ? transmit(n, budget) : virtio_hush(d, queue, VIRTIO_IDLE);
}

// --- receiving -------------------------------------------------------------------------------------------

static bool enter(struct vswitch_port *p, const struct frame *f)
{
    return virtio_visit(&container_of(p, struct vnet, port)->device, f->space);
}

#define BUFFER_BYTES 64u // of the budget, for each that is looked at

// As many buffers as it takes: one, unless the driver has them filled as one (section 5.1.6.4). Errors as of
// virtqueue_take_more(), with some of them taken.
static enum status buffers_take(struct vnet *n, uint32_t bytes)
{
    struct virtqueue *ring = &n->queues[VIRTIO_NET_RECEIVE].ring;
    struct virtqueue_chain *c = &n->received;
    uint32_t before = 0;

    n->buffer_count = 0;
    do {
        enum status status =
            before ? virtqueue_take_more(ring, n->device.space, c) : virtqueue_take(ring, n->device.space, c);
        if (status != STATUS_OK)
            return status;
        n->buffers[n->buffer_count++] = (struct virtio_used){c->head, c->writable - before};
        before = c->writable;
    } while (before && before < bytes && virtio_has(&n->device, VIRTIO_NET_F_MRG_RXBUF));
    return STATUS_OK;
}

static enum status buffers_return(struct vnet *n, uint32_t bytes)
{
    n->buffers[n->buffer_count - 1].written -= n->received.writable - bytes;
    return virtqueue_return_all(&n->queues[VIRTIO_NET_RECEIVE].ring, n->device.space, n->buffers, n->buffer_count);
}

static enum status piece_write(struct vnet *n, struct frame *f, struct frame_piece *p)
{
    p->header.num_buffers = (uint16_t)n->buffer_count;
    enum status status = frame_fill(f, p);
    if (status == STATUS_OK)
        status = chain_write(&n->received, n->device.space, &p->header, sizeof(p->header));
    if (status == STATUS_OK)
        status = frame_write(f, p, &n->received, n->device.space);
    return status;
}

// A buffer that is too small comes back with nothing in it; those that are together stay for what is shorter.
static enum status piece_put(struct vnet *n, struct frame *f, struct frame_piece *p, enum delivery *delivery)
{
    struct virtqueue *ring = &n->queues[VIRTIO_NET_RECEIVE].ring;
    uint32_t bytes = (uint32_t)sizeof(p->header) + piece_length(p);

    enum status status = buffers_take(n, bytes);
    f->spent += n->buffer_count * BUFFER_BYTES;
    if (status == STATUS_NOT_FOUND || status == STATUS_BUSY) {
        virtqueue_untake(ring, n->buffer_count);
        return STATUS_NOT_FOUND;
    }
    if (status != STATUS_OK)
        return status;
    if (n->received.writable < bytes)
        return virtqueue_return(ring, n->device.space, n->received.head, 0);
    status = piece_write(n, f, p);
    if (status == STATUS_OK)
        status = buffers_return(n, bytes);
    if (status == STATUS_OK)
        *delivery = DELIVERY_MADE;
    return status;
}

// Nobody waits for who may not receive more now: that is lost.
static bool is_closed(struct vnet *n)
{
    return is_unplugged(n) || virtio_is_early(&n->queues[VIRTIO_NET_RECEIVE]);
}

static void received_count(struct vnet *n, const struct frame *f, const struct frame_piece *p)
{
    struct virtio_count *count = &n->device.counts[VIRTIO_TO_GUEST];
    uint64_t bytes = frame_wire_bytes(f, p->bytes);

    virtio_pay(&n->queues[VIRTIO_NET_RECEIVE], p->packets, bytes);
    count->requests += p->packets;
    count->bytes += bytes;
}

static enum delivery receive(struct vswitch_port *p, struct frame *f)
{
    struct vnet *n = container_of(p, struct vnet, port);
    enum virtio_progress progress = virtio_begin(&n->device, VIRTIO_NET_RECEIVE);
    enum delivery delivery = progress == VIRTIO_MORE ? DELIVERY_BUSY : DELIVERY_DROPPED;
    enum status status = STATUS_NOT_FOUND;
    struct frame_piece piece;

    if (progress != VIRTIO_IDLE)
        return delivery;
    if (!is_closed(n) && frame_cut(f, n->device.accepted, &piece) == STATUS_OK)
        status = piece_put(n, f, &piece, &delivery);
    if (delivery == DELIVERY_MADE) {
        received_count(n, f, &piece);
        frame_pass(f, &piece);
    } else {
        n->device.counts[VIRTIO_TO_GUEST].drops += frame_packets(f, frame_rest(f));
    }
    virtio_end(&n->device, VIRTIO_NET_RECEIVE, status == STATUS_NOT_FOUND ? VIRTIO_IDLE : virtio_progress_of(status));
    return status == STATUS_NO_MEMORY ? DELIVERY_ENDING : delivery;
}

static void leave(struct vswitch_port *p, const struct frame *f, enum delivery delivery)
{
    virtio_visit_end(&container_of(p, struct vnet, port)->device, f->space, delivery == DELIVERY_ENDING);
}

static void cut(struct vswitch_port *p)
{
    struct virtio_device *d = &container_of(p, struct vnet, port)->device;

    atomic_store(&d->is_unsettled, true);
    virtio_wake(d);
}

static const struct port_class port_class = {enter, receive, leave, cut};

// --- the device ------------------------------------------------------------------------------------------

static void config_set(struct vnet *n)
{
    struct virtio_net_config config = {.status = is_unplugged(n) ? 0 : VIRTIO_NET_LINK_UP};

    memcpy(config.mac, n->port.address, sizeof(config.mac));
    memcpy(n->device.config, &config, sizeof(config));
    n->device.config_size = sizeof(config);
}

static void reset(struct virtio_device *d)
{
    struct vnet *n = container_of(d, struct vnet, device);

    n->is_open = false;
    n->is_renamed = false;
    config_set(n);
}

static void settle(struct virtio_device *d)
{
    struct vnet *n = container_of(d, struct vnet, device);
    bool was_unplugged = is_unplugged(n);

    n->is_down = d->settings.is_out || (n->port.on && vswitch_is_cut(n->port.on));
    if (is_unplugged(n) == was_unplugged)
        return;
    config_set(n);
    virtio_config_changed(d);
}

#define HOST_TSO (VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6)
#define GUEST_TSO (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6)
#define FEATURES                                                                                                       \
    (VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM |   \
     HOST_TSO | VIRTIO_NET_F_HOST_ECN | GUEST_TSO | VIRTIO_NET_F_GUEST_ECN)

// Section 5.1.3.1: who has one of the first has one of the second.
static const uint32_t requirements[][2] = {
    {GUEST_TSO, VIRTIO_NET_F_GUEST_CSUM},
    {VIRTIO_NET_F_GUEST_ECN, GUEST_TSO},
    {HOST_TSO, VIRTIO_NET_F_CSUM},
    {VIRTIO_NET_F_HOST_ECN, HOST_TSO},
};

static bool fits(uint64_t features)
{
    for (unsigned i = 0; i < array_length(requirements); i++)
        if (features & requirements[i][0] && !(features & requirements[i][1]))
            return false;
    return true;
}

static const struct virtio_class class = {.id = VIRTIO_ID_NET,
                                          .queue_count = 2,
                                          .queue_size = VIRTQUEUE_SIZE_MAX,
                                          .run = run,
                                          .fits = fits,
                                          .reset = reset,
                                          .settle = settle};

void vnet_init(struct vnet *n, struct space *space)
{
    virtio_init(&n->device, &class, space, n->queues, FEATURES);
    n->port.class = &port_class;
    config_set(n);
}

void vnet_adopt(struct vnet *n, const struct vnet *from, struct space *space)
{
    struct vswitch_port port = n->port;

    *n = *from;
    n->port = port;
    n->frame.length = 0; // what was on its way goes on from the original
    n->is_renamed = true;
    virtio_adopt(&n->device, space, n->queues);
    config_set(n);
    virtio_config_changed(&n->device);
}
