#include "vsock_parts.h"

#include <string.h>

#define WAYS 8u // places where a link may be
#define BUCKETS 64u

static struct bucket {
    struct lock lock;
    struct vsock *first;
} buckets[BUCKETS];

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

enum status vsock_add(struct vsock *v)
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

struct vsock_link vsock_link_get(struct vsock *v, const struct vsock_link *name)
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

struct vsock_link vsock_link_turned(const struct vsock *v, const struct vsock_link *link)
{
    return (struct vsock_link){
        .port = link->other, .cid = v->cid, .other = link->port, .type = link->type, .state = link->state};
}

void vsock_peer_lost(const struct vsock *v, const struct vsock_link *link)
{
    struct bucket *b = bucket_of(link->cid);
    struct vsock_link turned = vsock_link_turned(v, link);

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

void vsock_owe(struct vsock *v, struct vsock_link link)
{
    link.state = LINK_OWED;
    (void)!vsock_link_set(v, &link);
}

void vsock_forget(struct vsock *v, struct vsock_link link)
{
    link.state = LINK_FREE;
    (void)!vsock_link_set(v, &link);
}

void vsock_links_drop(struct vsock *v)
{
    for (unsigned i = 0; i < VSOCK_LINKS; i++) {
        lock_acquire(&v->lock);
        struct vsock_link link = v->links[i];
        v->owed -= link.state == LINK_OWED;
        v->links[i].state = LINK_FREE;
        lock_release(&v->lock);
        if (link.state == LINK_OPEN)
            vsock_peer_lost(v, &link);
    }
}

// --- each other ---------------------------------------------------------------------------------------------------

struct vsock *vsock_peer_enter(struct vsock *v, uint32_t cid, bool *is_held)
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

void vsock_wait_for(struct vsock *peer, const struct vsock *v)
{
    unsigned room = 0;

    lock_acquire(&peer->lock);
    while (room < VSOCK_WAITERS && peer->waiters[room] && peer->waiters[room] != v->cid)
        room++;
    if (room < VSOCK_WAITERS)
        peer->waiters[room] = v->cid;
    lock_release(&peer->lock);
}

void vsock_waiters_call(struct vsock *v)
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

bool vsock_owed_find(struct vsock *v, struct vsock_link *link)
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
