// sources: hypervisor/virtio/virtio.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c
// sources: hypervisor/virtio/vconsole.c hypervisor/virtio/rate.c tests/unit/fake/driver.c
//
// The console device: what is printed gets there whole, be the terminal as slow as it may; what is typed comes once
// there is a driver for it; what a driver must not do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver.h"
#include "hart.h"
#include "vconsole.h"

#define RING (DRIVER_RAM + 0x1000)
#define DATA (DRIVER_RAM + 0x8000)
enum { RECEIVE, TRANSMIT };

unsigned char *hpa_arena; // addresses are themselves
static struct vconsole *console;
static struct driver_queue queues[VCONSOLE_QUEUES];

// The terminal.
static struct {
    uint8_t shown[8192];
    size_t count, room;
    const char *typed;
    unsigned turns;
    bool is_taken;
} terminal;

// Nothing is limited here.
uint64_t hart_time(void)
{
    return 0;
}

static size_t terminal_write(void *owner, const uint8_t *bytes, size_t count)
{
    assert_ptr_equal(owner, &terminal);
    if (count > terminal.room)
        count = terminal.room;
    assert_true(terminal.count + count <= sizeof(terminal.shown));
    memcpy(terminal.shown + terminal.count, bytes, count);
    terminal.count += count;
    terminal.room -= count;
    return count;
}

static int terminal_read(void *owner)
{
    assert_ptr_equal(owner, &terminal);
    return *terminal.typed ? *terminal.typed++ : -1;
}

static void terminal_take(void *owner, bool taken)
{
    assert_ptr_equal(owner, &terminal);
    assert_int_not_equal(terminal.is_taken, taken);
    terminal.is_taken = taken;
    terminal.turns++;
}

static const struct vconsole_port port = {terminal_write, terminal_read, terminal_take};

static void start(void)
{
    driver_negotiate(&console->device, console->device.offered);
    for (unsigned i = 0; i < VCONSOLE_QUEUES; i++)
        driver_queue_set_up(&queues[i], &console->device, i, 8, RING + 0x400 * i);
    driver_ok(&console->device);
}

static int setup(void **state)
{
    (void)state;
    driver_memory_reset();
    memset(&terminal, 0, sizeof(terminal));
    terminal.room = sizeof(terminal.shown);
    terminal.typed = "";
    console = calloc(1, sizeof(*console));
    vconsole_init(console, &driver_space, &port, &terminal);
    start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(console);
    return 0;
}

static bool is_broken(void)
{
    return driver_read(&console->device, 0x070) & VIRTIO_NEEDS_RESET;
}

// What the terminal's layer does when something was typed or there is room.
static void event(void)
{
    vconsole_call(console);
    while (virtio_run(&console->device, VIRTIO_STEP_BYTES) == VIRTIO_MORE) {
    }
}

static void print(uint64_t where, uint32_t size)
{
    driver_add(&queues[TRANSMIT], &(struct driver_buffer){where, size, false}, 1);
    driver_notify(&queues[TRANSMIT]);
}

static void give(uint64_t where, uint32_t size)
{
    driver_add(&queues[RECEIVE], &(struct driver_buffer){where, size, true}, 1);
    driver_notify(&queues[RECEIVE]);
}

// The next buffer that came back holds this.
static void comes(uint64_t where, const char *text)
{
    uint32_t head, written;
    char bytes[128];
    assert_true(driver_used(&queues[RECEIVE], &head, &written));
    assert_int_equal(written, strlen(text));
    driver_get(where, bytes, written);
    assert_memory_equal(bytes, text, written);
}

static bool is_answered(void)
{
    uint32_t head, written;
    if (!driver_used(&queues[TRANSMIT], &head, &written))
        return false;
    assert_int_equal(written, 0);
    return true;
}

static void pattern_put(uint64_t where, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        driver_put(where + i, &(uint8_t){(uint8_t)(i * 7 + i / 256)}, 1);
}

static void pattern_is_shown(uint32_t size)
{
    assert_int_equal(terminal.count, size);
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(terminal.shown[i], (uint8_t)(i * 7 + i / 256));
}

static void test_prints(void **state)
{
    struct driver_buffer parts[] = {{DATA, 3, false}, {DRIVER_RAM + DRIVER_PIECE - 2, 5, false}};
    (void)state;
    driver_put(DATA, "abc", 3);
    driver_put(parts[1].address, "defgh", 5); // over the edge of a piece of memory
    driver_add(&queues[TRANSMIT], parts, 2);
    driver_notify(&queues[TRANSMIT]);
    assert_true(is_answered());
    assert_int_equal(terminal.count, 8);
    assert_memory_equal(terminal.shown, "abcdefgh", 8);
    assert_int_equal(console->device.counts[VIRTIO_FROM_GUEST].requests, 1);
    assert_int_equal(console->device.counts[VIRTIO_FROM_GUEST].bytes, 8);
    print(DATA, 0);
    assert_true(is_answered());
    assert_false(is_broken());
}

// What finds no room waits, also in the midst of a piece, and the request is answered when all is there.
static void test_waits_for_room(void **state)
{
    (void)state;
    pattern_put(DATA, 3000);
    terminal.room = 1500;
    print(DATA, 3000);
    assert_false(is_answered());
    assert_int_equal(terminal.count, 1500);
    event();
    assert_int_equal(terminal.count, 1500);
    for (unsigned i = 0; i < 1500; i += 100) {
        assert_false(is_answered());
        terminal.room = 100;
        event();
    }
    assert_true(is_answered());
    pattern_is_shown(3000);
}

// One step prints a bounded piece, however much there is.
static void test_step_is_bounded(void **state)
{
    (void)state;
    pattern_put(DATA, 8000);
    driver_add(&queues[TRANSMIT], &(struct driver_buffer){DATA, 8000, false}, 1);
    driver_write(&console->device, 0x050, TRANSMIT);
    assert_int_equal(virtio_run(&console->device, VIRTIO_STEP_BYTES), VIRTIO_MORE);
    assert_in_range(terminal.count, 1, VIRTIO_STEP_BYTES / 8);
    event();
    assert_true(is_answered());
    pattern_is_shown(8000);
}

static void test_input_is_taken_and_given_back(void **state)
{
    (void)state;
    terminal.typed = "early";
    event();
    assert_false(terminal.is_taken); // no buffer yet
    give(DATA, 100);
    assert_true(terminal.is_taken);
    comes(DATA, "early");
    give(DATA, 3);
    give(DATA + 0x100, 100);
    terminal.typed = "and more";
    event();
    comes(DATA, "and");
    comes(DATA + 0x100, " more");
    terminal.typed = "later"; // without a buffer it stays typed
    event();
    assert_string_equal(terminal.typed, "later");
    assert_true(terminal.is_taken);
    driver_write(&console->device, 0x070, 0);
    assert_false(terminal.is_taken);
    driver_write(&console->device, 0x070, 0);
    assert_int_equal(terminal.turns, 2);
    assert_int_equal(console->device.counts[VIRTIO_TO_GUEST].bytes, 13);
}

static void test_reset_in_the_midst(void **state)
{
    (void)state;
    terminal.room = 10;
    print(DATA, 100);
    give(DATA, 100);
    driver_write(&console->device, 0x070, 0);
    terminal.room = 1000;
    terminal.typed = "x";
    event();
    assert_int_equal(terminal.count, 10);
    driver_memory_reset();
    start();
    event();
    assert_int_equal(terminal.count, 10);
    assert_string_equal(terminal.typed, "x");
}

static void test_asks(void **state)
{
    (void)state;
    vconsole_ask(console); // nobody has the input
    give(DATA, 100);
    vconsole_ask(console);
    terminal.typed = "y";
    event();
    comes(DATA, "\x0fs\x0fu\x0foy");
}

static void test_wrong_requests(void **state)
{
    struct driver_buffer both[] = {{DATA, 3, false}, {DATA, 3, true}};
    (void)state;
    driver_add(&queues[RECEIVE], both, 2); // has something to be read
    driver_notify(&queues[RECEIVE]);
    assert_true(is_broken());
    assert_false(terminal.is_taken);
    teardown(NULL);
    setup(NULL);
    driver_add(&queues[RECEIVE], both, 1);
    driver_notify(&queues[RECEIVE]);
    assert_true(is_broken());
    teardown(NULL);
    setup(NULL);
    print(DRIVER_RAM + DRIVER_RAM_SIZE - 1, 2);
    assert_true(is_broken());
    assert_int_equal(terminal.count, 0);
}

static void test_without_memory(void **state)
{
    (void)state;
    give(DATA, 100);
    terminal.typed = "x";
    driver_lacking = 1;
    vconsole_call(console);
    assert_int_equal(virtio_run(&console->device, VIRTIO_STEP_BYTES), VIRTIO_NO_MEMORY);
    driver_lacking = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_prints),
        TEST(test_waits_for_room),
        TEST(test_step_is_bounded),
        TEST(test_input_is_taken_and_given_back),
        TEST(test_reset_in_the_midst),
        TEST(test_asks),
        TEST(test_wrong_requests),
        TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
