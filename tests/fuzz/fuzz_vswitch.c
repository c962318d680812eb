// sources: hypervisor/virtio/vswitch.c hypervisor/virtio/vnet.c hypervisor/virtio/virtio.c hypervisor/virtio/rate.c
// sources: hypervisor/virtio/frame.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c lib/checksum.c
// sources: tests/unit/fake/driver.c
//
// Three guests on a switch whose drivers write any registers and rings, and send and receive in between, with and
// without checksums and segments left to others. No step has no end, is longer than it may or touches what is no
// guest's memory; a port that is not open never has an address but its own; what one has learned is counted right; each
// visit ends.
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "hart.h"
#include "input.h"
#include "vnet.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define PORTS 3u
#define GOOD (VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_MAC)
#define SENDS (VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN)
#define TAKES (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6)

unsigned char *hpa_arena;
static uint64_t time_now;
static struct vswitch *on;
static struct station {
    struct vnet net;
    struct driver_queue queues[2];
    uint64_t memory;
    bool is_away;
    unsigned visits;
    struct space space;
} stations[PORTS];

uint64_t hart_time(void)
{
    return time_now;
}

bool virtio_visit(struct virtio_device *other, const struct space *own)
{
    struct station *s = container_of(other, struct station, net.device);
    (void)own;
    s->visits += !s->is_away;
    return !s->is_away;
}

void virtio_wake(struct virtio_device *d)
{
    (void)d;
}

void virtio_visit_end(struct virtio_device *other, const struct space *own, bool exhausted)
{
    (void)own;
    REQUIRE(container_of(other, struct station, net.device)->visits--);
    REQUIRE(!exhausted || driver_lacking == 0);
}

static void station_make(unsigned n, uint8_t flags)
{
    struct station *s = &stations[n];
    memset(s, 0, sizeof(*s));
    s->memory = DRIVER_RAM + 0x10000 * n;
    s->space = driver_space;
    s->net.port.is_open = flags & 1;
    s->net.port.is_isolated = flags & 2;
    memcpy(s->net.port.address, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)n}, 6);
    vnet_init(&s->net, &s->space);
    REQUIRE(vswitch_attach(on, &s->net.port) == STATUS_OK);
}

static uint64_t received(void)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < PORTS; i++)
        bytes += stations[i].net.device.counts[VIRTIO_TO_GUEST].bytes;
    return bytes;
}

// What is counted has headers that were never sent, each with a byte at least.
static void run(struct station *s, uint32_t budget)
{
    uint64_t before = received();
    enum virtio_progress progress = virtio_run(&s->net.device, budget);
    REQUIRE(received() - before <= (budget + 2 * ETHERNET_FRAME_MAX) * (FRAME_HEAD_MAX + 1ull));
    if (progress == VIRTIO_BROKEN)
        REQUIRE(driver_read(&s->net.device, 0x070) & VIRTIO_NEEDS_RESET);
}

static uint64_t features(uint8_t choice)
{
    uint64_t takes = choice & 8 ? 0 : VIRTIO_NET_F_GUEST_CSUM | TAKES | (choice & 16 ? VIRTIO_NET_F_GUEST_ECN : 0);
    return VIRTIO_F_VERSION_1 | (choice & 1 ? GOOD : 0) | (choice & 2 ? 0 : SENDS) |
           (choice & 4 ? VIRTIO_NET_F_GUEST_CSUM : 0) | takes | (choice & 32 ? 0 : VIRTIO_NET_F_MRG_RXBUF);
}

// A driver that does all as it should, with some buffers of the same length to receive into.
static void start(struct station *s, struct input *in)
{
    uint16_t size = (uint16_t)(64u >> byte(in) % 7);
    uint8_t kind = byte(in);
    uint32_t length = 1530u * (1u + (kind & 3));

    driver_negotiate(&s->net.device, features(byte(in)));
    for (unsigned i = 0; i < 2; i++)
        driver_queue_set_up(&s->queues[i], &s->net.device, i, size, s->memory + 0x1000 * i);
    driver_ok(&s->net.device);
    for (unsigned i = 0; i < (kind >> 3) && i < size; i++)
        driver_add(&s->queues[0], &(struct driver_buffer){s->memory + 0x6000 + 0x100 * i, length, true}, 1);
    virtio_write(&s->net.device, 0x050, 4, 0);
    run(s, VIRTIO_STEP_BYTES);
}

static void frame_send(struct station *s, struct input *in)
{
    uint64_t at = s->memory + 0x4000;
    uint8_t frame[26] = {0}, to = byte(in), from = byte(in);
    uint32_t length = 12u * byte(in) + 2;
    frame[12] = frame[18] = 2;
    frame[17] = to % 5;
    if (to > 240)
        memset(frame + 12, 0xff, 6);
    frame[23] = from & 3 ? (uint8_t)(s - stations) : from;
    driver_put(at, frame, sizeof(frame));
    driver_add(&s->queues[1], (struct driver_buffer[]){{at, 20, false}, {at + 20, length, false}}, 2);
    virtio_write(&s->net.device, 0x050, 4, 1);
    run(s, byte(in) & 1 ? 600 : VIRTIO_STEP_BYTES);
}

static void tcp_make(uint8_t *frame, uint32_t length, bool is_v6)
{
    uint8_t *ip = frame + 14, *tcp = ip + (is_v6 ? 40 : 20);
    uint32_t bytes = length - (is_v6 ? 54 : 14);
    memcpy(frame + 12, is_v6 ? "\x86\xdd" : "\x08\x00", 2);
    ip[0] = is_v6 ? 0x60 : 0x45;
    ip[is_v6 ? 4 : 2] = (uint8_t)(bytes >> 8);
    ip[is_v6 ? 5 : 3] = (uint8_t)bytes;
    ip[is_v6 ? 6 : 9] = 6;
    tcp[12] = 0x80;
    tcp[13] = 0x99;
}

// A TCP segment to be cut, right but for some bytes.
static void segments_send(struct station *s, struct input *in)
{
    uint64_t at = s->memory + 0x4000;
    uint8_t bytes[160] = {0}, kind = byte(in), size = byte(in);
    bool is_v6 = kind & 4;
    uint32_t parts = 1u + (kind >> 6), each = 17u * byte(in), length = 148 + parts * each;
    struct virtio_net_header h = {.flags = 1, .gso_type = kind & 0x85, .gso_size = (uint16_t)(size ? 6 * size : 1)};
    struct driver_buffer buffers[5] = {{at, 160, false}};
    h.csum_start = is_v6 ? 54 : 34;
    h.csum_offset = 16;
    memcpy(bytes, &h, sizeof(h));
    bytes[12] = bytes[18] = 2;
    bytes[17] = byte(in) % 4;
    bytes[23] = (uint8_t)(s - stations);
    tcp_make(bytes + sizeof(h), length, is_v6);
    for (unsigned i = byte(in) & 3; i; i--)
        bytes[byte(in) % 120] = byte(in);
    driver_put(at, bytes, sizeof(bytes));
    for (unsigned i = 0; i < parts; i++)
        buffers[1 + i] = (struct driver_buffer){at + 100 * i, each, false};
    driver_add(&s->queues[1], buffers, 1 + parts);
    virtio_write(&s->net.device, 0x050, 4, 1);
    run(s, byte(in) & 1 ? 600 : VIRTIO_STEP_BYTES);
}

static void buffer_give(struct station *s, struct input *in)
{
    uint64_t at = s->memory + 0x6000 + 0x40 * byte(in);
    uint32_t length = 16u * byte(in);
    driver_add(&s->queues[0], (struct driver_buffer[]){{at, 12, true}, {at + 12, length, true}}, 1 + (length & 1));
    virtio_write(&s->net.device, 0x050, 4, 0);
    run(s, VIRTIO_STEP_BYTES);
}

static void any_write(struct station *s, struct input *in)
{
    uint32_t offset = 4u * (byte(in) % 66);
    virtio_write(&s->net.device, offset, 4, byte(in) & 1 ? byte(in) : address(in));
}

static void descriptor_write(struct station *s, struct input *in)
{
    uint16_t n = byte(in) % 64, flags = byte(in) & 7, next = byte(in) % 70;
    uint64_t where = address(in);
    uint32_t length = byte(in) & 0x80 ? (uint32_t)address(in) : 16u * byte(in) + (byte(in) & 1);
    driver_descriptor(&s->queues[n & 1], n, where, length, flags, next);
}

static void step(struct station *s, struct input *in)
{
    switch (byte(in) % 15) {
    case 0:
        start(s, in);
        break;
    case 1:
        any_write(s, in);
        break;
    case 2:
        driver_put(s->memory + 4 * byte(in), &(uint32_t){(uint32_t)address(in)}, 4);
        break;
    case 3:
        time_now += (uint64_t)byte(in) << (byte(in) & 15);
        break;
    case 4:
        s->is_away = byte(in) & 1;
        break;
    case 5:
        driver_lacking = byte(in) & 31 ? 0 : byte(in) % 8;
        break;
    case 6:
        descriptor_write(s, in);
        break;
    case 7:
        vnet_adopt(&s->net, &stations[byte(in) % PORTS].net, &s->space);
        break;
    case 8:
    case 9:
        buffer_give(s, in);
        break;
    case 10:
    case 11:
        frame_send(s, in);
        break;
    default:
        segments_send(s, in);
    }
}

static void check(void)
{
    unsigned learned[PORTS] = {0};
    for (unsigned i = 0; i < VSWITCH_ADDRESSES; i++) {
        const struct vswitch_address *a = &on->addresses[i];
        if (!a->port)
            continue;
        learned[a->port - 1] += !a->is_own;
        REQUIRE(a->is_own == !memcmp(a->address, stations[a->port - 1].net.port.address, 6));
        REQUIRE(a->is_own || stations[a->port - 1].net.port.is_open);
    }
    for (unsigned i = 0; i < PORTS; i++) {
        REQUIRE(learned[i] == stations[i].net.port.learned && learned[i] <= VSWITCH_LEARNED_MAX);
        REQUIRE(!stations[i].visits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t flags = byte(&in);
    driver_memory_reset();
    time_now = 0;
    on = calloc(1, sizeof(*on));
    vswitch_init(on, "lan", 1000);
    for (unsigned i = 0; i < PORTS; i++) {
        station_make(i, flags >> 2 * i);
        start(&stations[i], &in);
    }
    while (in.at < in.end) {
        step(&stations[byte(&in) % PORTS], &in);
        check();
    }
    driver_lacking = 0;
    for (unsigned i = 0; i < PORTS; i++) {
        for (unsigned steps = 0; virtio_run(&stations[i].net.device, VIRTIO_STEP_BYTES) == VIRTIO_MORE; steps++)
            REQUIRE(steps < 100000); // each a segment of one byte, at worst
        vswitch_detach(&stations[i].net.port);
    }
    for (unsigned i = 0; i < VSWITCH_ADDRESSES; i++)
        REQUIRE(!on->addresses[i].port);
    free(on);
    return 0;
}
