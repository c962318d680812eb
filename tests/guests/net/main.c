// Frames between capsules: one asks (`ask=N`, N frames), the other echoes what is sent to it until it is told to end.
// The first network device, in slot 0, is used without interrupts. Addresses are 02:00:00:00:00:n; `peer=n`.
#include <string.h>

#include "csr.h"
#include "ring.h"
#include "test.h"

#define HEADER 12u
#define ETHERNET 14u
#define FRAME_MAX 1518u
#define GOODBYE 0xee

static struct ring rx, tx;
static uint8_t own[6], peer[6];
static unsigned long lost;

static bool start(void)
{
    if (!ring_device_begin(1, 1u << 5 | 1u << 16))
        return false;
    ring_start(&rx, 0, HEADER + FRAME_MAX, true);
    ring_start(&tx, 1, HEADER + FRAME_MAX, false);
    bool goes = ring_device_go();
    ring_give_all(&rx);
    for (unsigned i = 0; i < 6; i++)
        own[i] = ((volatile uint8_t *)RING_SLOT)[0x100 + i];
    memcpy(peer, own, 6);
    peer[5] = (uint8_t)tree_number("peer", 0);
    return goes;
}

// The frame that came next, in its buffer, whose number is *n; NULL: none.
static uint8_t *received(uint32_t *bytes, uint32_t *n)
{
    uint8_t *at = ring_take(&rx, bytes, n);
    *bytes -= at ? HEADER : 0;
    return at ? at + HEADER : NULL;
}

// Waits until it was taken: the buffer is used again.
static void transmit(const uint8_t *frame, uint32_t bytes)
{
    memset(tx.buffers[0], 0, HEADER);
    memcpy(tx.buffers[0] + HEADER, frame, bytes);
    ring_send(&tx, HEADER + bytes);
}

static uint32_t frame_make(uint8_t *frame, const uint8_t *to, const uint8_t *from, unsigned number)
{
    uint32_t bytes = ETHERNET + 4 + number * 37 % (FRAME_MAX - ETHERNET - 3);
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    memcpy(frame + 12, "\x88\xb5", 2);
    memcpy(frame + ETHERNET, &number, 4);
    for (uint32_t i = ETHERNET + 4; i < bytes; i++)
        frame[i] = (uint8_t)(i * 13 + number);
    return bytes;
}

// Is it the answer to the frame, from the peer to us?
static bool is_answer(const uint8_t *got, uint32_t got_bytes, const uint8_t *frame, uint32_t bytes)
{
    return got_bytes == bytes && !memcmp(got, own, 6) && !memcmp(got + 6, peer, 6) &&
           !memcmp(got + 12, frame + 12, bytes - 12);
}

static bool answered(const uint8_t *frame, uint32_t bytes, unsigned milliseconds)
{
    uint64_t end = time_now() + milliseconds * (uint64_t)10000;
    uint32_t got_bytes, n;
    while (time_now() < end) {
        uint8_t *got = received(&got_bytes, &n);
        if (!got)
            continue;
        bool is_it = is_answer(got, got_bytes, frame, bytes);
        ring_give(&rx, n);
        if (is_it)
            return true;
    }
    return false;
}

static bool ask(const uint8_t *to, const uint8_t *from, unsigned number, unsigned milliseconds)
{
    static uint8_t frame[FRAME_MAX];
    uint32_t bytes = frame_make(frame, to, from, number);
    transmit(frame, bytes);
    return answered(frame, bytes, milliseconds);
}

// One that was lost is sent again, as others may fill the peer's buffers.
static bool ask_again(const uint8_t *to, unsigned number)
{
    for (unsigned tries = 0; tries < 200; tries++) {
        if (ask(to, own, number, tree_number("patience", 3000)))
            return true;
        lost++;
    }
    return false;
}

static void echo_unicast(void)
{
    unsigned long count = tree_number("ask", 0);
    check(ask_again(peer, 0), "nobody is there");
    lost = 0;
    for (unsigned i = 1; i <= count; i++)
        check(ask_again(peer, i), "frame %u never came back", i);
    print("net: %lu frames there and back, %lu lost on the way\n", count, lost);
    check(lost <= tree_number("may-lose", 0), "%lu were lost", lost);
}

static void echo_broadcast(void)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    for (unsigned i = 0; i < 10; i++)
        check(ask_again(all, 1000 + i), "frame %u never came back", i);
}

static void spoofed(void)
{
    uint8_t other[6];
    memcpy(other, own, 6);
    other[5] = 99;
    check(!ask(peer, other, 7, 200), "it was let in");
    check(ask_again(peer, 8), "and now none is");
}

static void unknown(void)
{
    uint8_t other[6];
    memcpy(other, own, 6);
    other[5] = 98;
    check(!ask(other, own, 7, 200), "somebody has it");
    check(ask_again(peer, 8), "and now none is answered");
}

static const struct test tests[] = {
    {"net.echo", echo_unicast},
    {"net.broadcast", echo_broadcast},
    {"net.spoofed", spoofed},
    {"net.unknown", unknown},
};

static void echo_forever(void)
{
    uint32_t bytes, n;
    for (;;) {
        uint8_t *frame = received(&bytes, &n);
        if (!frame)
            continue;
        bool is_ours = bytes <= FRAME_MAX && bytes >= ETHERNET + 4 && !memcmp(frame + 6, peer, 6);
        if (is_ours && frame[ETHERNET + 3] == GOODBYE)
            return;
        memcpy(frame, frame + 6, 6);
        memcpy(frame + 6, own, 6);
        if (is_ours)
            transmit(frame, bytes);
        ring_give(&rx, n);
    }
}

int payload_main(void)
{
    if (!start()) {
        print("FAIL net: no network device\n");
        return REASON_FAILURE;
    }
    if (!tree_number("ask", 0)) {
        echo_forever();
        return REASON_NONE;
    }
    int reason = suite_run("net", tests, sizeof tests / sizeof tests[0]);
    for (unsigned i = 0; i < 100; i++) // one of them comes through
        ask(peer, own, (unsigned)GOODBYE << 24, 2);
    return reason;
}
