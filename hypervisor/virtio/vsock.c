#include "vsock.h"

#include <string.h>

#include "hart.h"
#include "vsock_parts.h"

#define PACKET_STEP VIRTIO_STEP_BYTES // bytes that are moved at once

static uint64_t stall_limit; // ticks
#define LOOKS_A_SECOND 200u  // at what it waits for
static uint64_t look_again;  // until then, ticks

void vsocks_init(uint32_t timebase_hz)
{
    stall_limit = (uint64_t)timebase_hz * VSOCK_STALL_SECONDS;
    look_again = timebase_hz / LOOKS_A_SECOND + 1;
    vsock_host_init();
}

// --- peers ---------------------------------------------------------------------------------------------------

// With the receive queue's lock held.
static enum status buffer_take(struct vsock *v)
{
    return virtqueue_next(&v->queues[VIRTIO_VSOCK_RECEIVE].ring, v->device.space, &v->received);
}

// The chain that was taken gets header and bytes, from `from` or else from the sender's chain, as many as it has room
// for. A buffer without room for a header breaks the rules.
static enum status buffer_fill(struct vsock *v, struct virtio_vsock_header *h, struct vsock *sender, const void *from)
{
    struct virtqueue_chain *c = &v->received;
    struct space *s = v->device.space;

    if (c->writable < sizeof(*h) + (h->len != 0))
        return STATUS_INVALID;
    if (h->len > c->writable - sizeof(*h))
        h->len = c->writable - (uint32_t)sizeof(*h);
    enum status status = chain_write(c, s, h, sizeof(*h));
    if (status == STATUS_OK && h->len)
        status = from ? chain_write(c, s, from, h->len) : chain_move(c, s, &sender->sent, sender->device.space, h->len);
    return status == STATUS_OK
               ? virtqueue_return(&v->queues[VIRTIO_VSOCK_RECEIVE].ring, s, c->head, (uint32_t)sizeof(*h) + h->len)
               : status;
}

enum status vsock_tell(struct vsock *v, struct virtio_vsock_header *h, const void *bytes, uint32_t *count)
{
    enum status status = buffer_take(v);

    h->len = *count;
    if (status == STATUS_OK)
        status = buffer_fill(v, h, NULL, bytes);
    *count = h->len;
    return status;
}

// With its receive queue ours; *status: how that went.
static enum vsock_step peer_give(struct vsock *v, struct vsock *peer, enum status *status)
{
    struct virtio_vsock_header h = v->header;

    h.len = v->left < PACKET_STEP ? v->left : PACKET_STEP;
    *status = buffer_take(peer);
    if (*status == STATUS_NOT_FOUND) {
        vsock_wait_for(peer, v);
        *status = buffer_take(peer); // one that came before we waited
    }
    if (*status == STATUS_NOT_FOUND) {
        *status = STATUS_OK;
        return PACKET_STALLED;
    }
    if (*status == STATUS_OK)
        *status = buffer_fill(peer, &h, v, NULL);
    v->left -= *status == STATUS_OK ? h.len : v->left;
    return v->left ? PACKET_PART : PACKET_DONE;
}

// A peer whose driver broke a rule, or which has no memory left, is over; that is between it and its device.
static enum vsock_step peer_deliver(struct vsock *v, struct vsock *peer, const struct vsock_link *link)
{
    enum virtio_progress progress = virtio_begin(&peer->device, VIRTIO_VSOCK_RECEIVE);
    enum status status = STATUS_OK;
    enum vsock_step step = PACKET_BUSY;

    if (progress == VIRTIO_IDLE) {
        step = peer_give(v, peer, &status);
        virtio_end(&peer->device, VIRTIO_VSOCK_RECEIVE, virtio_progress_of(status));
    }
    if (progress == VIRTIO_BROKEN || status != STATUS_OK) {
        step = PACKET_DONE;
        vsock_owe(v, *link);
    }
    virtio_visit_end(&peer->device, v->device.space, status == STATUS_NO_MEMORY);
    return step;
}

// A new connection, if there is room for it at both ends.
static bool peer_connect(struct vsock *v, struct vsock *peer, struct vsock_link *link)
{
    link->state = LINK_OPEN;
    struct vsock_link turned = vsock_link_turned(v, link);

    if (!vsock_link_set(v, link))
        return false;
    if (vsock_link_set(peer, &turned))
        return true;
    vsock_owe(v, *link);
    return false;
}

static enum vsock_step peer_end(struct vsock *v, struct vsock_link link, bool tells_us)
{
    if (tells_us)
        vsock_owe(v, link);
    else
        vsock_forget(v, link);
    if (link.state == LINK_OPEN)
        vsock_peer_lost(v, &link);
    return PACKET_DONE;
}

static enum vsock_step peer_step(struct vsock *v, struct vsock_link link)
{
    bool is_request = v->header.op == VIRTIO_VSOCK_REQUEST, is_held;

    if (v->header.op == VIRTIO_VSOCK_RST)
        return peer_end(v, link, false);
    if (link.state == LINK_FREE && !is_request)
        return peer_end(v, link, true);
    if (link.state == LINK_OWED)
        return PACKET_DONE;
    struct vsock *peer = vsock_peer_enter(v, link.cid, &is_held);
    if (!peer && is_held && link.state == LINK_OPEN)
        return PACKET_STALLED;
    if (!peer)
        return peer_end(v, link, true);
    if (link.state == LINK_FREE && !peer_connect(v, peer, &link)) {
        virtio_visit_end(&peer->device, v->device.space, false);
        return PACKET_DONE;
    }
    return peer_deliver(v, peer, &link);
}

// --- transmitting --------------------------------------------------------------------------------------------

static enum vsock_step packet_step(struct vsock *v)
{
    const struct virtio_vsock_header *h = &v->header;
    struct vsock_link name = {.port = h->src_port, .cid = (uint32_t)h->dst_cid, .other = h->dst_port, .type = h->type};

    if (h->op < VIRTIO_VSOCK_REQUEST || h->op > VIRTIO_VSOCK_CREDIT_REQUEST)
        return PACKET_DONE;
    name = vsock_link_get(v, &name);
    if (h->type != VIRTIO_VSOCK_STREAM)
        return name.state == LINK_FREE ? peer_end(v, name, h->op != VIRTIO_VSOCK_RST) : PACKET_DONE;
    return name.cid == VSOCK_HOST ? vsock_host_hear(v, &name) : peer_step(v, name);
}

// A receiver that has no buffer for too long.
static enum vsock_step patience(struct vsock *v, enum vsock_step step)
{
    struct vsock_link name = {
        .port = v->header.src_port, .cid = (uint32_t)v->header.dst_cid, .other = v->header.dst_port};
    uint64_t now = hart_time();

    if (step != PACKET_STALLED) {
        v->stalled_since = step == PACKET_BUSY ? v->stalled_since : 0;
        return step;
    }
    if (!v->stalled_since)
        v->stalled_since = now + !now;
    if (now - v->stalled_since < stall_limit)
        return step;
    v->stalled_since = 0;
    return peer_end(v, vsock_link_get(v, &name), true);
}

// One that is none, or from or to nobody, goes nowhere.
static enum status packet_open(struct vsock *v)
{
    struct virtqueue_chain *c = &v->sent;
    struct virtio_vsock_header *h = &v->header;

    *h = (struct virtio_vsock_header){0};
    v->left = 0;
    v->is_open = true;
    if (c->read.left < sizeof(*h))
        return STATUS_OK;
    enum status status = chain_read(c, v->device.space, h, sizeof(*h));
    if (h->src_cid != v->cid || h->dst_cid > UINT32_MAX || h->len > c->read.left)
        h->op = 0;
    if (h->op == VIRTIO_VSOCK_RW)
        v->left = h->len;
    return status;
}

// STATUS_NOT_FOUND: there is none, and we will be notified.
static enum status packet_next(struct vsock *v)
{
    enum status status = virtqueue_next(&v->queues[VIRTIO_VSOCK_TRANSMIT].ring, v->device.space, &v->sent);
    return status == STATUS_OK ? packet_open(v) : status;
}

static enum vsock_step packet_go(struct vsock *v)
{
    enum vsock_step step = patience(v, packet_step(v));

    if (step != PACKET_DONE)
        return step;
    v->is_open = false;
    return vsock_step_of(virtqueue_return(&v->queues[VIRTIO_VSOCK_TRANSMIT].ring, v->device.space, v->sent.head, 0),
                         PACKET_DONE);
}

static enum virtio_progress transmit(struct vsock *v, uint32_t *budget)
{
    enum vsock_step step = PACKET_PART;

    while (*budget && (step == PACKET_PART || step == PACKET_DONE)) {
        uint32_t before = v->left;
        if (v->is_open) {
            step = packet_go(v);
            before -= v->left;
        } else {
            enum status status = packet_next(v);
            if (status == STATUS_NOT_FOUND)
                return VIRTIO_IDLE;
            step = vsock_step_of(status, PACKET_PART);
            before = 0;
        }
        virtio_spend(budget, before + VIRTIO_REQUEST_BYTES);
    }
    return step == PACKET_STALLED     ? VIRTIO_LATER
           : step == PACKET_BROKEN    ? VIRTIO_BROKEN
           : step == PACKET_NO_MEMORY ? VIRTIO_NO_MEMORY
                                      : VIRTIO_MORE;
}

// --- what our guest is to be told ----------------------------------------------------------------------------

struct virtio_vsock_header vsock_header(const struct vsock *v, const struct vsock_link *link, uint16_t op)
{
    return (struct virtio_vsock_header){.src_cid = link->cid,
                                        .dst_cid = v->cid,
                                        .src_port = link->other,
                                        .dst_port = link->port,
                                        .type = link->type,
                                        .op = op};
}

// STATUS_OK: nothing is owed any more, or the budget is used up.
static enum status owed_pay(struct vsock *v, uint32_t *budget)
{
    struct vsock_link link;

    while (*budget && vsock_owed_find(v, &link)) {
        struct virtio_vsock_header h = vsock_header(v, &link, VIRTIO_VSOCK_RST);
        uint32_t none = 0;
        enum status status = vsock_tell(v, &h, NULL, &none);
        if (status != STATUS_OK)
            return status;
        vsock_forget(v, link);
        virtio_spend(budget, VIRTIO_REQUEST_BYTES);
    }
    return STATUS_OK;
}

// Section 5.10.6.7: the driver forgets its connections and reads its CID anew. Later, if it is not ready for that.
static enum status event_tell(struct vsock *v)
{
    struct virtqueue *ring = &v->queues[VIRTIO_VSOCK_EVENT].ring;
    const uint32_t event = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET;
    struct space *s = v->device.space;
    struct virtqueue_chain *c = &v->received;

    if (virtio_begin(&v->device, VIRTIO_VSOCK_EVENT) != VIRTIO_IDLE)
        return STATUS_OK;
    enum status status = virtqueue_take(ring, s, c);
    if (status == STATUS_OK)
        status = chain_write(c, s, &event, sizeof(event));
    if (status == STATUS_OK)
        status = virtqueue_return(ring, s, c->head, sizeof(event));
    v->is_renamed = status == STATUS_NOT_FOUND;
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    virtio_end(&v->device, VIRTIO_VSOCK_EVENT, virtio_progress_of(status));
    return status;
}

// The driver has given buffers, or there is something to tell.
static enum virtio_progress receive(struct vsock *v, uint32_t *budget)
{
    vsock_waiters_call(v);
    enum status status = v->is_renamed ? event_tell(v) : STATUS_OK;
    if (status == STATUS_OK)
        status = owed_pay(v, budget);
    if (status == STATUS_NOT_FOUND)
        return VIRTIO_IDLE;
    if (status == STATUS_OK && !*budget)
        return VIRTIO_MORE;
    return status == STATUS_OK ? vsock_host_run(v, budget) : virtio_progress_of(status);
}

static enum virtio_progress queue_run(struct vsock *v, unsigned queue, uint32_t *budget)
{
    if (queue == VIRTIO_VSOCK_TRANSMIT)
        return transmit(v, budget);
    if (queue == VIRTIO_VSOCK_RECEIVE)
        return receive(v, budget);
    vsock_call(v, VIRTIO_VSOCK_RECEIVE); // which has the event
    return VIRTIO_IDLE;
}

static enum virtio_progress run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    enum virtio_progress progress = queue_run(container_of(d, struct vsock, device), queue, budget);

    if (progress == VIRTIO_LATER)
        d->queues[queue].later = hart_time() + look_again;
    return progress;
}

// --- the device ----------------------------------------------------------------------------------------------

void vsock_silence(struct vsock *v)
{
    v->is_open = false;
    v->stalled_since = 0;
    vsock_host_reset(v);
    vsock_links_drop(v);
}

static void reset(struct virtio_device *d)
{
    struct vsock *v = container_of(d, struct vsock, device);

    v->is_renamed = false;
    vsock_silence(v);
}

static const struct virtio_class class = {
    .id = VIRTIO_ID_VSOCK, .queue_count = 3, .queue_size = VIRTQUEUE_SIZE_MAX, .run = run, .reset = reset};

static void config_set(struct vsock *v)
{
    uint64_t cid = v->cid;

    memcpy(v->device.config, &cid, sizeof(cid));
    v->device.config_size = sizeof(cid);
}

enum status vsock_init(struct vsock *v, struct space *space, uint32_t cid, uint32_t groups)
{
    virtio_init(&v->device, &class, space, v->queues, VIRTIO_VSOCK_F_STREAM);
    v->cid = cid;
    v->groups = groups;
    config_set(v);
    return vsock_add(v);
}

// What was on its way goes on from the original.
void vsock_adopt(struct vsock *v, const struct vsock *from, struct space *space)
{
    memcpy(v->queues, from->queues, sizeof(v->queues));
    v->sent = from->sent;
    v->is_open = from->is_open;
    v->header = (struct virtio_vsock_header){0};
    v->is_renamed = true;
    v->device = from->device;
    virtio_adopt(&v->device, space, v->queues);
    config_set(v);
    virtio_config_changed(&v->device);
    virtio_call(&v->device, VIRTIO_VSOCK_TRANSMIT);
    virtio_call(&v->device, VIRTIO_VSOCK_RECEIVE);
}
