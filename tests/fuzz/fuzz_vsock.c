// sources: hypervisor/virtio/vsock.c hypervisor/virtio/vsock_host.c hypervisor/virtio/vsock_links.c
// sources: hypervisor/virtio/virtio.c hypervisor/virtio/rate.c
// sources: hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c tests/unit/fake/driver.c
// sources: tests/unit/fake/sockets.c tests/unit/fake/manage.c hypervisor/manage/service.c lib/format.c
//
// Three guests with sockets whose drivers write any registers and rings, and send any packets and any commands in
// between. No step has no end or touches what is no guest's memory; links and talks are counted right; each visit ends;
// nothing is left when all is reset.
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "manage_fake.h"
#include "sockets.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define CLONE_CID 100u

static const char *const words[] = {
    "2 0 0 0 0\n", "1 1 0 0 640\n", "15 1 ", "0 0 0\n",      "\n", "10 1 0 0 5 ", "7477696e00\n", "12 1 1 7 0\n", "18 ",
    "0 ",          "640 ",          "3 ",    "99 1 2 3 4\n", "-1", "6 1 0 0 0\n", "\r\n"};

static void packet_any(struct station *s, struct input *in)
{
    static const uint32_t cids[] = {2, 10, 11, 12, CLONE_CID, 4711};
    static const uint32_t ports[] = {1, 2, 1000, 3344, 2000};
    uint8_t bytes[512], to = byte(in), kind = byte(in);
    struct virtio_vsock_header h = {
        .src_cid = kind & 0x80 && kind & 0x40 ? byte(in) : s->vsock.cid,
        .dst_cid = cids[to % 6],
        .src_port = ports[byte(in) % 5],
        .dst_port = to % 6 ? ports[byte(in) % 5] : VSOCK_PORT + !(byte(in) & 15),
        .type = kind & 0x30 ? VIRTIO_VSOCK_STREAM : (uint16_t)(byte(in) & 3),
        .op = kind & 15,
        .flags = byte(in),
        .buf_alloc = kind & 0x40 ? 0x10000 : 16u * byte(in),
        .fwd_cnt = kind & 0x20 ? 0 : 64u * byte(in),
    };
    if (h.op == VIRTIO_VSOCK_RW) {
        const char *word = words[byte(in) % array_length(words)];
        h.len = byte(in) & 7 ? (uint32_t)strlen(word) : 2u * byte(in);
        memset(bytes, byte(in), sizeof(bytes));
        memcpy(bytes, word, strlen(word));
    }
    packet_send(s, &h, h.len ? bytes : NULL);
}

static void descriptor_any(struct station *s, struct input *in)
{
    uint16_t n = byte(in) % 64, flags = byte(in) & 7, next = byte(in) % 70;
    uint64_t where = address(in);
    uint32_t length = byte(in) & 0x80 ? (uint32_t)address(in) : 16u * byte(in) + (byte(in) & 1);
    driver_descriptor(n & 1 ? &s->rx : &s->tx, n, where, length, flags, next);
}

static void world_change(struct station *s, struct input *in)
{
    uint8_t how = byte(in);
    fake_denies = how & 1;
    fake_error = how & 2 ? -3 : 0;
    station_clock += (uint64_t)byte(in) << (how >> 4);
    driver_lacking = how & 12 ? 0 : how >> 4;
    s->is_away = how & 16;
    s->is_woken = true;
}

static void clone_make(struct input *in)
{
    struct station *clone = stations[2], *original = stations[byte(in) & 1];
    vsock_silence(&clone->vsock);
    vsock_adopt(&clone->vsock, &original->vsock, &clone->space);
    clone->is_woken = true;
}

static void step(struct station *s, struct input *in)
{
    switch (byte(in) % 14) {
    case 0:
        s->given = byte(in) & 3 ? STATION_BUFFER : 8u * byte(in);
        station_start(s);
        break;
    case 1:
        virtio_write(&s->vsock.device, 4u * (byte(in) % 66), 4, byte(in) & 1 ? byte(in) : address(in));
        break;
    case 2:
        driver_put(s->memory + 4 * byte(in), &(uint32_t){(uint32_t)address(in)}, 4);
        break;
    case 3:
        world_change(s, in);
        break;
    case 4:
        descriptor_any(s, in);
        break;
    case 5:
        clone_make(in);
        break;
    case 6:
        vsock_silence(&s->vsock);
        break;
    case 7:
    case 8:
        if (s->rx.size)
            station_give(s);
        break;
    default:
        if (s->tx.size)
            packet_any(s, in);
    }
    REQUIRE(stations_settle());
}

static void check(void)
{
    unsigned talks = 0;
    for (unsigned i = 0; i < STATIONS; i++) {
        const struct vsock *v = &stations[i]->vsock;
        unsigned owed = 0, served = 0, own = 0;
        for (unsigned n = 0; n < VSOCK_LINKS; n++) {
            owed += v->links[n].state == LINK_OWED;
            served += v->links[n].state == LINK_SERVED;
        }
        for (unsigned n = 0; n < VSOCK_TALKS; n++)
            own += v->talks[n].talk != NULL;
        talks += own;
        REQUIRE(owed == v->owed && served == own);
        REQUIRE(!stations[i]->visits);
    }
    REQUIRE(talks == talks_in_use);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    stations_reset();
    memset(fake_capsules, 0, sizeof(fake_capsules));
    fake_capsule_count = 0;
    fake_denies = false;
    fake_error = 0;
    fake_add("kid", 0, DIOSIX_RUNNING);
    fake_log = "some\x1b[31m text\n\n\nmore\n";
    station_make(0, 10, 1);
    station_make(1, 11, byte(&in) & 3);
    station_make(2, CLONE_CID, 1);
    for (unsigned i = 0; i < STATIONS; i++)
        station_start(stations[i]);
    while (in.at < in.end) {
        step(stations[byte(&in) % STATIONS], &in);
        check();
    }
    stations_reset();
    REQUIRE(!talks_in_use);
    return 0;
}
