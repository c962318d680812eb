#include "vnet.h"

#include <string.h>

// --- transmitting ----------------------------------------------------------------------------------------

static bool is_unplugged(const struct vnet *n)
{
    return n->is_renamed || n->is_down;
}

// A frame that needs something done to it was promised to nobody; it is lost, as is one that is none.
static enum status frame_open(struct vnet *n)
{
    struct virtqueue_chain *c = &n->sent;
    struct frame *f = &n->frame;
    struct virtio_net_header header;

    *f = (struct frame){.from = &n->port, .chain = c, .space = n->device.space};
    n->is_open = true;
    if (c->read.left < sizeof(header) + sizeof(f->header))
        return STATUS_OK;
    f->length = c->read.left - (uint32_t)sizeof(header);
    enum status status = chain_read(c, n->device.space, &header, sizeof(header));
    if (status == STATUS_OK)
        status = chain_read(c, n->device.space, &f->header, sizeof(f->header));
    f->rest = c->read;
    if (status == STATUS_OK && (header.flags || header.gso_type || is_unplugged(n) || !vswitch_admit(f)))
        f->length = 0;
    return status;
}

// STATUS_NOT_FOUND: there is none, and we will be notified.
static enum status frame_next(struct vnet *n)
{
    enum status status = virtqueue_next(&n->queues[VIRTIO_NET_TRANSMIT].ring, n->device.space, &n->sent);
    return status == STATUS_OK ? frame_open(n) : status;
}

static enum status frame_close(struct vnet *n)
{
    struct virtio_count *count = &n->device.counts[VIRTIO_FROM_GUEST];

    n->is_open = false;
    count->requests += n->frame.length != 0;
    count->drops += n->frame.length == 0;
    count->bytes += n->frame.length;
    return virtqueue_return(&n->queues[VIRTIO_NET_TRANSMIT].ring, n->device.space, n->sent.head, 0);
}

// Takes it to one port. STATUS_BUSY: that can't be done now.
static enum status frame_step(struct vnet *n, uint32_t *budget)
{
    enum delivery delivery = n->frame.length ? vswitch_deliver(&n->frame) : DELIVERY_DONE;

    switch (delivery) {
    case DELIVERY_DONE:
        return frame_close(n);
    case DELIVERY_MADE:
        virtio_spend(budget, n->frame.length);
        break;
    case DELIVERY_BUSY:
        return STATUS_BUSY;
    default:
        break;
    }
    virtio_spend(budget, VIRTIO_REQUEST_BYTES);
    return STATUS_OK;
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
                virtio_pay(q, n->frame.length);
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

// A buffer that is too small comes back with nothing in it.
static enum status frame_put(struct vnet *n, struct frame *f, enum delivery *delivery)
{
    struct virtqueue *ring = &n->queues[VIRTIO_NET_RECEIVE].ring;
    const struct virtio_net_header header = {.num_buffers = 1};
    uint32_t bytes = (uint32_t)sizeof(header) + f->length;
    struct space *s = n->device.space;

    enum status status = virtqueue_take(ring, s, &n->received);
    if (status != STATUS_OK)
        return status;
    if (n->received.writable < bytes)
        return virtqueue_return(ring, s, n->received.head, 0);
    status = chain_write(&n->received, s, &header, sizeof(header));
    if (status == STATUS_OK)
        status = frame_write(f, &n->received, s);
    if (status == STATUS_OK)
        status = virtqueue_return(ring, s, n->received.head, bytes);
    if (status == STATUS_OK)
        *delivery = DELIVERY_MADE;
    return status;
}

// Nobody waits for who may not receive more now: that is lost.
static bool is_closed(struct vnet *n)
{
    return is_unplugged(n) || virtio_is_early(&n->queues[VIRTIO_NET_RECEIVE]);
}

static void received_count(struct virtio_count *count, uint32_t bytes)
{
    count->requests += bytes != 0;
    count->drops += bytes == 0;
    count->bytes += bytes;
}

static enum delivery receive(struct vswitch_port *p, struct frame *f)
{
    struct vnet *n = container_of(p, struct vnet, port);
    enum virtio_progress progress = virtio_begin(&n->device, VIRTIO_NET_RECEIVE);
    enum delivery delivery = progress == VIRTIO_MORE ? DELIVERY_BUSY : DELIVERY_DROPPED;

    if (progress != VIRTIO_IDLE)
        return delivery;
    enum status status = is_closed(n) ? STATUS_NOT_FOUND : frame_put(n, f, &delivery);
    if (delivery == DELIVERY_MADE)
        virtio_pay(&n->queues[VIRTIO_NET_RECEIVE], f->length);
    received_count(&n->device.counts[VIRTIO_TO_GUEST], delivery == DELIVERY_MADE ? f->length : 0);
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

static const struct virtio_class class = {.id = VIRTIO_ID_NET,
                                          .queue_count = 2,
                                          .queue_size = VIRTQUEUE_SIZE_MAX,
                                          .run = run,
                                          .reset = reset,
                                          .settle = settle};

void vnet_init(struct vnet *n, struct space *space)
{
    virtio_init(&n->device, &class, space, n->queues, VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS);
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
