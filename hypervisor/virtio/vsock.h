// The socket device (VIRTIO 1.3, section 5.10): stream connections of a capsule's programs with the hypervisor's
// management service, at CID 2, and with those of other capsules that are in a group with it. Whoever else there is
// can't be told from nobody: both are answered by RST.
//
//      sender's queue --packet_step--> to CID 2: vsock_host.c --> service.h
//                            |
//                            +-------> to a peer: its receive queue, in pieces of the buffers there, one copy each
//
// Data is not kept here. What a receiver has no buffer for waits in its sender's queue, and what is behind it with it;
// not longer than VSOCK_STALL, then that connection is over. How much may be sent before it is read is agreed on by
// both ends (section 5.10.6.3); the service sees to its own limits.
//
// What is kept is which connections there are: each end has a link, a bounded number of them. So when one end goes
// (its capsule ends, its driver begins anew), the other end owes its guest a RST, which is brought when there is a
// buffer for it.
//
// Locks: a bucket's lock guards who is there, and keeps them there; `lock` a device's links and who waits for it,
// under any other device's bucket. Talks and what they have to tell are the receive queue's. Nothing is copied or done
// under the two locks.
#pragma once

#include "service.h"
#include "virtio.h"

#define VSOCK_HOST 2u
#define VSOCK_PORT 3344u     // of the service
#define VSOCK_TRUSTED 1024u  // it listens to ports below, which Linux gives to root alone
#define VSOCK_CID_LEAST 3u   // of a guest
#define VSOCK_CID_OWN 65536u // plus a capsule's id: where it was not given one, which are below
#define VSOCK_LINKS 64u      // a power of two
#define VSOCK_TALKS 4u       // connections with the service, of one capsule
#define VSOCK_TALKS_MAX 256u // of all
#define VSOCK_WAITERS 4u
#define VSOCK_STALL_SECONDS 1u

enum vsock_link_state {
    LINK_FREE,
    LINK_OPEN,   // with a peer, who has one, too
    LINK_SERVED, // with the service
    LINK_OWED,   // is over, and the guest is to be told
};

// One end of a connection.
struct vsock_link {
    uint32_t port;       // of ours
    uint32_t cid, other; // who is at the other end, and its port
    uint16_t type;
    uint8_t state; // enum vsock_link_state
    uint8_t talk;  // SERVED: its number
};

struct vsock_talk {
    struct talk *talk; // NULL: free
    struct vsock_link link;
    uint32_t heard;       // bytes that came
    uint32_t told;        // of them, those that the guest knows to have been read
    uint32_t said;        // bytes sent
    uint32_t room, taken; // of the guest's: what it keeps at most, what its program has read
    bool owes_response, owes_credit, owes_shutdown;
    bool hears_no_more; // the guest sends nothing any more: to be shut down when all is done
    bool is_shut;       // and has been
};

struct vsock {
    struct virtio_device device;
    struct virtio_queue queues[3];
    uint32_t cid;
    uint32_t groups;    // bit n: it is in group n
    struct vsock *next; // in its bucket

    struct lock lock;
    struct vsock_link links[VSOCK_LINKS];
    uint32_t owed;                   // links in that state
    uint32_t waiters[VSOCK_WAITERS]; // CIDs; 0: none

    // Under the lock of the queue to transmit: the packet that is on its way.
    bool is_open;
    struct virtio_vsock_header header;
    struct virtqueue_chain sent;
    uint32_t left;          // bytes of it
    uint64_t stalled_since; // 0: it is not

    // Under the lock of the queue to receive.
    struct virtqueue_chain received;
    struct vsock_talk talks[VSOCK_TALKS];
    bool is_renamed; // a clone's, whose driver does not know its CID
};

// Once, before any other.
void vsocks_init(uint32_t timebase_hz);
// The device is zeroed. STATUS_BUSY: somebody has that CID.
must_check enum status vsock_init(struct vsock *v, struct space *space, uint32_t cid, uint32_t groups);
// It becomes as the original's, which nobody uses, but for its CID, and has no connections.
void vsock_adopt(struct vsock *v, const struct vsock *from, struct space *space);
// Its capsule has ended and nobody uses it: all its connections are over.
void vsock_silence(struct vsock *v);
// Nobody finds it any more.
void vsock_remove(struct vsock *v);
