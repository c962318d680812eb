#include "frame.h"

#include <string.h>

#include "checksum.h"

#define ETHERNET_IPV4 0x0800u
#define ETHERNET_IPV6 0x86ddu
#define ETHERNET_VLAN 0x8100u
#define ETHERNET_VLAN_OUTER 0x88a8u
#define VLAN_TAG 4u

// RFC 791, 8200 and 9293: where things are in the headers of IP and TCP.
#define IPV4_HEADER 20u
#define IPV4_LENGTH 2u
#define IPV4_ID 4u
#define IPV4_FRAGMENT 6u
#define IPV4_FRAGMENT_BITS 0x3fffu // it is one of several, or not the first
#define IPV4_PROTOCOL 9u
#define IPV4_CHECKSUM 10u
#define IPV4_ADDRESSES 12u
#define IPV6_HEADER 40u
#define IPV6_LENGTH 4u
#define IPV6_NEXT 6u
#define IPV6_ADDRESSES 8u
#define TCP 6u
#define TCP_HEADER 20u
#define TCP_SEQUENCE 4u
#define TCP_WORDS 12u
#define TCP_FLAGS 13u
#define TCP_CHECKSUM 16u
#define TCP_FIN 0x01u
#define TCP_PUSH 0x08u
#define TCP_REDUCED 0x80u // CWR, RFC 3168

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void add32(uint8_t *at, uint32_t more)
{
    uint32_t value = ((uint32_t)get16(at) << 16 | get16(at + 2)) + more;
    put16(at, value >> 16);
    put16(at + 2, value);
}

uint32_t frame_packets(const struct frame *f, uint32_t bytes)
{
    return f->segment ? (bytes + f->segment - 1) / f->segment : 1;
}

// --- what a sender gave --------------------------------------------------------------------------------------

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum status head_read(struct frame *f, uint32_t bytes)
{
    f->head_bytes = (uint16_t)bytes;
    if (f->bytes) {
        memcpy(f->head, f->bytes, bytes);
        return STATUS_OK;
    }
    f->chain->read = f->start;
    return chain_read(f->chain, f->space, f->head, bytes);
}

// What of the header is not sized by the frame is not read before it is known that the frame is that long; the head has
// room for all that is looked at before. 0: it is no IPv4 that holds TCP, whole and of the frame's length.
static uint32_t ipv4_end(const struct frame *f)
{
    const uint8_t *ip = f->head + f->network;
    uint32_t bytes = 4u * (ip[0] & 0xf);

    if (ip[0] >> 4 != 4 || bytes < IPV4_HEADER || get16(ip + IPV4_LENGTH) != f->length - f->network ||
        get16(ip + IPV4_FRAGMENT) & IPV4_FRAGMENT_BITS || ip[IPV4_PROTOCOL] != TCP)
        return 0;
    return f->network + bytes;
}

// Likewise; none with headers between.
static uint32_t ipv6_end(const struct frame *f)
{
    const uint8_t *ip = f->head + f->network;

    if (ip[0] >> 4 != 6 || get16(ip + IPV6_LENGTH) + IPV6_HEADER != f->length - f->network || ip[IPV6_NEXT] != TCP)
        return 0;
    return f->network + IPV6_HEADER;
}

static uint32_t network_end(struct frame *f, bool is_ipv4)
{
    uint16_t type = get16(f->header.type);

    f->network = sizeof(f->header);
    if (type == ETHERNET_VLAN || type == ETHERNET_VLAN_OUTER) {
        type = get16(f->header.type + VLAN_TAG);
        f->network += VLAN_TAG;
    }
    if (type != (is_ipv4 ? ETHERNET_IPV4 : ETHERNET_IPV6))
        return 0;
    return is_ipv4 ? ipv4_end(f) : ipv6_end(f);
}

static bool may_cut(const struct virtio_net_header *h, uint64_t features)
{
    uint8_t kind = h->gso_type & ~VIRTIO_NET_GSO_ECN;
    uint64_t needs = kind == VIRTIO_NET_GSO_TCPV4   ? VIRTIO_NET_F_HOST_TSO4
                     : kind == VIRTIO_NET_GSO_TCPV6 ? VIRTIO_NET_F_HOST_TSO6
                                                    : 0;

    return features & needs && (kind == h->gso_type || features & VIRTIO_NET_F_HOST_ECN) &&
           h->flags & VIRTIO_NET_NEEDS_CHECKSUM && h->csum_offset == TCP_CHECKSUM && h->gso_size;
}

// What it says of the headers' length is a hint, and not needed. One that is no longer than one segment is whole.
static enum status cut_begin(struct frame *f, const struct virtio_net_header *h, uint64_t features)
{
    if (!may_cut(h, features))
        return STATUS_INVALID;
    enum status status = head_read(f, least(f->length, FRAME_HEAD_MAX));
    if (status != STATUS_OK)
        return status;
    uint32_t tcp = network_end(f, (h->gso_type & ~VIRTIO_NET_GSO_ECN) == VIRTIO_NET_GSO_TCPV4);
    if (!tcp || tcp != h->csum_start)
        return STATUS_INVALID;
    uint32_t header = 4u * (f->head[tcp + TCP_WORDS] >> 4);
    if (header < TCP_HEADER || tcp + header > f->length || tcp + header + h->gso_size > ETHERNET_FRAME_MAX)
        return STATUS_INVALID;
    f->head_bytes = (uint16_t)(tcp + header);
    if (frame_rest(f) <= h->gso_size)
        return STATUS_OK;
    f->gso_type = h->gso_type;
    f->segment = h->gso_size;
    return STATUS_OK;
}

static enum status whole_begin(struct frame *f)
{
    uint32_t head = sizeof(f->header);

    if (f->length > ETHERNET_FRAME_MAX)
        return STATUS_INVALID;
    if (f->checksum_at && f->checksum_at + 2u <= FRAME_HEAD_MAX)
        head = f->checksum_at + 2u;
    return head_read(f, head);
}

enum status frame_begin(struct frame *f, const struct virtio_net_header *h, uint64_t features)
{
    if (f->length < sizeof(f->header))
        return STATUS_INVALID;
    if (h->flags & VIRTIO_NET_NEEDS_CHECKSUM) {
        if (!(features & VIRTIO_NET_F_CSUM) || h->csum_start < sizeof(f->header) ||
            (uint32_t)h->csum_start + h->csum_offset + 2 > least(f->length, UINT16_MAX))
            return STATUS_INVALID;
        f->checksum_start = h->csum_start;
        f->checksum_at = (uint16_t)(h->csum_start + h->csum_offset);
    }
    return h->gso_type == VIRTIO_NET_GSO_NONE ? whole_begin(f) : cut_begin(f, h, features);
}

// --- cutting -------------------------------------------------------------------------------------------------

// The sum of what TCP has in common with IP, where its checksum goes: whoever fills that in goes on from there.
static void pseudo_put(struct frame_piece *p, const uint8_t *addresses, uint32_t addresses_bytes, uint32_t start)
{
    uint32_t bytes = piece_length(p) - start;
    const uint8_t end[] = {0, TCP, (uint8_t)(bytes >> 8), (uint8_t)bytes};
    struct checksum c = {0};

    checksum_add(&c, addresses, addresses_bytes);
    checksum_add(&c, end, sizeof(end));
    uint16_t sum = checksum_sum(&c);
    memcpy(p->head + start + TCP_CHECKSUM, &sum, sizeof(sum));
}

static void ipv4_put(const struct frame *f, struct frame_piece *p)
{
    uint8_t *ip = p->head + f->network;
    struct checksum c = {0};

    put16(ip + IPV4_LENGTH, piece_length(p) - f->network);
    put16(ip + IPV4_ID, get16(ip + IPV4_ID) + f->done / f->segment);
    put16(ip + IPV4_CHECKSUM, 0);
    checksum_add(&c, ip, f->checksum_start - f->network);
    uint16_t sum = checksum_of(&c);
    memcpy(ip + IPV4_CHECKSUM, &sum, sizeof(sum));
    pseudo_put(p, ip + IPV4_ADDRESSES, 8, f->checksum_start);
}

static void ipv6_put(const struct frame *f, struct frame_piece *p)
{
    uint8_t *ip = p->head + f->network;

    put16(ip + IPV6_LENGTH, piece_length(p) - f->network - IPV6_HEADER);
    pseudo_put(p, ip + IPV6_ADDRESSES, 32, f->checksum_start);
}

static bool is_ipv4(const struct frame *f)
{
    return (f->gso_type & ~VIRTIO_NET_GSO_ECN) == VIRTIO_NET_GSO_TCPV4;
}

// How many segments the receiver gets at once. That the window was reduced (CWR) is for the first alone.
static uint32_t segments_at_once(const struct frame *f, uint64_t features)
{
    bool is_marked = f->gso_type & VIRTIO_NET_GSO_ECN && !f->done;

    if (!(features & (is_ipv4(f) ? VIRTIO_NET_F_GUEST_TSO4 : VIRTIO_NET_F_GUEST_TSO6)) ||
        (is_marked && !(features & VIRTIO_NET_F_GUEST_ECN)))
        return 1;
    return f->budget / f->segment + 1;
}

static void segments_cut(const struct frame *f, uint64_t features, struct frame_piece *p)
{
    uint8_t *tcp = p->head + f->checksum_start;

    p->bytes = least(segments_at_once(f, features) * f->segment, frame_rest(f));
    p->packets = frame_packets(f, p->bytes);
    if (f->done)
        tcp[TCP_FLAGS] &= (uint8_t)~TCP_REDUCED;
    if (p->bytes != frame_rest(f))
        tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PUSH);
    add32(tcp + TCP_SEQUENCE, f->done);
    if (is_ipv4(f))
        ipv4_put(f, p);
    else
        ipv6_put(f, p);
    if (p->packets == 1)
        return;
    p->header.gso_type = f->done ? f->gso_type & (uint8_t)~VIRTIO_NET_GSO_ECN : f->gso_type;
    p->header.gso_size = f->segment;
    p->header.hdr_len = p->head_bytes;
}

enum status frame_cut(const struct frame *f, uint64_t features, struct frame_piece *p)
{
    p->header = (struct virtio_net_header){.num_buffers = 1};
    p->head_bytes = f->head_bytes;
    p->start = f->head_bytes + f->done;
    p->bytes = frame_rest(f);
    p->packets = 1;
    memcpy(p->head, f->head, f->head_bytes);
    if (f->segment)
        segments_cut(f, features, p);
    p->needs_checksum = f->checksum_at && !(features & VIRTIO_NET_F_GUEST_CSUM);
    if (p->needs_checksum)
        return f->checksum_at + 2u <= f->head_bytes ? STATUS_OK : STATUS_UNSUPPORTED;
    if (!f->checksum_at)
        return STATUS_OK;
    p->header.flags = VIRTIO_NET_NEEDS_CHECKSUM;
    p->header.csum_start = f->checksum_start;
    p->header.csum_offset = (uint16_t)(f->checksum_at - f->checksum_start);
    return STATUS_OK;
}

void frame_pass(struct frame *f, const struct frame_piece *p)
{
    f->done += f->segment ? p->bytes : 0;
}

// --- copying -------------------------------------------------------------------------------------------------

static void chain_seek(struct frame *f, uint32_t start)
{
    f->chain->read = f->start;
    chain_skip(f->chain, &f->chain->read, start);
}

static enum status rest_sum(struct frame *f, const struct frame_piece *p, struct checksum *c)
{
    if (f->bytes) {
        checksum_add(c, f->bytes + p->start, p->bytes);
        return STATUS_OK;
    }
    chain_seek(f, p->start);
    for (uint32_t run, left = p->bytes; left; left -= run) {
        const void *at;
        enum status status = chain_read_piece(f->chain, f->space, left, &at, &run);
        if (status != STATUS_OK)
            return status;
        checksum_add(c, at, run);
    }
    return STATUS_OK;
}

enum status frame_fill(struct frame *f, struct frame_piece *p)
{
    struct checksum c = {0};

    f->spent += piece_length(p);
    if (!p->needs_checksum)
        return STATUS_OK;
    f->spent += piece_length(p);
    checksum_add(&c, p->head + f->checksum_start, (size_t)(p->head_bytes - f->checksum_start));
    enum status status = rest_sum(f, p, &c);
    uint16_t sum = checksum_of(&c);
    memcpy(p->head + f->checksum_at, &sum, sizeof(sum));
    return status;
}

enum status frame_read(struct frame *f, const struct frame_piece *p, uint8_t *to)
{
    memcpy(to, p->head, p->head_bytes);
    to += p->head_bytes;
    if (!f->bytes) {
        chain_seek(f, p->start);
        return chain_read(f->chain, f->space, to, p->bytes);
    }
    memcpy(to, f->bytes + p->start, p->bytes);
    return STATUS_OK;
}

enum status frame_write(struct frame *f, const struct frame_piece *p, struct virtqueue_chain *to, struct space *space)
{
    enum status status = chain_write(to, space, p->head, p->head_bytes);

    if (status != STATUS_OK)
        return status;
    if (f->bytes)
        return chain_write(to, space, f->bytes + p->start, p->bytes);
    chain_seek(f, p->start);
    return chain_move(to, space, f->chain, f->space, p->bytes);
}
