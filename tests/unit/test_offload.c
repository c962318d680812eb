// sources: hypervisor/virtio/vswitch.c hypervisor/virtio/vnet.c hypervisor/virtio/virtio.c hypervisor/virtio/rate.c
// sources: hypervisor/virtio/frame.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c lib/checksum.c
// sources: tests/unit/fake/driver.c tests/unit/fake/station.c
//
// Checksums and segments that a sender leaves to others: what receivers get, by what they have negotiated. All that
// comes is checked by its bytes, with sums made another way.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checksum.h"
#include "station.h"

#define COMMON (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS)
#define SENDS (COMMON | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN)
#define TAKES_SUMS (COMMON | VIRTIO_NET_F_GUEST_CSUM)
#define TAKES (TAKES_SUMS | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6)
#define MERGES VIRTIO_NET_F_MRG_RXBUF
#define ECN VIRTIO_NET_F_GUEST_ECN

#define SENT_AT (DRIVER_RAM + 0x18000)
#define RECEIVED_AT (DRIVER_RAM + 0x29000)
#define RECEIVED_BYTES 0x17000u
#define LENGTH_MAX (18u + 65575u)

// --- what is sent ------------------------------------------------------------------------------------------

struct shape {
    bool is_v6, is_tagged;
    unsigned ip_options, tcp_options, payload, segment; // bytes
    uint8_t flags, gso_type;
};

static uint8_t sent[STATION_HEADER + LENGTH_MAX], one[LENGTH_MAX];
static struct shape shape;

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static unsigned network(void)
{
    return shape.is_tagged ? 18 : 14;
}

static unsigned tcp(void)
{
    return network() + (shape.is_v6 ? 40 : 20 + shape.ip_options);
}

static unsigned payload_at(void)
{
    return tcp() + 20 + shape.tcp_options;
}

static uint8_t pattern(unsigned n)
{
    return (uint8_t)(n * 11 + n / 251);
}

// The sum of bytes as big-endian words, not inverted, the long way.
static unsigned sum(unsigned before, const uint8_t *at, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        before += i & 1 ? at[i] : (unsigned)at[i] << 8;
    while (before >> 16)
        before = (before & 0xffff) + (before >> 16);
    return before;
}

static unsigned pseudo(const uint8_t *frame, unsigned tcp_bytes)
{
    const uint8_t *ip = frame + network();
    return sum(6 + tcp_bytes % 65536 + tcp_bytes / 65536, ip + (shape.is_v6 ? 8 : 12), shape.is_v6 ? 32 : 8);
}

static void ip_make(uint8_t *ip, unsigned bytes)
{
    if (shape.is_v6) {
        memcpy(ip, (uint8_t[]){0x60, 0, 0, 0, 0, 0, 6, 64}, 8);
        put16(ip + 4, bytes - 40);
        for (unsigned i = 8; i < 40; i++)
            ip[i] = (uint8_t)(i * 17);
        return;
    }
    memcpy(ip, (uint8_t[]){0x45, 0, 0, 0, 0xff, 0xf0, 0x40, 0, 64, 6, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2}, 20);
    ip[0] = (uint8_t)(0x45 + shape.ip_options / 4);
    put16(ip + 2, bytes);
    memset(ip + 20, 1, shape.ip_options);
    put16(ip + 10, ~sum(0, ip, 20 + shape.ip_options));
}

// As a driver makes it: with the sum of addresses and lengths where the checksum goes. Returns the frame's length.
static unsigned make(void)
{
    struct virtio_net_header h = {
        VIRTIO_NET_NEEDS_CHECKSUM, shape.gso_type, 0, (uint16_t)shape.segment, (uint16_t)tcp(), 16, 0};
    uint8_t *frame = sent + STATION_HEADER;
    unsigned length = payload_at() + shape.payload;

    memset(sent, 0, STATION_HEADER + payload_at());
    memcpy(sent, &h, sizeof(h));
    station_address(1, frame);
    station_address(0, frame + 6);
    if (shape.is_tagged)
        memcpy(frame + 12, (uint8_t[]){0x81, 0, 0, 7}, 4);
    put16(frame + network() - 2, shape.is_v6 ? 0x86dd : 0x0800);
    ip_make(frame + network(), length - network());
    put16(frame + tcp(), 80);
    memcpy(frame + tcp() + 4, (uint8_t[]){0xff, 0xff, 0xff, 0}, 4); // wraps
    frame[tcp() + 12] = (uint8_t)((20 + shape.tcp_options) / 4 << 4);
    frame[tcp() + 13] = shape.flags;
    memset(frame + tcp() + 20, 1, shape.tcp_options);
    for (unsigned i = 0; i < shape.payload; i++)
        frame[payload_at() + i] = pattern(i);
    put16(frame + tcp() + 16, pseudo(frame, length - tcp()));
    return length;
}

static void queue(unsigned length)
{
    unsigned all = STATION_HEADER + length, half = (all + 21) / 2;
    driver_put(SENT_AT, sent, all);
    driver_add(&stations[0]->tx,
               (struct driver_buffer[]){
                   {SENT_AT, 20, false}, {SENT_AT + 20, half - 20, false}, {SENT_AT + half, all - half, false}},
               3);
}

static void send(unsigned length)
{
    queue(length);
    station_transmit(stations[0]);
}

// --- what is received --------------------------------------------------------------------------------------

static unsigned buffer_bytes, buffers;

static void buffer_give(unsigned n)
{
    driver_add(&stations[1]->rx, &(struct driver_buffer){RECEIVED_AT + n * buffer_bytes, buffer_bytes, true}, 1);
}

static void ring_make(struct station *s, struct driver_queue *q, unsigned number)
{
    static const uint8_t nothing[0x800];
    driver_put(s->memory + sizeof(nothing) * number, nothing, sizeof(nothing));
    driver_queue_set_up(q, &s->net.device, number, 64, s->memory + sizeof(nothing) * number);
}

static void start(struct station *s, uint64_t features)
{
    driver_negotiate(&s->net.device, features);
    ring_make(s, &s->rx, 0);
    ring_make(s, &s->tx, 1);
    driver_ok(&s->net.device);
}

static void receiver_start(uint64_t features, unsigned bytes)
{
    buffer_bytes = bytes;
    buffers = RECEIVED_BYTES / bytes < 64 ? RECEIVED_BYTES / bytes : 64;
    start(stations[1], features);
    for (unsigned i = 0; i < buffers; i++)
        buffer_give(i);
    driver_notify(&stations[1]->rx);
}

static void pair_make(uint64_t sends, uint64_t takes, unsigned bytes)
{
    station_add(0, false, false);
    station_add(1, false, false);
    start(stations[0], sends);
    receiver_start(takes, bytes);
}

// Where a buffer lies.
static uint64_t buffer_at(uint32_t head)
{
    uint64_t at;
    driver_get(stations[1]->rx.descriptors + 16 * head, &at, sizeof(at));
    return at;
}

// What a port that is not a guest's has got, as the uplink does.
static struct {
    uint8_t bytes[ETHERNET_FRAME_MAX];
    unsigned length;
} outside[64];
static unsigned outside_end, outside_next;

static bool outside_enter(struct vswitch_port *p, const struct frame *f)
{
    (void)p, (void)f;
    return true;
}

static enum delivery outside_receive(struct vswitch_port *p, struct frame *f)
{
    struct frame_piece piece;
    (void)p;
    assert_int_equal(frame_cut(f, 0, &piece), STATUS_OK);
    outside[outside_end].length = piece_length(&piece);
    assert_true(piece_length(&piece) <= ETHERNET_FRAME_MAX);
    assert_int_equal(frame_fill(f, &piece), STATUS_OK);
    assert_int_equal(frame_read(f, &piece, outside[outside_end++].bytes), STATUS_OK);
    frame_pass(f, &piece);
    return DELIVERY_MADE;
}

static void outside_leave(struct vswitch_port *p, const struct frame *f, enum delivery delivery)
{
    (void)p, (void)f, (void)delivery;
}

static const struct port_class outside_class = {outside_enter, outside_receive, outside_leave, NULL};

static void outside_attach(struct vswitch_port *p, unsigned n)
{
    *p = (struct vswitch_port){.class = &outside_class, .is_open = true};
    station_address(n, p->address);
    assert_int_equal(vswitch_attach(station_switch, p), STATUS_OK);
}

// The next frame, in `one`; 0: none.
static unsigned got(struct virtio_net_header *h)
{
    uint32_t head, written;
    uint8_t bytes[1u << 16];
    unsigned all = 0;

    if (outside_next < outside_end) {
        *h = (struct virtio_net_header){.num_buffers = 1};
        memcpy(one, outside[outside_next].bytes, outside[outside_next].length);
        return outside[outside_next++].length;
    }
    if (!stations[1])
        return 0;
    if (!driver_used(&stations[1]->rx, &head, &written))
        return 0;
    for (unsigned i = 0;; i++) {
        uint64_t at = buffer_at(head);
        assert_true(written <= buffer_bytes);
        driver_get(at, bytes, written);
        if (!i) {
            if (!written)
                return 0;
            memcpy(h, bytes, sizeof(*h));
        }
        unsigned skip = i ? 0 : STATION_HEADER;
        memcpy(one + all, bytes + skip, written - skip);
        all += written - skip;
        driver_add(&stations[1]->rx, &(struct driver_buffer){at, buffer_bytes, true}, 1);
        if (i + 1 == h->num_buffers)
            return all;
        assert_int_equal(written, buffer_bytes);                     // all but the last are full
        assert_true(driver_used(&stations[1]->rx, &head, &written)); // and all are there at once
    }
}

static void nobody_got(void)
{
    struct virtio_net_header h;
    assert_int_equal(got(&h), 0);
}

static void ip_check(unsigned length, unsigned number)
{
    const uint8_t *ip = one + network(), *was = sent + STATION_HEADER + network();

    assert_memory_equal(one, sent + STATION_HEADER, network());
    if (shape.is_v6) {
        assert_int_equal(get16(ip + 4), length - network() - 40);
        assert_memory_equal(ip + 6, was + 6, 34);
        return;
    }
    assert_int_equal(get16(ip + 2), length - network());
    assert_int_equal(get16(ip + 4), (get16(was + 4) + number) & 0xffff);
    assert_int_equal(sum(0, ip, 20 + shape.ip_options), 0xffff);
    assert_memory_equal(ip + 12, was + 12, 8 + shape.ip_options);
}

static uint32_t sequence(const uint8_t *frame)
{
    return (uint32_t)get16(frame + tcp() + 4) << 16 | get16(frame + tcp() + 6);
}

static void sum_check(unsigned length, const struct virtio_net_header *h, uint64_t features)
{
    unsigned expected = pseudo(one, length - tcp());

    if (features & VIRTIO_NET_F_GUEST_CSUM) {
        assert_int_equal(h->flags, VIRTIO_NET_NEEDS_CHECKSUM);
        assert_true(h->csum_start == tcp() && h->csum_offset == 16);
        assert_int_equal(get16(one + tcp() + 16), expected);
    } else {
        assert_int_equal(h->flags, 0);
        assert_int_equal(sum(expected, one + tcp(), length - tcp()), 0xffff);
    }
}

static void kind_check(const struct virtio_net_header *h, unsigned bytes, bool is_first, uint64_t features)
{
    if (bytes <= shape.segment) {
        assert_true(!h->gso_type && !h->gso_size);
        return;
    }
    assert_true(features & (shape.is_v6 ? VIRTIO_NET_F_GUEST_TSO6 : VIRTIO_NET_F_GUEST_TSO4));
    assert_int_equal(h->gso_type, is_first ? shape.gso_type : shape.gso_type & 0x7f);
    assert_true(!(h->gso_type & 0x80) || features & ECN);
    assert_int_equal(h->gso_size, shape.segment);
    assert_int_equal(h->hdr_len, payload_at());
}

// Takes all that comes of the frame that was made; returns in how many it came.
static unsigned stream_check(uint64_t features)
{
    struct virtio_net_header h;
    unsigned done = 0, count = 0;

    while (done < shape.payload) {
        unsigned length = got(&h);
        assert_true(length >= payload_at());
        unsigned bytes = length - payload_at();
        bool is_last = done + bytes == shape.payload;
        assert_true(is_last || bytes % shape.segment == 0);
        ip_check(length, done / shape.segment);
        assert_int_equal(sequence(one), (uint32_t)(sequence(sent + STATION_HEADER) + done));
        assert_int_equal(one[tcp() + 13], shape.flags & (done ? 0x7f : 0xff) & (is_last ? 0xff : 0xf6));
        assert_memory_equal(one + tcp() + 20, sent + STATION_HEADER + tcp() + 20, shape.tcp_options);
        sum_check(length, &h, features);
        kind_check(&h, bytes, !done, features);
        for (unsigned i = 0; i < bytes; i++)
            assert_int_equal(one[payload_at() + i], pattern(done + i));
        done += bytes;
        count++;
    }
    nobody_got();
    return count;
}

// --- tests -------------------------------------------------------------------------------------------------

static void test_sums(void **state)
{
    uint8_t bytes[400];
    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rand();
    for (unsigned i = 0; i < 20000 / FEWER; i++) {
        unsigned from = (unsigned)rand() % 200, first = (unsigned)rand() % 100, second = (unsigned)rand() % 100;
        struct checksum c = {0};
        checksum_add(&c, bytes + from, first);
        checksum_add(&c, bytes + from + first, second);
        uint16_t folded = checksum_sum(&c);
        assert_int_equal(get16((const uint8_t *)&folded), sum(0, bytes + from, first + second));
    }
    memset(bytes, 0xff, sizeof(bytes));
    struct checksum c = {0};
    checksum_add(&c, bytes, 400);
    assert_int_equal(checksum_of(&c), 0xffff); // never 0
}

static bool is_agreed(uint64_t features)
{
    driver_negotiate(&stations[0]->net.device, COMMON | features);
    return driver_read(&stations[0]->net.device, 0x070) & VIRTIO_FEATURES_OK;
}

static void test_features_that_need_others(void **state)
{
    (void)state;
    station_add(0, false, false);
    assert_true(is_agreed(0));
    assert_true(is_agreed(SENDS | TAKES | ECN | MERGES));
    assert_true(is_agreed(VIRTIO_NET_F_CSUM) && is_agreed(VIRTIO_NET_F_GUEST_CSUM) && is_agreed(MERGES));
    assert_false(is_agreed(VIRTIO_NET_F_GUEST_TSO4));
    assert_false(is_agreed(VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_CSUM));
    assert_false(is_agreed(VIRTIO_NET_F_HOST_TSO4));
    assert_false(is_agreed(VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_GUEST_CSUM));
    assert_false(is_agreed(VIRTIO_NET_F_GUEST_CSUM | ECN));
    assert_false(is_agreed(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_ECN));
    assert_false(is_agreed(1u << 10)); // UFO: not offered
}

static const struct shape shapes[] = {
    {.payload = 40000, .segment = 1448, .tcp_options = 12, .flags = 0x19, .gso_type = VIRTIO_NET_GSO_TCPV4},
    {.payload = 40000, .segment = 1428, .tcp_options = 12, .flags = 0x18, .gso_type = VIRTIO_NET_GSO_TCPV6, .is_v6 = 1},
    {.payload = 65535 - 120,
     .segment = 1380,
     .ip_options = 40,
     .tcp_options = 40,
     .is_tagged = true,
     .flags = 0x10,
     .gso_type = VIRTIO_NET_GSO_TCPV4},
    {.payload = 30001, .segment = 1440, .flags = 0x98, .gso_type = VIRTIO_NET_GSO_TCPV6 | 0x80, .is_v6 = true},
    {.payload = 5001, .segment = 1001, .flags = 0x99, .gso_type = VIRTIO_NET_GSO_TCPV4 | 0x80},
    {.payload = 1449, .segment = 1448, .tcp_options = 12, .gso_type = VIRTIO_NET_GSO_TCPV4},
    {.payload = 1448, .segment = 1448, .tcp_options = 12, .gso_type = VIRTIO_NET_GSO_TCPV4},
    {.payload = 30, .segment = 1, .gso_type = VIRTIO_NET_GSO_TCPV4},
    {.payload = 777, .segment = 1460, .flags = 0x18, .gso_type = VIRTIO_NET_GSO_NONE},
};

static const uint64_t takers[] = {
    COMMON, TAKES_SUMS, TAKES, TAKES | ECN, TAKES_SUMS | VIRTIO_NET_F_GUEST_TSO4, TAKES_SUMS | VIRTIO_NET_F_GUEST_TSO6};

// Of each shape to each kind of receiver, in buffers that hold a frame, or all of it, or are filled as one.
static void test_each_gets_what_it_takes(void **state)
{
    static const unsigned sizes[] = {1530, 0xb000, 1436};
    (void)state;
    pair_make(SENDS, COMMON, 1530);
    for (unsigned i = 0; i < array_length(shapes); i++)
        for (unsigned k = 0; k < array_length(takers) * array_length(sizes); k++) {
            unsigned bytes = sizes[k % array_length(sizes)];
            uint64_t features = takers[k / array_length(sizes)] | (bytes == 1436 ? MERGES : 0);
            bool is_long = features & (shapes[i].is_v6 ? VIRTIO_NET_F_GUEST_TSO6 : VIRTIO_NET_F_GUEST_TSO4);
            unsigned each = is_long ? bytes : 1;
            shape = shapes[i];
            // A merging one has too few buffers for many segments, and one of few long buffers likewise.
            if ((is_long && bytes == 1530) || (!is_long && (bytes != 1530 || shape.payload / shape.segment > 55)) ||
                !each)
                continue;
            receiver_start(features, bytes);
            send(make());
            unsigned count = stream_check(features);
            if (!is_long)
                assert_int_equal(count, (shape.payload + shape.segment - 1) / shape.segment);
        }
    assert_int_equal(stations[0]->net.device.counts[VIRTIO_FROM_GUEST].drops, 0);
    assert_int_equal(stations[1]->net.device.counts[VIRTIO_TO_GUEST].drops, 0);
}

// A long frame is brought in steps, as short as any.
static void test_long_frames_in_steps(void **state)
{
    (void)state;
    pair_make(SENDS, TAKES | MERGES, 1436);
    shape = shapes[0];
    queue(make());
    driver_write(&stations[0]->net.device, 0x050, 1);
    for (unsigned steps = 1; virtio_run(&stations[0]->net.device, 8000) == VIRTIO_MORE; steps++) {
        uint64_t bytes = stations[1]->net.device.counts[VIRTIO_TO_GUEST].bytes;
        assert_true(bytes <= steps * (8000 + 2 * 1514 + 12 * 66));
    }
    assert_in_range(stream_check(TAKES), 5, 8);
    // The receiver begins anew on the way, and takes less.
    send(make());
    assert_true(stream_check(TAKES) == 2);
    queue(make());
    driver_write(&stations[0]->net.device, 0x050, 1);
    assert_int_equal(virtio_run(&stations[0]->net.device, 8000), VIRTIO_MORE);
    receiver_start(COMMON, 1530);
    while (virtio_run(&stations[0]->net.device, 8000) == VIRTIO_MORE) {
    }
    struct virtio_net_header h;
    unsigned length, last = 0;
    while ((length = got(&h)) != 0) {
        sum_check(length, &h, COMMON);
        last = length;
    }
    assert_int_equal(last, payload_at() + shape.payload % shape.segment);
    // What is summed up is read twice, and a step is half as long.
    queue(make());
    driver_write(&stations[0]->net.device, 0x050, 1);
    assert_int_equal(virtio_run(&stations[0]->net.device, 8000), VIRTIO_MORE);
    for (length = 0; got(&h); length++)
        assert_true(length < 3);
    while (virtio_run(&stations[0]->net.device, 8000) == VIRTIO_MORE) {
    }
    while (got(&h)) {
    }
    // The sender begins anew on the way: the rest never comes.
    queue(make());
    driver_write(&stations[0]->net.device, 0x050, 1);
    assert_int_equal(virtio_run(&stations[0]->net.device, 8000), VIRTIO_MORE);
    start(stations[0], SENDS);
    while (virtio_run(&stations[0]->net.device, 8000) == VIRTIO_MORE) {
    }
    while (got(&h)) {
    }
    shape = shapes[5];
    send(make());
    stream_check(COMMON);
}

// The uplink's device takes nothing but whole frames, and what comes from there is some.
static void test_outside(void **state)
{
    static const struct virtio_net_header whole;
    struct vswitch_port port;
    (void)state;
    station_add(0, false, false);
    start(stations[0], SENDS);
    outside_attach(&port, 1);
    for (unsigned i = 0; i < array_length(shapes); i++) {
        outside_end = outside_next = 0;
        shape = shapes[i];
        send(make());
        stream_check(COMMON);
    }
    shape = shapes[8];
    unsigned length = make();
    memcpy(one, sent + STATION_HEADER, length);
    station_address(0, one);
    station_address(1, one + 6);
    driver_add(&stations[0]->rx, &(struct driver_buffer){RECEIVED_AT, 1530, true}, 1);
    struct frame f = {.from = &port, .length = length, .bytes = one};
    assert_int_equal(frame_begin(&f, &whole, 0), STATUS_OK);
    assert_true(vswitch_admit(&f));
    assert_int_equal(vswitch_deliver(&f), DELIVERY_MADE);
    assert_int_equal(vswitch_deliver(&f), DELIVERY_DONE);
    uint8_t came[2048];
    driver_get(RECEIVED_AT, came, STATION_HEADER + length);
    assert_true(came[0] == 0 && came[10] == 1);
    assert_memory_equal(came + STATION_HEADER, one, length);
    vswitch_detach(&port);
    outside_end = outside_next = 0;
}

// A datagram whose sum is 0 says so with another number that means the same; and one within a tunnel, far in.
static void test_other_sums(void **state)
{
    struct virtio_net_header h = {.flags = VIRTIO_NET_NEEDS_CHECKSUM, .csum_start = 34, .csum_offset = 6};
    (void)state;
    pair_make(SENDS, COMMON, 1530);
    memset(sent, 0, 2000);
    memcpy(sent, &h, sizeof(h));
    station_address(1, sent + STATION_HEADER);
    station_address(0, sent + STATION_HEADER + 6);
    memset(sent + STATION_HEADER + 34, 0xff, 2);
    send(61);
    assert_int_equal(got(&h), 61);
    assert_int_equal(get16(one + 40), 0xffff);
    for (unsigned start = 14; start < 300; start += 5) {
        h = (struct virtio_net_header){.flags = 1, .csum_start = (uint16_t)start, .csum_offset = 16};
        memcpy(sent, &h, sizeof(h));
        for (unsigned i = start; i < 801; i++)
            sent[STATION_HEADER + i] = pattern(i + start);
        send(801);
        if (start + 18 > FRAME_HEAD_MAX)
            break;
        assert_int_equal(got(&h), 801);
        unsigned field = get16(one + start + 16);
        put16(one + start + 16, get16(sent + STATION_HEADER + start + 16));
        assert_memory_equal(one, sent + STATION_HEADER, 801);
        assert_int_equal(field, 0xffff ^ sum(0, one + start, 801 - start));
    }
    nobody_got();
    assert_int_equal(stations[1]->net.device.counts[VIRTIO_TO_GUEST].drops, 1);
    receiver_start(TAKES_SUMS, 1530);
    send(801);
    assert_int_equal(got(&h), 801);
    assert_true(h.flags == 1 && h.csum_start + 18u > FRAME_HEAD_MAX && h.csum_offset == 16);
    assert_memory_equal(one, sent + STATION_HEADER, 801);
}

// Buffers that are filled as one, and are too few, or of too many parts: nothing is lost but the frame.
static void test_merged_buffers(void **state)
{
    struct virtio_net_header h;
    struct driver_buffer parts[33];
    (void)state;
    pair_make(SENDS, TAKES | MERGES, RECEIVED_BYTES);
    start(stations[1], TAKES | MERGES);
    buffer_bytes = 600;
    for (unsigned i = 0; i < 4; i++)
        buffer_give(i);
    shape = shapes[8];
    for (unsigned i = 0; i < 10; i++) {
        shape.payload = i & 1 ? 2406 - STATION_HEADER - 54 : 1300;
        shape.gso_type = i & 1 ? VIRTIO_NET_GSO_TCPV4 : 0;
        shape.segment = 1460;
        send(make());
        if (!(i & 1)) {
            assert_int_equal(stream_check(TAKES), 1);
            assert_int_equal(one[0], 2);
        }
        nobody_got(); // of 2406 bytes, for which there is room for 2400
        if (i & 1)
            assert_int_equal(stations[1]->net.device.counts[VIRTIO_TO_GUEST].drops, i + 1);
    }
    shape.payload = 2400 - STATION_HEADER - 54;
    send(make());
    assert_int_equal(stream_check(TAKES), 1);
    // Two chains of 33 parts are more than are looked at.
    start(stations[1], TAKES | MERGES);
    for (unsigned i = 0; i < 64; i++)
        driver_descriptor(&stations[1]->rx, (uint16_t)i, RECEIVED_AT, 20, 0, 0);
    for (unsigned i = 0; i < 33; i++)
        parts[i] = (struct driver_buffer){RECEIVED_AT + 20 * i, 20, true};
    driver_add(&stations[1]->rx, parts, 33);
    driver_add(&stations[1]->rx, parts, 30);
    stations[1]->rx.next_descriptor = 0;
    driver_add(&stations[1]->rx, parts, 33);
    shape.payload = 1300;
    shape.gso_type = 0;
    send(make());
    assert_false(driver_read(&stations[1]->net.device, 0x070) & VIRTIO_NEEDS_RESET);
    uint32_t head, written;
    assert_false(driver_used(&stations[1]->rx, &head, &written));
    shape.payload = 33 * 20 - STATION_HEADER - 54; // fits exactly
    send(make());
    assert_true(driver_used(&stations[1]->rx, &head, &written));
    assert_true(head == 0 && written == 660);
    driver_get(RECEIVED_AT, &h, sizeof(h));
    assert_int_equal(h.num_buffers, 1);
}

struct lie {
    uint16_t at; // in what is sent, 0xff00 more: of IP, 0xfe00: of TCP
    uint8_t and, or ;
};
#define OF_IP 0xff00u
#define OF_TCP 0xfe00u

static void test_lies(void **state)
{
    static const struct lie lies[] = {
        {0, 0, 0}, // no checksum
        {1, 0, 3},
        {1, 0, 5},
        {1, 0, 0x7f},
        {1, 0, 0x80}, // of another kind, or none
        {1, 0, 4},    // of the other IP
        {4, 0, 0},
        {5, 0xff, 0x80}, // segments of nothing, or too long
        {6, 0xff, 1},
        {6, 0, 0},
        {7, 0, 0xff}, // TCP elsewhere
        {8, 0, 6},
        {8, 0xff, 1},
        {9, 0, 0xff}, // its checksum too
        {OF_IP, 0, 0x44},
        {OF_IP, 0, 0x46},
        {OF_IP, 0, 0x4f},
        {OF_IP, 0, 0x65},
        {OF_IP, 0, 0},
        {OF_IP + 2, 0, 0},
        {OF_IP + 3, 0xff, 2},
        {OF_IP + 3, 0xfe, 0}, // IP's length
        {OF_IP + 6, 0xff, 0x20},
        {OF_IP + 7, 0xff, 1},
        {OF_IP + 9, 0, 17}, // fragments, not TCP
        {OF_TCP + 12, 0, 0x40},
        {OF_TCP + 12, 0, 0}, // its header's length
        {STATION_HEADER + 12, 0, 0x86},
        {STATION_HEADER + 12, 0, 0x81},
    };
    struct virtio_net_header h;
    unsigned drops = 0;
    (void)state;
    pair_make(SENDS, COMMON, 1530);
    const struct virtio_count *count = &stations[0]->net.device.counts[VIRTIO_FROM_GUEST];
    for (unsigned i = 0; i < array_length(lies); i++) {
        shape = (struct shape){.payload = 3001, .segment = 180, .gso_type = VIRTIO_NET_GSO_TCPV4};
        unsigned length = make(), at = lies[i].at;
        at = at >= OF_IP    ? at - OF_IP + STATION_HEADER + network()
             : at >= OF_TCP ? at - OF_TCP + STATION_HEADER + tcp()
                            : at;
        sent[at] = (uint8_t)((sent[at] & lies[i].and) | lies[i].or);
        send(length);
        if (count->drops != ++drops)
            fail_msg("lie %u was believed", i);
        nobody_got();
    }
    for (unsigned length = 14; length < 3055; length += length < 100 ? 1 : 97) { // cut short
        make();
        send(length);
        assert_int_equal(count->drops, ++drops);
    }
    shape = (struct shape){.payload = 3001, .segment = 1420, .gso_type = VIRTIO_NET_GSO_TCPV6, .is_v6 = true};
    for (unsigned next = 0; next < 256; next += 3) { // headers between IPv6 and TCP
        unsigned length = make();
        sent[STATION_HEADER + 20] = (uint8_t)next;
        if (next == 6)
            continue;
        send(length);
        assert_int_equal(count->drops, ++drops);
    }
    shape.payload = 39; // TCP's header ends after the frame
    shape.segment = 100;
    unsigned short_one = make();
    sent[STATION_HEADER + tcp() + 12] = 0xf0;
    send(short_one);
    assert_int_equal(count->drops, ++drops);
    shape.payload = 3001;
    shape.gso_type = 0; // long, and not to be cut
    send(make());
    assert_int_equal(count->drops, ++drops);
    shape = shapes[8];
    unsigned length = make();
    for (unsigned start = 0; start < 0x10000; start += 123) {
        put16(sent + 6, start << 8 | start >> 8); // little-endian
        send(length);
        drops += start < 14 || start + 18 > length;
        assert_int_equal(count->drops, drops);
        while (got(&h)) {
        }
    }
    assert_false(driver_read(&stations[0]->net.device, 0x070) & VIRTIO_NEEDS_RESET);
    assert_false(driver_read(&stations[1]->net.device, 0x070) & VIRTIO_NEEDS_RESET);
    shape = shapes[0];
    send(make());
    stream_check(COMMON);
}

// Who has not agreed to it gets nothing done.
static void test_not_negotiated(void **state)
{
    static const uint64_t too_little[] = {COMMON, COMMON | VIRTIO_NET_F_CSUM,
                                          COMMON | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO6,
                                          COMMON | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4};
    (void)state;
    pair_make(SENDS, TAKES | MERGES, 1530);
    for (unsigned i = 0; i < array_length(too_little); i++) {
        start(stations[0], too_little[i]);
        shape = shapes[4];
        send(make());
        nobody_got();
        shape = shapes[8];
        send(make());
        if (i)
            stream_check(TAKES);
        nobody_got();
    }
}

// Limits, floods and counts are of the frames that go over a wire, whoever cuts.
static void test_rates_and_counts(void **state)
{
    (void)state;
    pair_make(SENDS, TAKES | MERGES, 1436);
    shape = (struct shape){.payload = 14600, .segment = 1460, .gso_type = VIRTIO_NET_GSO_TCPV4};
    for (unsigned i = 0; i < 2; i++) {
        send(make());
        stream_check(i ? COMMON : TAKES);
        const struct virtio_count *out = &stations[0]->net.device.counts[VIRTIO_FROM_GUEST];
        const struct virtio_count *in = &stations[1]->net.device.counts[VIRTIO_TO_GUEST];
        assert_true(out->requests == 10 * (i + 1) && in->requests == 10 * (i + 1));
        assert_true(out->bytes == 15140 * (i + 1) && in->bytes == 15140 * (i + 1));
        receiver_start(COMMON, 1530);
    }
    rates_init(STATION_HZ);
    struct virtio_queue *queues = stations[0]->net.queues;
    rates_set(&queues[VIRTIO_NET_TRANSMIT].rates, 40, 0); // 10 take a quarter of a second, 5 are lent
    send(make());
    stream_check(COMMON);
    send(make());
    nobody_got();
    assert_int_equal(virtio_later(&stations[0]->net.device), station_time + STATION_HZ / 8);
    rates_set(&queues[VIRTIO_NET_TRANSMIT].rates, 0, 0);
    station_transmit(stations[0]);
    stream_check(COMMON);
    unsigned length = make(), count = 0;
    struct virtio_net_header h;
    struct vswitch_port port;
    outside_attach(&port, 2);
    memset(sent + STATION_HEADER, 0xff, 6);
    for (unsigned i = 0; i < 2 * VSWITCH_FLOODS / 10; i++) {
        send(length);
        for (; got(&h); count++)
            sum_check(payload_at() + shape.segment, &h, COMMON);
        outside_end = outside_next = 0;
    }
    assert_int_equal(count, 2 * (VSWITCH_FLOODS / 10 * 10)); // each of them got all of those that were let in
    vswitch_detach(&port);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stations_setup, stations_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        TEST(test_features_that_need_others),
        TEST(test_each_gets_what_it_takes),
        TEST(test_long_frames_in_steps),
        TEST(test_outside),
        TEST(test_other_sums),
        TEST(test_merged_buffers),
        TEST(test_lies),
        TEST(test_not_negotiated),
        TEST(test_rates_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
