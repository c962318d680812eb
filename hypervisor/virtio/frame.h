// A frame on its way through a switch, and what its sender left for others to do (VIRTIO 1.3, section 5.1.6.2): to fill
// in a checksum, or to cut one long TCP segment into many. A receiver that has said that it takes such frames does
// without; for others it is done while the frame is copied to them.
//
// A receiver gets a frame in pieces. Of one that is not to be cut there is one piece, the whole. One that is, comes as
// several: a segment each, or as many at once as fit into a step, a long segment again. So nothing is kept at a
// receiver from step to step, and no step is longer for a long frame.
//
//      frame_begin --> for each receiver: frame_cut, frame_fill, frame_read or frame_write, frame_pass, until
//      frame_is_over
//
// Only the copy of the headers is believed. It was checked, and is what receivers get; what follows is copied unseen.
#pragma once

#include "virtio_mmio.h"
#include "virtqueue.h"

#define ETHERNET_ADDRESS 6u
#define ETHERNET_FRAME_MAX 1518u // with a VLAN tag, without the check sequence
#define FRAME_HEAD_MAX 256u      // Ethernet, IP and TCP with a tag and all options are 138; and tunnels

struct ethernet_header {
    uint8_t to[ETHERNET_ADDRESS], from[ETHERNET_ADDRESS], type[2];
};

struct vswitch_port;

struct frame {
    struct vswitch_port *from;
    union { // a copy of its first bytes
        struct ethernet_header header;
        uint8_t head[FRAME_HEAD_MAX];
    };
    uint16_t head_bytes;
    uint16_t checksum_start, checksum_at; // from where to sum up, and where the sum goes; 0: nowhere
    uint16_t segment;                     // bytes of TCP in each segment that it is to be cut into; 0: it is whole
    uint8_t gso_type, network;            // ... and where its IP header begins
    uint32_t length;                      // bytes in all
    uint16_t next, end;                   // the ports that it has not come to yet, of which it may go to
    uint32_t done;                        // bytes after the head that the next port has got

    const uint8_t *bytes; // where all of it is; NULL: in a guest's chain, from there on
    struct virtqueue_chain *chain;
    const struct space *space;
    struct virtqueue_cursor start;

    uint32_t budget; // bytes that the step may yet copy, given by who takes it to a port
    uint32_t spent;  // ... and did, told by the port
};

// What one receiver gets at once.
struct frame_piece {
    struct virtio_net_header header;
    uint8_t head[FRAME_HEAD_MAX];
    uint16_t head_bytes;
    uint32_t start, bytes; // in the frame, what follows
    uint32_t packets;      // that it stands for
    bool needs_checksum;   // before it is copied
};

// What comes on the wire of the next `bytes` after the head: packets, and their bytes. Limits and counts are of these,
// so that it makes no difference to them who cuts.
uint32_t frame_packets(const struct frame *f, uint32_t bytes);
static inline uint32_t frame_rest(const struct frame *f)
{
    return f->length - f->head_bytes - f->done;
}
static inline uint32_t frame_wire_bytes(const struct frame *f, uint32_t bytes)
{
    return bytes + frame_packets(f, bytes) * f->head_bytes;
}

// Copies the head, and checks it: length and place are set, with `header` as its sender gave it, who has negotiated
// `features`. STATUS_INVALID: it is none that could be sent. Else errors as of chain_read.
must_check enum status frame_begin(struct frame *f, const struct virtio_net_header *header, uint64_t features);

// The next piece for a receiver that has negotiated these features. STATUS_UNSUPPORTED: nobody can do what it needs.
must_check enum status frame_cut(const struct frame *f, uint64_t features, struct frame_piece *p);
static inline uint32_t piece_length(const struct frame_piece *p)
{
    return p->head_bytes + p->bytes;
}
// Once there is room for it: sums it up if that is to be done. Errors as of chain_read.
must_check enum status frame_fill(struct frame *f, struct frame_piece *p);
// Copies a piece to there. Errors as of chain_read.
must_check enum status frame_read(struct frame *f, const struct frame_piece *p, uint8_t *to);
// Appends a piece to what a driver has given for it. Errors as of chain_write and chain_move.
must_check enum status frame_write(struct frame *f, const struct frame_piece *p, struct virtqueue_chain *to,
                                   struct space *space);
// The next port has got it.
void frame_pass(struct frame *f, const struct frame_piece *p);
// Has it got everything?
static inline bool frame_is_over(const struct frame *f)
{
    return !f->segment || !frame_rest(f);
}
