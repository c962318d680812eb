// sources: hypervisor/virtio/vswitch.c hypervisor/virtio/vnet.c hypervisor/virtio/virtio.c hypervisor/virtio/rate.c
// sources: hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c tests/unit/fake/driver.c
//
// Three guests on a switch whose drivers write any registers and rings, and send and receive in between. No step
// has no end or touches what is no guest's memory; a port that is not open never has an address but its own; what one
// has learned is counted right; each visit ends.
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "hart.h"
#include "input.h"
#include "vnet.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define PORTS 3u
#define GOOD (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_MAC)

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

static void start(struct station *s, struct input *in)
{
    uint16_t size = (uint16_t)(1u << byte(in) % 7);
    driver_negotiate(&s->net.device, byte(in) & 1 ? VIRTIO_F_VERSION_1 : GOOD);
    for (unsigned i = 0; i < 2; i++)
        driver_queue_set_up(&s->queues[i], &s->net.device, i, size, s->memory + 0x1000 * i);
    driver_ok(&s->net.device);
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

static void run(struct station *s, uint32_t budget)
{
    enum virtio_progress progress = virtio_run(&s->net.device, budget);
    if (progress == VIRTIO_BROKEN)
        REQUIRE(driver_read(&s->net.device, 0x070) & VIRTIO_NEEDS_RESET);
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
    switch (byte(in) % 12) {
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
    default:
        frame_send(s, in);
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
            REQUIRE(steps < 1000);
        vswitch_detach(&stations[i].net.port);
    }
    for (unsigned i = 0; i < VSWITCH_ADDRESSES; i++)
        REQUIRE(!on->addresses[i].port);
    free(on);
    return 0;
}
