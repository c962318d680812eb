#include "vsock.h"

#include <string.h>

#include "hart.h"

#define WAYS 8u // places where a link may be
#define BUCKETS 64u
#define PACKET_STEP VIRTIO_STEP_BYTES // bytes that are moved at once

static struct bucket {
    struct lock lock;
    struct vsock *first;
} buckets[BUCKETS];

static uint64_t stall_limit; // ticks

void vsocks_init(uint32_t timebase_hz)
{
    stall_limit = (uint64_t)timebase_hz * VSOCK_STALL_SECONDS;
    vsock_host_init();
}

// --- who is there --------------------------------------------------------------------------------------------

static struct bucket *bucket_of(uint32_t cid)
{
    return &buckets[cid % BUCKETS];
}

// With the bucket's lock held.
static struct vsock *find(struct bucket *b, uint32_t cid)
{
    struct vsock *v = b->first;

    while (v && v->cid != cid)
        v = v->next;
    return v;
}

static enum status add(struct vsock *v)
{
    struct bucket *b = bucket_of(v->cid);

    lock_acquire(&b->lock);
    bool taken = find(b, v->cid);
    if (!taken) {
        v->next = b->first;
        b->first = v;
    }
    lock_release(&b->lock);
    return taken ? STATUS_BUSY : STATUS_OK;
}

void vsock_remove(struct vsock *v)
{
    struct bucket *b = bucket_of(v->cid);
    struct vsock **at = &b->first;

    lock_acquire(&b->lock);
    while (*at && *at != v)
        at = &(*at)->next;
    if (*at)
        *at = v->next;
    lock_release(&b->lock);
}

void vsock_call(struct vsock *v, unsigned queue)
{
    virtio_call(&v->device, queue);
    virtio_wake(&v->device);
}

// --- links ---------------------------------------------------------------------------------------------------

static bool is_same(const struct vsock_link *one, const struct vsock_link *other)
{
    return one->port == other->port && one->cid == other->cid && one->other == other->other;
}

static struct vsock_link *place(struct vsock *v, const struct vsock_link *link, unsigned way)
{
    return &v->links[(link->port + link->other + link->cid * 7u + way) % VSOCK_LINKS];
}

// Under the lock. The link of that name; NULL: there is none.
static struct vsock_link *link_find(struct vsock *v, const struct vsock_link *name)
{
    for (unsigned i = 0; i < WAYS; i++) {
        struct vsock_link *at = place(v, name, i);
        if (at->state != LINK_FREE && is_same(at, name))
            return at;
    }
    return NULL;
}

static struct vsock_link *room_find(struct vsock *v, const struct vsock_link *name)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (place(v, name, i)->state == LINK_FREE)
            return place(v, name, i);
    return NULL;
}

// Under the lock.
static bool link_put(struct vsock *v, const struct vsock_link *link, bool only_old)
{
    struct vsock_link *at = link_find(v, link);

    if (!at && (only_old || link->state == LINK_FREE))
        return true;
    if (!at && !(at = room_find(v, link)))
        return false;
    v->owed -= at->state == LINK_OWED;
    *at = *link;
    v->owed += at->state == LINK_OWED;
    return true;
}

bool vsock_link_set(struct vsock *v, const struct vsock_link *link)
{
    lock_acquire(&v->lock);
    bool done = link_put(v, link, false);
    lock_release(&v->lock);
    if (link->state == LINK_OWED)
        vsock_call(v, VIRTIO_VSOCK_RECEIVE);
    return done;
}

// The link of that name as it is; FREE: there is none.
static struct vsock_link link_get(struct vsock *v, const struct vsock_link *name)
{
    struct vsock_link link = *name;

    lock_acquire(&v->lock);
    const struct vsock_link *at = link_find(v, name);
    if (at)
        link = *at;
    else
        link.state = LINK_FREE;
    lock_release(&v->lock);
    return link;
}

// The same connection, as the other end sees it.
static struct vsock_link link_turned(const struct vsock *v, const struct vsock_link *link)
{
    return (struct vsock_link){
        .port = link->other, .cid = v->cid, .other = link->port, .type = link->type, .state = link->state};
}

// The other end learns that it is over, if it is still there.
static void peer_lost(const struct vsock *v, const struct vsock_link *link)
{
    struct bucket *b = bucket_of(link->cid);
    struct vsock_link turned = link_turned(v, link);

    turned.state = LINK_OWED;
    lock_acquire(&b->lock);
    struct vsock *peer = find(b, link->cid);
    if (peer) {
        lock_acquire(&peer->lock);
        (void)link_put(peer, &turned, true);
        lock_release(&peer->lock);
        vsock_call(peer, VIRTIO_VSOCK_RECEIVE);
    }
    lock_release(&b->lock);
}

// Our guest is told that there is no such connection, or none any more. If it has so many that there is no room to
// note that, it is not: then it must have patience.
static void owe(struct vsock *v, struct vsock_link link)
{
    link.state = LINK_OWED;
    (void)!vsock_link_set(v, &link);
}

static void forget(struct vsock *v, struct vsock_link link)
{
    link.state = LINK_FREE;
    (void)!vsock_link_set(v, &link);
}

static void links_drop(struct vsock *v)
{
    for (unsigned i = 0; i < VSOCK_LINKS; i++) {
        lock_acquire(&v->lock);
        struct vsock_link link = v->links[i];
        v->owed -= link.state == LINK_OWED;
        v->links[i].state = LINK_FREE;
        lock_release(&v->lock);
        if (link.state == LINK_OPEN)
            peer_lost(v, &link);
    }
}

// --- peers ---------------------------------------------------------------------------------------------------

// It stays, with its memory, until virtio_visit_end(). NULL: it is not there for us; *is_held: or does not run now.
static struct vsock *peer_enter(struct vsock *v, uint32_t cid, bool *is_held)
{
    struct bucket *b = bucket_of(cid);

    lock_acquire(&b->lock);
    struct vsock *peer = find(b, cid);
    if (peer && !(peer->groups & v->groups))
        peer = NULL;
    *is_held = peer && !virtio_visit(&peer->device, v->device.space);
    lock_release(&b->lock);
    return *is_held ? NULL : peer;
}

// Somebody has no buffer of ours for what it sends, and is called when there is one. If too many wait already, it
// looks again by itself.
static void wait_for(struct vsock *peer, const struct vsock *v)
{
    unsigned room = 0;

    lock_acquire(&peer->lock);
    while (room < VSOCK_WAITERS && peer->waiters[room] && peer->waiters[room] != v->cid)
        room++;
    if (room < VSOCK_WAITERS)
        peer->waiters[room] = v->cid;
    lock_release(&peer->lock);
}

static void waiters_call(struct vsock *v)
{
    uint32_t waiters[VSOCK_WAITERS];

    lock_acquire(&v->lock);
    memcpy(waiters, v->waiters, sizeof(waiters));
    memset(v->waiters, 0, sizeof(v->waiters));
    lock_release(&v->lock);
    for (unsigned i = 0; i < VSOCK_WAITERS && waiters[i]; i++) {
        struct bucket *b = bucket_of(waiters[i]);
        lock_acquire(&b->lock);
        struct vsock *waiter = find(b, waiters[i]);
        if (waiter)
            vsock_call(waiter, VIRTIO_VSOCK_TRANSMIT);
        lock_release(&b->lock);
    }
}

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
        wait_for(peer, v);
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
        owe(v, *link);
    }
    virtio_visit_end(&peer->device, v->device.space, status == STATUS_NO_MEMORY);
    return step;
}

// A new connection, if there is room for it at both ends.
static bool peer_connect(struct vsock *v, struct vsock *peer, struct vsock_link *link)
{
    link->state = LINK_OPEN;
    struct vsock_link turned = link_turned(v, link);

    if (!vsock_link_set(v, link))
        return false;
    if (vsock_link_set(peer, &turned))
        return true;
    owe(v, *link);
    return false;
}

static enum vsock_step peer_end(struct vsock *v, struct vsock_link link, bool tells_us)
{
    if (tells_us)
        owe(v, link);
    else
        forget(v, link);
    if (link.state == LINK_OPEN)
        peer_lost(v, &link);
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
    struct vsock *peer = peer_enter(v, link.cid, &is_held);
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
    name = link_get(v, &name);
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
    return peer_end(v, link_get(v, &name), true);
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

void vsock_spend(uint32_t *budget, uint32_t bytes)
{
    *budget -= bytes < *budget ? bytes : *budget;
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
        vsock_spend(budget, before + VIRTIO_REQUEST_BYTES);
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

static bool owed_find(struct vsock *v, struct vsock_link *link)
{
    bool found = false;

    lock_acquire(&v->lock);
    for (unsigned i = 0; v->owed && i < VSOCK_LINKS && !found; i++) {
        found = v->links[i].state == LINK_OWED;
        *link = v->links[i];
    }
    lock_release(&v->lock);
    return found;
}

// STATUS_OK: nothing is owed any more, or the budget is used up.
static enum status owed_pay(struct vsock *v, uint32_t *budget)
{
    struct vsock_link link;

    while (*budget && owed_find(v, &link)) {
        struct virtio_vsock_header h = vsock_header(v, &link, VIRTIO_VSOCK_RST);
        uint32_t none = 0;
        enum status status = vsock_tell(v, &h, NULL, &none);
        if (status != STATUS_OK)
            return status;
        forget(v, link);
        vsock_spend(budget, VIRTIO_REQUEST_BYTES);
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
    waiters_call(v);
    enum status status = v->is_renamed ? event_tell(v) : STATUS_OK;
    if (status == STATUS_OK)
        status = owed_pay(v, budget);
    if (status == STATUS_NOT_FOUND)
        return VIRTIO_IDLE;
    return status == STATUS_OK ? vsock_host_run(v, budget) : virtio_progress_of(status);
}

static enum virtio_progress run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    struct vsock *v = container_of(d, struct vsock, device);

    if (queue == VIRTIO_VSOCK_TRANSMIT)
        return transmit(v, budget);
    if (queue == VIRTIO_VSOCK_RECEIVE)
        return receive(v, budget);
    vsock_call(v, VIRTIO_VSOCK_RECEIVE); // which has the event
    return VIRTIO_IDLE;
}

// --- the device ----------------------------------------------------------------------------------------------

void vsock_silence(struct vsock *v)
{
    v->is_open = false;
    v->stalled_since = 0;
    vsock_host_reset(v);
    links_drop(v);
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
    return add(v);
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
