// What the parts of the socket device have of each other.
#pragma once

#include "vsock.h"

// --- vsock_links.c: who is there, and who is connected with whom ---------------------------------------------

// STATUS_BUSY: its CID is taken.
must_check enum status vsock_add(struct vsock *v);
// It has something to do on a queue, not asked by its driver. It is there until the call returns.
void vsock_call(struct vsock *v, unsigned queue);

// The link of that name becomes so; one that was not there is made. False: there is no room.
must_check bool vsock_link_set(struct vsock *v, const struct vsock_link *link);
// The link of that name as it is; FREE: there is none.
struct vsock_link vsock_link_get(struct vsock *v, const struct vsock_link *name);
// The same connection, as the other end sees it.
struct vsock_link vsock_link_turned(const struct vsock *v, const struct vsock_link *link);
// Our guest is told that there is no such connection, or none any more. If it has so many that there is no room to
// note that, it is not: then it must have patience.
void vsock_owe(struct vsock *v, struct vsock_link link);
bool vsock_owed_find(struct vsock *v, struct vsock_link *link);
void vsock_forget(struct vsock *v, struct vsock_link link);
// The other end learns that it is over, if it is still there.
void vsock_peer_lost(const struct vsock *v, const struct vsock_link *link);
void vsock_links_drop(struct vsock *v);

// It stays, with its memory, until virtio_visit_end(). NULL: it is not there for us; *is_held: or does not run now.
struct vsock *vsock_peer_enter(struct vsock *v, uint32_t cid, bool *is_held);
// Somebody has no buffer of ours for what it sends, and is called when there is one. If too many wait already, it
// looks again by itself.
void vsock_wait_for(struct vsock *peer, const struct vsock *v);
void vsock_waiters_call(struct vsock *v);

// --- vsock.c and vsock_host.c --------------------------------------------------------------------------------

// What becomes of a packet.
enum vsock_step {
    PACKET_DONE,
    PACKET_PART,    // some of it has got there
    PACKET_BUSY,    // somebody else is at work there
    PACKET_STALLED, // there is no buffer for it
    PACKET_BROKEN,  // our driver broke a rule
    PACKET_NO_MEMORY,
};
static inline enum vsock_step vsock_step_of(enum status status, enum vsock_step otherwise)
{
    return status == STATUS_OK ? otherwise : status == STATUS_NO_MEMORY ? PACKET_NO_MEMORY : PACKET_BROKEN;
}

// The packet that is on its way is for the service, by this link.
void vsock_host_init(void);
enum vsock_step vsock_host_hear(struct vsock *v, struct vsock_link *link);
// Tells the guest what the service has to say, and lets it go on. With the receive queue's lock held; budget and answer
// as of virtio_class.run.
enum virtio_progress vsock_host_run(struct vsock *v, uint32_t *budget);
void vsock_host_reset(struct vsock *v);

// A packet with so many bytes for our own guest, as many as there is room for in a buffer; *count says how many that
// were. With the receive queue's lock held. STATUS_NOT_FOUND: there is no buffer, and the driver will notify us of one.
must_check enum status vsock_tell(struct vsock *v, struct virtio_vsock_header *h, const void *bytes, uint32_t *count);
// The header of a packet to our guest from the link's other end.
struct virtio_vsock_header vsock_header(const struct vsock *v, const struct vsock_link *link, uint16_t op);
