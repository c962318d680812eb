// sources: hypervisor/virtio/vsock.c hypervisor/virtio/vsock_host.c hypervisor/virtio/vsock_links.c
// sources: hypervisor/virtio/virtio.c hypervisor/virtio/rate.c
// sources: hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c tests/unit/fake/driver.c
// sources: tests/unit/fake/sockets.c tests/unit/fake/manage.c hypervisor/manage/service.c lib/format.c
//
// Sockets of capsules, by what their drivers send and get: with each other, and with the management service.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edit.h"
#include "manage_fake.h"
#include "sockets.h"

#define ROOM 0x10000u // that drivers tell they have

static struct packet got;

static int setup(void **state)
{
    (void)state;
    stations_reset();
    memset(fake_capsules, 0, sizeof(fake_capsules));
    fake_capsule_count = fake_calls_until_stopped = 0;
    fake_error = 0;
    fake_denies = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATIONS; i++)
        assert_true(!stations[i] || !stations[i]->visits);
    stations_reset();
    assert_int_equal(talks_in_use, 0);
    return 0;
}

static struct station *started(unsigned n, uint32_t cid, uint32_t groups)
{
    struct station *s = station_make(n, cid, groups);
    assert_non_null(s);
    station_start(s);
    assert_true(stations_settle());
    return s;
}

// A packet from a port of ours to another's, without bytes.
static struct virtio_vsock_header packet(struct station *s, uint32_t port, uint32_t cid, uint32_t other, uint16_t op)
{
    return (struct virtio_vsock_header){.src_cid = s->vsock.cid,
                                        .dst_cid = cid,
                                        .src_port = port,
                                        .dst_port = other,
                                        .type = VIRTIO_VSOCK_STREAM,
                                        .op = op,
                                        .buf_alloc = ROOM};
}

static void sent(struct station *s, uint32_t port, uint32_t cid, uint32_t other, uint16_t op)
{
    struct virtio_vsock_header h = packet(s, port, cid, other, op);
    packet_send(s, &h, NULL);
    assert_true(stations_settle());
}

static void sent_bytes(struct station *s, uint32_t port, uint32_t cid, uint32_t other, const void *bytes, size_t count)
{
    struct virtio_vsock_header h = packet(s, port, cid, other, VIRTIO_VSOCK_RW);
    h.len = (uint32_t)count;
    packet_send(s, &h, bytes);
    assert_true(stations_settle());
}

// The next packet that came, with its buffer given again.
static bool next(struct station *s)
{
    if (!packet_get(s, &got))
        return false;
    station_give(s);
    assert_true(stations_settle());
    assert_int_equal(got.h.dst_cid, s->vsock.cid);
    return true;
}

static void expect(struct station *s, uint16_t op, uint32_t cid, uint32_t other, uint32_t port)
{
    assert_true(next(s));
    assert_int_equal(got.h.op, op);
    assert_int_equal(got.h.src_cid, cid);
    assert_int_equal(got.h.src_port, other);
    assert_int_equal(got.h.dst_port, port);
}

static void expect_nothing(struct station *s)
{
    if (next(s))
        fail_msg("%u came with %u bytes from %u to %u", got.h.op, got.h.len, got.h.src_port, got.h.dst_port);
}

// --- the service ---------------------------------------------------------------------------------------------

#define SERVICE VSOCK_HOST, VSOCK_PORT

static void ring_up(struct station *s, uint32_t port)
{
    sent(s, port, SERVICE, VIRTIO_VSOCK_REQUEST);
    expect(s, VIRTIO_VSOCK_RESPONSE, SERVICE, port);
    assert_int_equal(got.h.buf_alloc, SERVICE_INPUT);
}

static void say(struct station *s, uint32_t port, const char *text)
{
    sent_bytes(s, port, SERVICE, text, strlen(text));
}

// All that the service says until it says no more.
static const char *heard(struct station *s)
{
    static char all[1 << 16];
    size_t length = 0;

    while (next(s))
        if (got.h.op == VIRTIO_VSOCK_RW) {
            memcpy(all + length, got.bytes, got.h.len);
            length += got.h.len;
        }
    all[length] = 0;
    return all;
}

static const char *hex(const char *text)
{
    static char digits[2 * SERVICE_DATA + 1];

    for (size_t i = 0; i <= strlen(text); i++)
        sprintf(digits + 2 * i, "%02x", (unsigned char)text[i]);
    return digits;
}

static void test_service(void **state)
{
    struct station *s = started(0, 70000, 0);
    char line[2048];

    (void)state;
    fake_add("kid", 0, DIOSIX_RUNNING);
    ring_up(s, 1000);
    say(s, 1000, "2 0 0 0 0\n"); // DIOSIX_NEXT
    assert_string_equal(heard(s), "0 1\n");
    say(s, 1000, "6 1 0 0 0\r\n");
    assert_string_equal(heard(s), "0 0\n");
    assert_int_equal(fake_last_function, DIOSIX_KILL);
    assert_int_equal(fake_last.n[0], 1);
    say(s, 1000, "1 1 0 0 32\n"); // DIOSIX_STATUS, of which the name comes first
    snprintf(line, sizeof(line), "0 %zu ", sizeof(struct diosix_status));
    const char *answer = heard(s);
    assert_ptr_equal(strstr(answer, line), answer);
    assert_int_equal(strlen(answer), strlen(line) + 2 * 32 + 1);
    say(s, 1000, "1 1 0 0 4\n");
    snprintf(line, sizeof(line), "0 %zu 6b696400\n", sizeof(struct diosix_status));
    assert_string_equal(heard(s), line);
    say(s, 1000, "1 9 0 0 4\n"); // an error comes without data
    assert_string_equal(heard(s), "-3 0\n");
    snprintf(line, sizeof(line), " 10  1 0 0 5 %s \n", hex("twin"));
    say(s, 1000, line);
    assert_int_equal(fake_last_function, DIOSIX_FORK);
    assert_string_equal(fake_last_buffer, "twin");
    assert_int_equal(fake_last.size, 5);
    assert_string_equal(heard(s), "0 2 7477696e00\n");
    say(s, 1000, "12 1 1 18446744073709551615 0\n");
    assert_string_equal(heard(s), "0 0\n");
    assert_true(fake_last.n[2] == UINT64_MAX);
    fake_error = -1;
    fake_lack = 3;
    say(s, 1000, "4 1 0 0 0\n");
    assert_string_equal(heard(s), "-1 3\n");
    fake_error = 0;
}

#define NO_REQUEST "error: a request is FUNCTION FIRST SECOND THIRD SIZE [DATA]\n"

static void test_no_requests(void **state)
{
    static const char *const lines[] = {"\n",
                                        "list\n",
                                        "2\n",
                                        "2 0 0 0\n",
                                        "2 0 0 0 x\n",
                                        "-2 0 0 0 0\n",
                                        "2 0 0 0 0x10\n",
                                        "2 18446744073709551616 0 0 0\n",
                                        "1 1 0 0 641\n",
                                        "10 1 0 0 2 616263\n", // more than the size
                                        "10 1 0 0 4 616\n",
                                        "10 1 0 0 4 6G\n",
                                        "10 1 0 0 4 6162 6364\n",
                                        "10 1 0 0 4 AB\n"};
    struct station *s = started(0, 70000, 0);

    (void)state;
    ring_up(s, 1000);
    fake_last_function = DIOSIX_VERSION;
    for (size_t i = 0; i < array_length(lines); i++) {
        say(s, 1000, lines[i]);
        assert_string_equal(heard(s), NO_REQUEST);
    }
    assert_int_equal(fake_last_function, DIOSIX_VERSION);
}

static void test_lines(void **state)
{
    static char line[SERVICE_INPUT + 1];
    struct station *s = started(0, 70000, 0);

    (void)state;
    ring_up(s, 1000);
    say(s, 1000, "1 7");
    say(s, 1000, " 0 0 0");
    assert_string_equal(heard(s), "");
    say(s, 1000, "\n1 8 0 0 0\nx\n1 9 0 0 0\n");
    assert_string_equal(heard(s), "-3 0\n-3 0\n" NO_REQUEST "-3 0\n");
    memset(line, 'x', sizeof(line) - 1);
    for (unsigned i = 0; i < 3; i++) {
        say(s, 1000, line);
        assert_string_equal(heard(s), "");
    }
    say(s, 1000, "\n1 7 0 0 0\n");
    assert_string_equal(heard(s), "error: the line is too long\n-3 0\n");
    memset(line, '1', sizeof(line) - 1);
    memcpy(line, "10 0 0 0 640 ", 13); // as long as may be, for as much as may be
    line[13 + 2 * SERVICE_DATA] = '\n';
    line[14 + 2 * SERVICE_DATA] = 0;
    say(s, 1000, line);
    const char *answer = heard(s);
    assert_ptr_equal(strstr(answer, "0 1 1111"), answer);
    assert_int_equal(strlen(answer), 4 + 2 * SERVICE_DATA + 1);
}

static void test_rights(void **state)
{
    struct station *s = started(0, 70000, 0);

    (void)state;
    sent(s, 1024, SERVICE, VIRTIO_VSOCK_REQUEST);
    expect(s, VIRTIO_VSOCK_RST, SERVICE, 1024);
    ring_up(s, 1023);
    fake_denies = true;
    say(s, 1023, "2 0 0 0 0\n");
    assert_string_equal(heard(s), "-4 0\n");
}

// What is said comes whole and in order, and never more than the guest has said it has room for.
static void test_credit(void **state)
{
    static const char request[] = "18 0 0 0 100\n";
    struct station *s = started(0, 70000, 0);
    struct virtio_vsock_header h = packet(s, 1000, SERVICE, VIRTIO_VSOCK_REQUEST);
    char expected[1 << 14], all[1 << 14];
    size_t length = 0;

    (void)state;
    ring_up(s, 999);
    say(s, 999, request);
    strcpy(expected, heard(s));
    assert_true(strlen(expected) > 200);
    h.buf_alloc = 7;
    packet_send(s, &h, NULL);
    assert_true(stations_settle());
    expect(s, VIRTIO_VSOCK_RESPONSE, SERVICE, 1000);
    h.op = VIRTIO_VSOCK_RW;
    h.len = sizeof(request) - 1;
    packet_send(s, &h, request);
    assert_true(stations_settle());
    for (size_t before = 0; next(s); before = length) {
        do {
            memcpy(all + length, got.bytes, got.h.len);
            length += got.h.len;
        } while (next(s));
        assert_in_range(length - before, 1, 7);
        h.op = VIRTIO_VSOCK_CREDIT_UPDATE;
        h.len = 0;
        h.fwd_cnt = (uint32_t)length;
        packet_send(s, &h, NULL);
        assert_true(stations_settle());
    }
    all[length] = 0;
    assert_string_equal(all, expected);
}

// Of its own room it tells when it is asked, and when much of it has been read.
static void test_own_credit(void **state)
{
    struct station *s = started(0, 70000, 0);
    char spaces[SERVICE_INPUT];

    (void)state;
    ring_up(s, 1000);
    say(s, 1000, "2 0 0");
    sent(s, 1000, SERVICE, VIRTIO_VSOCK_CREDIT_REQUEST);
    expect(s, VIRTIO_VSOCK_CREDIT_UPDATE, SERVICE, 1000);
    assert_int_equal(got.h.fwd_cnt, 0);
    memset(spaces, ' ', sizeof(spaces));
    sent_bytes(s, 1000, SERVICE, spaces, SERVICE_INPUT - 5);
    while (next(s) && got.h.op != VIRTIO_VSOCK_CREDIT_UPDATE) {
    }
    assert_int_equal(got.h.op, VIRTIO_VSOCK_CREDIT_UPDATE);
    heard(s);
    sent(s, 1000, SERVICE, VIRTIO_VSOCK_CREDIT_REQUEST);
    expect(s, VIRTIO_VSOCK_CREDIT_UPDATE, SERVICE, 1000);
    assert_int_equal(got.h.fwd_cnt, SERVICE_INPUT);
    say(s, 1000, "\n");
    assert_string_equal(heard(s), "error: the line is too long\n");
    memset(spaces, '1', sizeof(spaces));
    sent_bytes(s, 1000, SERVICE, spaces, 200);
    sent_bytes(s, 1000, SERVICE, spaces, SERVICE_INPUT); // more than there is room for
    expect(s, VIRTIO_VSOCK_RST, SERVICE, 1000);
    assert_int_equal(talks_in_use, 0);
}

static void test_no_connection(void **state)
{
    struct station *s = started(0, 70000, 0);

    (void)state;
    sent(s, 1000, VSOCK_HOST, 77, VIRTIO_VSOCK_REQUEST);
    expect(s, VIRTIO_VSOCK_RST, VSOCK_HOST, 77, 1000);
    sent_bytes(s, 1000, SERVICE, "2 0 0 0 0\n", 10);
    expect(s, VIRTIO_VSOCK_RST, SERVICE, 1000);
    sent(s, 1000, SERVICE, VIRTIO_VSOCK_RST);
    expect_nothing(s);
    for (uint32_t i = 0; i < VSOCK_TALKS; i++)
        ring_up(s, 1000 + i);
    sent(s, 900, SERVICE, VIRTIO_VSOCK_REQUEST);
    expect(s, VIRTIO_VSOCK_RST, SERVICE, 900);
    sent(s, 1000, SERVICE, VIRTIO_VSOCK_RST);
    assert_int_equal(talks_in_use, VSOCK_TALKS - 1);
    ring_up(s, 900);
    assert_int_equal(stations[0]->vsock.owed, 0);
}

static void test_shutdown(void **state)
{
    struct station *s = started(0, 70000, 0);
    struct virtio_vsock_header h = packet(s, 1000, SERVICE, VIRTIO_VSOCK_SHUTDOWN);

    (void)state;
    ring_up(s, 1000);
    say(s, 1000, "2 0 0 0 0\n2 0 0 0 0\n");
    h.flags = VIRTIO_VSOCK_SHUTDOWN_SEND;
    packet_send(s, &h, NULL);
    assert_true(stations_settle());
    expect(s, VIRTIO_VSOCK_RW, SERVICE, 1000);
    expect(s, VIRTIO_VSOCK_RW, SERVICE, 1000);
    expect(s, VIRTIO_VSOCK_SHUTDOWN, SERVICE, 1000);
    assert_int_equal(got.h.flags, 3);
    expect_nothing(s);
    h.flags = 3;
    packet_send(s, &h, NULL);
    assert_true(stations_settle());
    expect(s, VIRTIO_VSOCK_RST, SERVICE, 1000);
    assert_int_equal(talks_in_use, 0);
}

// One that takes nothing of what it is told holds up itself alone, and gets it all in the end.
static void test_no_buffers(void **state)
{
    struct station *s = started(0, 70000, 0);

    (void)state;
    ring_up(s, 1000);
    for (unsigned i = 0; i < STATION_BUFFERS; i++)
        say(s, 1000, "2 0 0 0 0\n");
    for (unsigned i = 0; i < STATION_BUFFERS; i++)
        assert_true(packet_get(s, &got));
    say(s, 1000, "1 7 0 0 0\n");
    sent(s, 500, 4711, 1, VIRTIO_VSOCK_REQUEST);
    assert_false(packet_get(s, &got));
    station_give(s);
    assert_true(stations_settle());
    expect(s, VIRTIO_VSOCK_RST, 4711, 1, 500);
    assert_string_equal(heard(s), "-3 0\n");
}

// --- peers ---------------------------------------------------------------------------------------------------

static struct station *left, *right;

static void connected(uint32_t port, uint32_t other)
{
    if (!left) {
        left = started(0, 10, 1);
        right = started(1, 11, 3);
    }
    sent(left, port, 11, other, VIRTIO_VSOCK_REQUEST);
    expect(right, VIRTIO_VSOCK_REQUEST, 10, port, other);
    assert_int_equal(got.h.buf_alloc, ROOM);
    sent(right, other, 10, port, VIRTIO_VSOCK_RESPONSE);
    expect(left, VIRTIO_VSOCK_RESPONSE, 11, other, port);
}

static int peers_setup(void **state)
{
    left = right = NULL;
    setup(state);
    connected(1, 2);
    return 0;
}

static void test_peers(void **state)
{
    static uint8_t bytes[STATION_BUFFER - 44];
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    sent_bytes(left, 1, 11, 2, bytes, sizeof(bytes));
    expect(right, VIRTIO_VSOCK_RW, 10, 1, 2);
    assert_int_equal(got.h.len, sizeof(bytes));
    assert_memory_equal(got.bytes, bytes, sizeof(bytes));
    // What is larger than a buffer comes in pieces.
    right->given = 144;
    for (unsigned i = 0; i < STATION_BUFFERS; i++) {
        sent(left, 1, 11, 2, VIRTIO_VSOCK_CREDIT_UPDATE);
        expect(right, VIRTIO_VSOCK_CREDIT_UPDATE, 10, 1, 2);
    }
    sent_bytes(left, 1, 11, 2, bytes, sizeof(bytes));
    while (next(right)) {
        assert_true(got.h.len <= 100);
        assert_memory_equal(got.bytes, bytes + seen, got.h.len);
        seen += got.h.len;
    }
    assert_int_equal(seen, sizeof(bytes));
    sent(right, 2, 10, 1, VIRTIO_VSOCK_RST);
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 1);
    sent_bytes(left, 1, 11, 2, bytes, 10);
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 1);
    expect_nothing(right);
}

// Who is in no group with it, not there, does not run, or whose driver is not ready: all the same.
static void test_nobody(void **state)
{
    struct station *other = started(2, 12, 4);

    (void)state;
    sent(left, 5, 12, 2, VIRTIO_VSOCK_REQUEST);
    expect(left, VIRTIO_VSOCK_RST, 12, 2, 5);
    sent(left, 5, 13, 2, VIRTIO_VSOCK_REQUEST);
    expect(left, VIRTIO_VSOCK_RST, 13, 2, 5);
    sent(other, 5, 11, 2, VIRTIO_VSOCK_REQUEST);
    expect(other, VIRTIO_VSOCK_RST, 11, 2, 5);
    right->is_away = true;
    sent(left, 5, 11, 2, VIRTIO_VSOCK_REQUEST);
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 5);
    right->is_away = false;
    virtio_reset(&right->vsock.device);
    assert_true(stations_settle());
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 1); // of the connection that there was
    sent(left, 5, 11, 2, VIRTIO_VSOCK_REQUEST);
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 5);
    assert_null(station_make(2, 11, 1)); // taken
}

static void test_false_names(void **state)
{
    struct virtio_vsock_header h = packet(left, 1, 11, 2, VIRTIO_VSOCK_RW);

    (void)state;
    h.src_cid = 12;
    packet_send(left, &h, NULL);
    h.src_cid = 10 | 1ull << 32;
    packet_send(left, &h, NULL);
    h.src_cid = 10;
    h.len = 1u << 30;
    packet_send(left, &h, NULL);
    h.len = 0;
    h.op = 0;
    packet_send(left, &h, NULL);
    h.op = 99;
    packet_send(left, &h, NULL);
    assert_true(stations_settle());
    expect_nothing(left);
    expect_nothing(right);
    h.op = VIRTIO_VSOCK_REQUEST;
    h.type = 2; // which was not offered
    h.src_port = 70;
    packet_send(left, &h, NULL);
    assert_true(stations_settle());
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 70);
    assert_int_equal(got.h.type, 2);
    h.src_port = 1; // one that there is
    packet_send(left, &h, NULL);
    h.src_port = 1000;
    ring_up(left, 1000);
    h.dst_cid = VSOCK_HOST;
    h.dst_port = VSOCK_PORT;
    packet_send(left, &h, NULL);
    assert_true(stations_settle());
    expect_nothing(left);
    sent_bytes(right, 9, 10, 1, "x", 1); // by no connection that there is
    expect(right, VIRTIO_VSOCK_RST, 10, 1, 9);
    expect_nothing(left);
}

static void buffers_use_up(struct station *s, struct station *from, uint32_t port, uint32_t other)
{
    for (unsigned i = 0; i < STATION_BUFFERS; i++)
        sent_bytes(from, port, s->vsock.cid, other, "x", 1);
    for (unsigned i = 0; i < STATION_BUFFERS; i++)
        assert_true(packet_get(s, &got));
}

static void test_stall(void **state)
{
    (void)state;
    buffers_use_up(right, left, 1, 2);
    sent_bytes(left, 1, 11, 2, "late", 4);
    sent_bytes(left, 1, 11, 2, "later", 5);
    assert_false(packet_get(right, &got));
    station_give(right);
    station_give(right);
    assert_true(stations_settle());
    expect(right, VIRTIO_VSOCK_RW, 10, 1, 2);
    assert_memory_equal(got.bytes, "late", 4);
    expect(right, VIRTIO_VSOCK_RW, 10, 1, 2);
    assert_memory_equal(got.bytes, "later", 5);
}

// After a second it is over; what is behind it goes on.
static void test_patience_ends(void **state)
{
    (void)state;
    buffers_use_up(right, left, 1, 2);
    sent_bytes(left, 1, 11, 2, "late", 4);
    sent(left, 1000, SERVICE, VIRTIO_VSOCK_REQUEST);
    expect_nothing(left);
    station_clock += 999999;
    left->is_woken = true;
    assert_true(stations_settle());
    expect_nothing(left);
    station_clock += 2;
    left->is_woken = true;
    assert_true(stations_settle());
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 1);
    expect(left, VIRTIO_VSOCK_RESPONSE, SERVICE, 1000);
    station_give(right);
    assert_true(stations_settle());
    expect(right, VIRTIO_VSOCK_RST, 10, 1, 2);
    expect_nothing(right);
}

static void test_held_peer(void **state)
{
    (void)state;
    right->is_away = true;
    sent_bytes(left, 1, 11, 2, "later", 5);
    expect_nothing(left);
    right->is_away = false;
    left->is_woken = true;
    assert_true(stations_settle());
    expect(right, VIRTIO_VSOCK_RW, 10, 1, 2);
    expect_nothing(left);
}

// One end's driver begins anew, or its capsule ends: the other is told, once.
static void test_ends(void **state)
{
    (void)state;
    connected(3, 4);
    station_start(left);
    assert_true(stations_settle());
    expect_nothing(left);
    assert_true(next(right));
    assert_int_equal(got.h.op, VIRTIO_VSOCK_RST);
    assert_true(next(right));
    assert_int_equal(got.h.op, VIRTIO_VSOCK_RST);
    expect_nothing(right);
    sent_bytes(left, 1, 11, 2, "x", 1);
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 1);
    connected(1, 2);
    vsock_silence(&right->vsock);
    vsock_remove(&right->vsock);
    assert_true(stations_settle());
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 1);
    expect_nothing(left);
}

// The clone has no connections and a CID of its own, of which its driver is told; the original's go on.
static void test_clone(void **state)
{
    struct station *clone = station_make(2, 80000, 1);
    uint32_t head, written, event = 77;

    (void)state;
    ring_up(left, 1000);
    clone->rx = left->rx;
    clone->tx = left->tx;
    clone->event = left->event;
    clone->memory = left->memory; // which is not two here
    vsock_adopt(&clone->vsock, &left->vsock, &clone->space);
    clone->is_woken = true;
    assert_true(stations_settle());
    assert_int_equal(driver_read(&clone->vsock.device, VIRTIO_CONFIG), 80000);
    assert_true(driver_read(&clone->vsock.device, VIRTIO_INTERRUPT_STATUS) & 2);
    assert_true(driver_used(&clone->event, &head, &written));
    assert_int_equal(written, 4);
    driver_get(clone->memory + 0x1800, &event, 4);
    assert_int_equal(event, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
    for (unsigned i = 0; i < VSOCK_LINKS; i++)
        assert_int_equal(clone->vsock.links[i].state, LINK_FREE);
    assert_int_equal(talks_in_use, 1);
    sent_bytes(left, 1, 11, 2, "x", 1);
    expect(right, VIRTIO_VSOCK_RW, 10, 1, 2);
    expect_nothing(right);
}

// As many as there is room for, which is about as many as there are places; then no more, until one ends.
static void test_many(void **state)
{
    unsigned made = 1;

    (void)state;
    for (uint32_t port = 100; port < 300; port++) {
        sent(left, port, 11, 2, VIRTIO_VSOCK_REQUEST);
        if (next(right))
            made++;
        else if (next(left))
            assert_int_equal(got.h.op, VIRTIO_VSOCK_RST);
    }
    assert_in_range(made, VSOCK_LINKS / 2, VSOCK_LINKS);
    station_start(left);
    assert_true(stations_settle());
    for (; made; made--) {
        assert_true(next(right));
        assert_int_equal(got.h.op, VIRTIO_VSOCK_RST);
    }
    expect_nothing(right);
    expect_nothing(left);
    for (unsigned i = 0; i < VSOCK_LINKS; i++)
        assert_true(left->vsock.links[i].state == LINK_FREE && right->vsock.links[i].state == LINK_FREE);
    assert_int_equal(left->vsock.owed + right->vsock.owed, 0);
}

// A receiver that breaks the rules, or has no memory left, is over; the sender is not.
static void test_bad_receiver(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATION_BUFFERS; i++) {
        sent_bytes(left, 1, 11, 2, "x", 1);
        assert_true(packet_get(right, &got));
        right->given = 20; // not even a header's
        station_give(right);
        assert_true(stations_settle());
    }
    sent_bytes(left, 1, 11, 2, "x", 1);
    assert_true(driver_read(&right->vsock.device, VIRTIO_STATUS) & VIRTIO_NEEDS_RESET);
    assert_false(driver_read(&left->vsock.device, VIRTIO_STATUS) & VIRTIO_NEEDS_RESET);
    expect(left, VIRTIO_VSOCK_RST, 11, 2, 1);
    right->given = STATION_BUFFER;
    station_start(right);
    assert_true(stations_settle());
    while (next(left)) {
    }
    connected(1, 2);
    struct virtio_vsock_header h = packet(left, 1, 11, 2, VIRTIO_VSOCK_CREDIT_UPDATE);
    packet_send(left, &h, NULL);
    driver_lacking = 1;
    assert_true(stations_settle());
    assert_true(right->exhausted);
    driver_lacking = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_service, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_credit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shutdown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_buffers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peers, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_false_names, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_stall, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_patience_ends, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_peer, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_clone, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, peers_setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_receiver, peers_setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
