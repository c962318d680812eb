// sources: hypervisor/virtio/vswitch.c hypervisor/virtio/vnet.c hypervisor/virtio/virtio.c hypervisor/virtio/rate.c
// sources: hypervisor/virtio/frame.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c lib/checksum.c
// sources: tests/unit/fake/driver.c tests/unit/fake/station.c
//
// Network devices on a switch, by what their drivers send and get.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "station.h"

#define HEADER STATION_HEADER
#define FRAMES 8u // buffers of each queue
#define BUFFER 0x800u
#define GOOD (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS)
#define HZ STATION_HZ
#define PORTS STATIONS

static void buffer_give(struct station *s)
{
    uint64_t at = s->memory + 0x1000 + BUFFER * (s->rx.index % FRAMES);
    driver_add(&s->rx, &(struct driver_buffer){at, HEADER + ETHERNET_FRAME_MAX, true}, 1);
}

static void driver_start(struct station *s)
{
    driver_negotiate(&s->net.device, GOOD);
    driver_queue_set_up(&s->rx, &s->net.device, 0, FRAMES, s->memory);
    driver_queue_set_up(&s->tx, &s->net.device, 1, FRAMES, s->memory + 0x800);
    driver_ok(&s->net.device);
    for (unsigned i = 0; i < FRAMES; i++)
        buffer_give(s);
    driver_notify(&s->rx);
}

static struct station *station_make(unsigned n, bool is_open, bool is_isolated)
{
    struct station *s = station_add(n, is_open, is_isolated);
    driver_start(s);
    return s;
}

// Queues a frame to be sent: `length` bytes of Ethernet in two buffers.
static void frame_queue(struct station *s, const uint8_t *to, const uint8_t *from, uint32_t length)
{
    uint64_t at = s->memory + 0x5000;
    uint8_t bytes[HEADER + 2048] = {0};
    memcpy(bytes + HEADER, to, 6);
    memcpy(bytes + HEADER + 6, from, 6);
    for (uint32_t i = HEADER + 12; i < HEADER + length; i++)
        bytes[i] = (uint8_t)(i * 7 + length);
    driver_put(at, bytes, HEADER + length);
    driver_add(&s->tx, (struct driver_buffer[]){{at, HEADER + 9, false}, {at + HEADER + 9, length - 9, false}}, 2);
}

static void send(unsigned from, unsigned to, uint32_t length)
{
    uint8_t source[6], target[6];
    station_address(from, source);
    station_address(to, target);
    frame_queue(stations[from], to == 0xff ? (const uint8_t *)"\xff\xff\xff\xff\xff\xff" : target, source, length);
    station_transmit(stations[from]);
}

// The length of the next frame that the station has got, which is whole; 0: none.
static uint32_t got(unsigned n)
{
    struct station *s = stations[n];
    uint32_t head, written;
    uint8_t bytes[HEADER + 2048];
    if (!driver_used(&s->rx, &head, &written))
        return 0;
    driver_get(s->memory + 0x1000 + BUFFER * head, bytes, written);
    assert_int_equal(bytes[10], 1); // one buffer
    for (uint32_t i = HEADER + 12; i < written; i++)
        assert_int_equal(bytes[i], (uint8_t)(i * 7 + written - HEADER));
    buffer_give(s);
    return written - HEADER;
}

static void nobody_got(void)
{
    for (unsigned i = 0; i < PORTS; i++)
        assert_true(!stations[i] || !got(i));
}

static void stations_make(void)
{
    for (unsigned i = 0; i < PORTS; i++)
        station_make(i, false, false);
}

static void test_frames_go_where_they_are_for(void **state)
{
    (void)state;
    stations_make();
    for (uint32_t length = 14; length <= ETHERNET_FRAME_MAX; length += 376) {
        send(0, 2, length);
        assert_int_equal(got(2), length);
        nobody_got();
    }
    send(0, 0xff, 60);
    assert_int_equal(got(0), 0);
    for (unsigned i = 1; i < PORTS; i++)
        assert_int_equal(got(i), 60);
    send(1, 1, 60);  // to oneself
    send(1, 77, 60); // to nobody: all know their own
    nobody_got();
    assert_true(virtio_irq(&stations[2]->net.device));
}

static void test_what_is_no_frame(void **state)
{
    static const uint8_t pause[6] = {0x01, 0x80, 0xc2, 0, 0, 1}, group[6] = {3, 0, 0, 0, 0, 0};
    uint8_t own[6], other[6];
    (void)state;
    stations_make();
    station_address(0, own);
    station_address(1, other);
    send(0, 1, 13);
    send(0, 1, ETHERNET_FRAME_MAX + 1);
    frame_queue(stations[0], pause, own, 60);
    frame_queue(stations[0], other, group, 60);
    station_transmit(stations[0]);
    // A header that asks for something to be done, and a chain that is too short for one.
    frame_queue(stations[0], other, own, 60);
    driver_put(stations[0]->memory + 0x5000, &(uint8_t){1}, 1);
    station_transmit(stations[0]);
    driver_add(&stations[0]->tx, &(struct driver_buffer){stations[0]->memory + 0x5000, 11, false}, 1);
    station_transmit(stations[0]);
    nobody_got();
    send(0, 1, 60);
    assert_int_equal(got(1), 60);
    assert_int_equal(driver_read(&stations[0]->net.device, 0x070) & VIRTIO_NEEDS_RESET, 0);
}

static void test_spoofed_sources(void **state)
{
    uint8_t to[6], from[6];
    (void)state;
    stations_make();
    station_address(1, to);
    station_address(2, from);
    frame_queue(stations[0], to, from, 60);
    station_transmit(stations[0]);
    nobody_got();
    assert_int_equal(stations[0]->net.port.spoofed, 1);
    send(1, 2, 60); // it is where it was
    assert_int_equal(got(2), 60);
}

static void test_open_ports(void **state)
{
    uint8_t to[6], from[6];
    (void)state;
    station_make(0, false, false);
    station_make(1, true, false);
    station_make(2, true, false);
    station_make(3, false, false);
    send(0, 77, 60); // nobody knows where: only the open ones may have it
    assert_int_equal(got(1), 60);
    assert_int_equal(got(2), 60);
    nobody_got();
    station_address(77, from);
    station_address(0, to);
    frame_queue(stations[1], to, from, 60);
    station_transmit(stations[1]);
    assert_int_equal(got(0), 60);
    send(0, 77, 61); // learned
    assert_int_equal(got(1), 61);
    nobody_got();
    station_time += (VSWITCH_AGE + 2) * HZ;
    send(0, 77, 62); // and forgotten
    assert_int_equal(got(2), 62);
    station_address(3, from); // an open port can't take another's own address
    frame_queue(stations[1], to, from, 60);
    station_transmit(stations[1]);
    assert_int_equal(got(0), 60);
    send(0, 3, 63);
    assert_int_equal(got(3), 63);
}

static void test_learning_is_bounded(void **state)
{
    uint8_t to[6], from[6];
    unsigned known = 0;
    (void)state;
    station_make(0, false, false);
    station_make(1, true, false);
    station_make(2, true, false);
    station_address(0, to);
    for (unsigned i = 0; i < 500; i++) {
        station_address(100 + i % 150, from);
        from[1] = (uint8_t)(i * 37);
        frame_queue(stations[1], to, from, 60);
        station_transmit(stations[1]);
        assert_int_equal(got(0), 60);
        assert_true(stations[1]->net.port.learned <= VSWITCH_LEARNED_MAX);
    }
    assert_int_equal(stations[1]->net.port.learned, VSWITCH_LEARNED_MAX);
    for (unsigned i = 0; i < VSWITCH_ADDRESSES; i++)
        known += station_switch->addresses[i].port == stations[1]->net.port.number + 1 &&
                 !station_switch->addresses[i].is_own;
    assert_int_equal(known, VSWITCH_LEARNED_MAX);
    station_address(99, from); // another port's are still learned
    frame_queue(stations[2], to, from, 60);
    station_transmit(stations[2]);
    assert_int_equal(stations[2]->net.port.learned, 1);
    frame_queue(stations[1], to, from, 60); // and move if they move, for who has learned less
    station_transmit(stations[1]);
    assert_int_equal(stations[2]->net.port.learned, 1);
}

static void test_isolated_ports(void **state)
{
    (void)state;
    station_make(0, false, false);
    station_make(1, false, true);
    station_make(2, false, true);
    send(1, 2, 60);
    nobody_got();
    send(1, 0, 60);
    assert_int_equal(got(0), 60);
    send(0, 2, 60);
    assert_int_equal(got(2), 60);
    send(1, 0xff, 61);
    assert_int_equal(got(0), 61);
    nobody_got();
}

static void test_floods_are_limited(void **state)
{
    unsigned count = 0;
    (void)state;
    stations_make();
    for (unsigned i = 0; i < 3 * VSWITCH_FLOODS; i++) {
        send(0, 0xff, 60);
        count += got(1) != 0;
        (void)got(2);
        (void)got(3);
    }
    assert_int_equal(count, VSWITCH_FLOODS);
    send(0, 1, 60); // all else goes on
    assert_int_equal(got(1), 60);
    send(2, 0xff, 60); // and others
    assert_int_equal(got(1), 60);
    (void)got(0);
    station_time += HZ / 8;
    send(0, 0xff, 60);
    assert_int_equal(got(1), 60);
}

static void test_no_room(void **state)
{
    (void)state;
    stations_make();
    for (unsigned i = 0; i < FRAMES + 3; i++)
        send(0, 1, 60 + i);
    for (unsigned i = 0; i < FRAMES; i++) // it gives buffers back only now
        assert_int_equal(got(1), 60 + i);
    assert_int_equal(got(1), 0);
    send(0, 1, 100);
    assert_int_equal(got(1), 100);
}

// A buffer that is too small, and one that is nowhere.
// Who sends too fast waits; who is sent too much loses it.
static void test_rates(void **state)
{
    (void)state;
    stations_make();
    rates_init(HZ);
    struct virtio_device *d = &stations[0]->net.device;
    rates_set(&d->queues[VIRTIO_NET_TRANSMIT].rates, 0, 8000); // 1000 in an eighth
    for (unsigned i = 0; i < 4; i++) {
        uint8_t source[6], target[6];
        station_address(0, source);
        station_address(1, target);
        frame_queue(stations[0], target, source, 500);
    }
    station_transmit(stations[0]);
    assert_int_equal(got(1) + got(1) + got(1), 1500);
    assert_int_equal(got(1), 0);
    assert_int_equal(virtio_later(d), station_time + 64);
    station_time += 64;
    virtio_resume(d);
    station_transmit(stations[0]);
    assert_int_equal(got(1), 500);

    rates_set(&d->queues[VIRTIO_NET_TRANSMIT].rates, 0, 0);
    rates_set(&stations[2]->net.queues[VIRTIO_NET_RECEIVE].rates, 16, 0); // 2 in an eighth
    for (unsigned i = 0; i < 5; i++)
        send(0, 2, 100);
    assert_int_equal(got(2) + got(2) + got(2) + got(2), 300);
    station_time += HZ;
    send(0, 2, 100);
    assert_int_equal(got(2), 100);
}

static bool link_is_up(unsigned n)
{
    return virtio_read(&stations[n]->net.device, 0x106, 2) & VIRTIO_NET_LINK_UP;
}

static void plug(unsigned n, bool is_out)
{
    virtio_settings_open(&stations[n]->net.device)->is_out = is_out;
    virtio_settings_close(&stations[n]->net.device, true);
    driver_notify(&stations[n]->tx);
}

static void test_pulled_cables(void **state)
{
    (void)state;
    stations_make();
    assert_true(link_is_up(0) && link_is_up(1));
    plug(1, true);
    assert_true(!link_is_up(1) && driver_read(&stations[1]->net.device, 0x060) & 2);
    send(0, 1, 100);
    send(1, 0, 100);
    nobody_got();
    assert_int_equal(stations[1]->net.device.counts[VIRTIO_TO_GUEST].drops, 1);
    assert_int_equal(stations[1]->net.device.counts[VIRTIO_FROM_GUEST].drops, 1);
    vswitch_cut(station_switch, true);
    for (unsigned i = 0; i < PORTS; i++) {
        driver_notify(&stations[i]->tx);
        assert_false(link_is_up(i));
    }
    plug(1, false);
    assert_false(link_is_up(1));
    vswitch_cut(station_switch, false);
    for (unsigned i = 0; i < PORTS; i++) {
        driver_notify(&stations[i]->tx);
        assert_true(link_is_up(i));
    }
    send(0, 1, 100);
    assert_int_equal(got(1), 100);
    const struct virtio_count *sent = &stations[0]->net.device.counts[VIRTIO_FROM_GUEST];
    const struct virtio_count *received = &stations[1]->net.device.counts[VIRTIO_TO_GUEST];
    assert_true(sent->requests == 2 && sent->bytes == 200 && !sent->drops);
    assert_true(received->requests == 1 && received->bytes == 100);
}

static void test_hostile_receiver(void **state)
{
    uint32_t head, written;
    (void)state;
    stations_make();
    for (unsigned i = 0; i < FRAMES; i++)
        send(0, 1, 60);
    while (driver_used(&stations[1]->rx, &head, &written)) {
    }
    driver_add(&stations[1]->rx, &(struct driver_buffer){stations[1]->memory + 0x1000, 50, true}, 1);
    send(0, 1, 60);
    assert_true(driver_used(&stations[1]->rx, &head, &written));
    assert_int_equal(written, 0);
    driver_add(&stations[1]->rx, &(struct driver_buffer){DRIVER_RAM + DRIVER_RAM_SIZE - 8, 2000, true}, 1);
    send(0, 1, 60);
    assert_true(driver_read(&stations[1]->net.device, 0x070) & VIRTIO_NEEDS_RESET);
    assert_int_equal(driver_read(&stations[0]->net.device, 0x070) & VIRTIO_NEEDS_RESET, 0);
    send(0, 1, 60);
    send(0, 2, 60);
    assert_int_equal(got(2), 60);
    driver_start(stations[1]);
    send(0, 1, 60);
    assert_int_equal(got(1), 60);
}

static void test_who_is_away(void **state)
{
    (void)state;
    stations_make();
    stations[1]->is_away = true;
    send(0, 1, 60);
    send(0, 0xff, 61);
    assert_int_equal(got(2), 61);
    assert_int_equal(got(3), 61);
    nobody_got();
    stations[1]->is_away = false;
    driver_write(&stations[2]->net.device, 0x070, 0);
    send(0, 2, 60);
    vswitch_detach(&stations[3]->net.port);
    send(0, 3, 60);
    send(3, 0, 60);
    nobody_got();
    assert_int_equal(vswitch_attach(station_switch, &stations[3]->net.port), STATUS_OK);
    send(0, 3, 60);
    assert_int_equal(got(3), 60);
}

// Somebody else is at work at the receiver: the frame is kept, and comes when it is tried again.
static void test_busy_receiver(void **state)
{
    uint8_t to[6], from[6];
    (void)state;
    stations_make();
    station_address(1, to);
    station_address(0, from);
    assert_true(lock_try(&stations[1]->net.queues[0].lock));
    frame_queue(stations[0], to, from, 60);
    driver_write(&stations[0]->net.device, 0x050, 1);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(virtio_run(&stations[0]->net.device, VIRTIO_STEP_BYTES), VIRTIO_MORE);
    lock_release(&stations[1]->net.queues[0].lock);
    assert_int_equal(virtio_run(&stations[0]->net.device, VIRTIO_STEP_BYTES), VIRTIO_IDLE);
    assert_int_equal(got(1), 60);
    nobody_got();
}

static void test_steps_are_bounded(void **state)
{
    uint8_t from[6];
    unsigned steps = 0;
    (void)state;
    stations_make();
    station_address(0, from);
    for (unsigned i = 0; i < FRAMES / 2; i++)
        frame_queue(stations[0], (const uint8_t *)"\xff\xff\xff\xff\xff\xff", from, 1500);
    driver_write(&stations[0]->net.device, 0x050, 1);
    do
        steps++;
    while (virtio_run(&stations[0]->net.device, 1000) == VIRTIO_MORE);
    assert_true(steps >= 3 * FRAMES / 2);
    for (unsigned i = 0; i < FRAMES / 2; i++)
        for (unsigned k = 1; k < PORTS; k++)
            assert_int_equal(got(k), 1500);
    nobody_got();
}

static void test_receiver_without_memory(void **state)
{
    (void)state;
    stations_make();
    for (unsigned at = 1; at < 6; at++) {
        driver_lacking = at;
        send(0, 1, 60);
        driver_lacking = 0;
        if (!stations[1]->exhausted)
            (void)got(1);
    }
    assert_true(stations[1]->exhausted);
    assert_false(stations[0]->exhausted || stations[2]->exhausted);
}

static void test_clones(void **state)
{
    struct station *clone;
    (void)state;
    station_make(0, false, false);
    station_make(1, false, false);
    clone = station_make(2, false, false);
    vnet_adopt(&clone->net, &stations[1]->net, &clone->space);
    assert_int_equal(clone->net.port.number, 2);
    assert_int_equal(virtio_read(&clone->net.device, 0x105, 1), 2);
    assert_int_equal(virtio_read(&clone->net.device, 0x106, 2), 0); // the link is down
    assert_int_equal(driver_read(&clone->net.device, 0x060), 2);    // and that is told
    send(0, 2, 60);
    nobody_got();
    driver_start(clone);
    assert_int_equal(virtio_read(&clone->net.device, 0x106, 2), VIRTIO_NET_LINK_UP);
    send(0, 2, 60);
    assert_int_equal(got(2), 60);
    send(2, 1, 60);
    assert_int_equal(got(1), 60);
}

static void test_full_switch(void **state)
{
    static struct vswitch_port ports[VSWITCH_PORTS_MAX + 1];
    (void)state;
    for (unsigned i = 0; i < VSWITCH_PORTS_MAX; i++) {
        station_address(i, ports[i].address);
        assert_int_equal(vswitch_attach(station_switch, &ports[i]), STATUS_OK);
    }
    assert_int_equal(vswitch_attach(station_switch, &ports[VSWITCH_PORTS_MAX]), STATUS_NO_MEMORY);
    vswitch_detach(&ports[7]);
    assert_int_equal(vswitch_attach(station_switch, &ports[VSWITCH_PORTS_MAX]), STATUS_OK);
    for (unsigned i = 0; i <= VSWITCH_PORTS_MAX; i++)
        vswitch_detach(&ports[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stations_setup, stations_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_frames_go_where_they_are_for),
        TEST(test_what_is_no_frame),
        TEST(test_spoofed_sources),
        TEST(test_open_ports),
        TEST(test_learning_is_bounded),
        TEST(test_isolated_ports),
        TEST(test_floods_are_limited),
        TEST(test_no_room),
        TEST(test_rates),
        TEST(test_pulled_cables),
        TEST(test_hostile_receiver),
        TEST(test_who_is_away),
        TEST(test_busy_receiver),
        TEST(test_steps_are_bounded),
        TEST(test_receiver_without_memory),
        TEST(test_clones),
        TEST(test_full_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
