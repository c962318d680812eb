// sources: hypervisor/virtio/virtio.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c
// sources: hypervisor/virtio/vrng.c hypervisor/virtio/rate.c tests/unit/fake/driver.c
//
// Registers and queues, by the device that does the least with them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver.h"
#include "hart.h"
#include "vrng.h"

#define RING (DRIVER_RAM + 0x1000)
#define DATA (DRIVER_RAM + 0x8000)
#define BORDER (DRIVER_RAM + DRIVER_PIECE)
#define GOOD (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)
#define STATUS 0x070u

unsigned char *hpa_arena;
static struct vrng *rng;
static struct virtio_device *device;
static struct driver_queue queue;
static uint8_t drawn;

// Nothing is limited here.
uint64_t hart_time(void)
{
    return 0;
}

static void draw(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = ++drawn ? drawn : ++drawn; // never 0
}

static void start(uint64_t features)
{
    driver_negotiate(device, features);
    driver_queue_set_up(&queue, device, 0, 8, RING);
    driver_ok(device);
}

static int setup(void **state)
{
    (void)state;
    driver_memory_reset();
    rng = malloc(sizeof(*rng));
    memset(rng, 0xa5, sizeof(*rng));
    vrng_init(rng, &driver_space, draw);
    device = &rng->device;
    drawn = 0;
    return 0;
}

static int setup_whole(void **state)
{
    setup(state);
    driver_space.forked = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(rng);
    return 0;
}

static bool is_broken(void)
{
    return driver_read(device, STATUS) & VIRTIO_NEEDS_RESET;
}

static void expect_broken(void)
{
    driver_notify(&queue);
    assert_true(is_broken());
    assert_int_equal(driver_read(device, 0x060) & 2, 2); // the driver is told
    assert_int_equal(rng->queue.ring.returned, 0);
}

static void test_identity(void **state)
{
    (void)state;
    assert_int_equal(driver_read(device, 0x000), 0x74726976);
    assert_int_equal(driver_read(device, 0x004), 2);
    assert_int_equal(driver_read(device, 0x008), 4);
    assert_int_equal(driver_read(device, 0x034), 8);
    assert_int_equal(driver_read(device, 0x0b0), UINT32_MAX); // no shared memory
    assert_int_equal(driver_read(device, 0x0b4), UINT32_MAX);
    driver_write(device, 0x030, 1);
    assert_int_equal(driver_read(device, 0x034), 0); // no such queue
    driver_write(device, 0x014, 1);
    assert_int_equal(driver_read(device, 0x010), 1);
    driver_write(device, 0x014, 2);
    assert_int_equal(driver_read(device, 0x010), 0);
}

static void test_widths(void **state)
{
    static const unsigned others[] = {1, 2, 8};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(virtio_read(device, 0x000, others[i]), 0);
        virtio_write(device, STATUS, others[i], 1);
        assert_int_equal(driver_read(device, STATUS), 0);
    }
    for (uint32_t offset = 0x100; offset < 0x1000; offset += 8)
        assert_int_equal(virtio_read(device, offset, 8), 0); // no configuration
}

static void test_serves(void **state)
{
    static const uint64_t features[] = {GOOD, VIRTIO_F_VERSION_1};
    uint32_t head, written;
    uint8_t bytes[17];
    (void)state;
    for (unsigned f = 0; f < 2; f++) {
        start(features[f]);
        for (unsigned i = 0; i < 70; i++) { // around the ring some times
            struct driver_buffer buffer = {BORDER - 8, 16, true};
            uint16_t given = driver_add(&queue, &buffer, 1);
            driver_notify(&queue);
            assert_true(driver_used(&queue, &head, &written));
            assert_int_equal(head, given);
            assert_int_equal(written, 16);
            driver_get(BORDER - 8, bytes, 17);
            assert_null(memchr(bytes, 0, 16));
            assert_int_equal(bytes[16], 0);
            assert_int_equal(driver_read(device, 0x060), f == 0 && i && i % 2 == 0 ? 0 : 1);
            driver_write(device, 0x064, 3);
            assert_false(virtio_irq(device));
            if (f == 0) { // it wants to hear of every second one
                uint16_t event = (uint16_t)(queue.seen | 1);
                driver_put(queue.available + 4 + 2 * queue.size, &event, 2);
            }
        }
        assert_false(is_broken());
    }
}

static void test_no_interrupt_flag(void **state)
{
    static const uint16_t no_interrupt = 1;
    struct driver_buffer buffer = {DATA, 16, true};
    (void)state;
    start(VIRTIO_F_VERSION_1);
    driver_put(queue.available, &no_interrupt, 2);
    driver_add(&queue, &buffer, 1);
    driver_notify(&queue);
    assert_false(virtio_irq(device));
}

static void test_asks_to_be_notified(void **state)
{
    struct driver_buffer buffer = {DATA, 16, true};
    uint16_t event;
    (void)state;
    start(GOOD);
    for (unsigned i = 0; i < 5; i++)
        driver_add(&queue, &buffer, 1);
    driver_notify(&queue);
    driver_get(queue.used + 4 + 8 * queue.size, &event, 2);
    assert_int_equal(event, 5);
}

static void test_features(void **state)
{
    static const uint64_t bad[] = {0, VIRTIO_F_EVENT_IDX, GOOD | 1, GOOD | 1ull << 63, ~0ull};
    (void)state;
    for (unsigned i = 0; i < array_length(bad); i++) {
        driver_negotiate(device, bad[i]);
        assert_int_equal(driver_read(device, STATUS), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
        driver_ok(device); // all the same
        assert_false(driver_read(device, STATUS) & VIRTIO_DRIVER_OK);
    }
    driver_negotiate(device, GOOD);
    driver_write(device, 0x024, 0);
    driver_write(device, 0x020, 0); // too late
    assert_int_equal(device->accepted, GOOD);
    driver_write(device, STATUS, 0);
    driver_write(device, 0x024, 7); // beyond all that are offered
    driver_write(device, 0x020, 1);
    assert_true(device->accepted & ~device->offered);
}

static void test_queue_is_fixed_while_ready(void **state)
{
    (void)state;
    start(GOOD);
    driver_write(device, 0x080, 0);
    driver_write(device, 0x094, 1);
    driver_write(device, 0x0a0, 64);
    driver_write(device, 0x038, 2);
    assert_int_equal(rng->queue.ring.descriptors.value, RING);
    assert_int_equal(rng->queue.ring.size, 8);
    assert_int_equal(driver_read(device, 0x044), 1);
    driver_write(device, 0x044, 0);
    assert_int_equal(driver_read(device, 0x044), 0);
    struct driver_buffer buffer = {DATA, 16, true};
    driver_add(&queue, &buffer, 1);
    driver_notify(&queue);
    assert_int_equal(rng->queue.ring.returned, 0);
    assert_false(is_broken());
}

static void test_nothing_before_driver_ok(void **state)
{
    struct driver_buffer buffer = {DATA, 16, true};
    (void)state;
    driver_negotiate(device, GOOD);
    driver_queue_set_up(&queue, device, 0, 8, RING);
    driver_add(&queue, &buffer, 1);
    driver_notify(&queue);
    assert_int_equal(rng->queue.ring.returned, 0);
    driver_ok(device); // what was offered before counts
    assert_int_equal(virtio_run(device, VIRTIO_STEP_BYTES), VIRTIO_IDLE);
    assert_int_equal(rng->queue.ring.returned, 1);
}

static void test_bad_queues(void **state)
{
    static const struct {
        uint16_t size;
        uint64_t where;
    } bad[] = {{0, RING},   {3, RING},      {16, RING}, {8, RING + 8}, {8, 0}, {8, DRIVER_RAM + DRIVER_RAM_SIZE - 16},
               {8, ~15ull}, {8, 1ull << 63}};
    (void)state;
    for (unsigned i = 0; i < array_length(bad); i++) {
        driver_negotiate(device, GOOD);
        driver_queue_set_up(&queue, device, 0, bad[i].size, bad[i].where);
        assert_int_equal(driver_read(device, 0x044), 0);
        assert_true(is_broken());
    }
    driver_write(device, STATUS, 0);
    assert_int_equal(driver_read(device, STATUS), 0);
    driver_queue_set_up(&queue, device, 0, 8, RING); // before the features
    assert_int_equal(driver_read(device, 0x044), 0);
}

static void test_reset(void **state)
{
    struct driver_buffer buffer = {DATA, 16, true};
    (void)state;
    start(GOOD);
    driver_add(&queue, &buffer, 1);
    driver_notify(&queue);
    assert_true(virtio_irq(device));
    driver_write(device, STATUS, 0);
    assert_int_equal(driver_read(device, STATUS), 0);
    assert_false(virtio_irq(device));
    assert_int_equal(driver_read(device, 0x044), 0);
    start(GOOD);
    driver_put(queue.available + 2, "\0\0", 2);
    driver_notify(&queue);
    assert_int_equal(rng->queue.ring.returned, 0);
    assert_false(is_broken());
}

// What a driver must not do; each with a device that is fresh.
static void bad_direction(void)
{
    driver_add(&queue, (struct driver_buffer[]){{DATA, 16, true}, {DATA, 16, false}}, 2);
}
static void bad_nothing_to_write(void)
{
    driver_add(&queue, (struct driver_buffer[]){{DATA, 16, false}}, 1);
}
static void bad_outside(void)
{
    driver_add(&queue, (struct driver_buffer[]){{DRIVER_RAM + DRIVER_RAM_SIZE - 8, 16, true}}, 1);
}
static void bad_below(void)
{
    driver_add(&queue, (struct driver_buffer[]){{DRIVER_RAM - 1, 16, true}}, 1);
}
static void bad_wraps(void)
{
    driver_add(&queue, (struct driver_buffer[]){{UINT64_MAX - 7, 16, true}}, 1);
}
static void bad_large(void)
{
    driver_add(&queue, (struct driver_buffer[]){{DATA, UINT32_MAX, true}}, 1);
}
static void bad_loop(void)
{
    driver_descriptor(&queue, 0, DATA, 1, FLAG_WRITE | FLAG_NEXT, 1);
    driver_descriptor(&queue, 1, DATA, 1, FLAG_WRITE | FLAG_NEXT, 0);
    driver_offer(&queue, 0);
}
static void bad_next(void)
{
    driver_descriptor(&queue, 0, DATA, 1, FLAG_WRITE | FLAG_NEXT, 8);
    driver_offer(&queue, 0);
}
static void bad_head(void)
{
    driver_offer(&queue, 8);
}
static void bad_index(void)
{
    queue.index = 8;
    driver_offer(&queue, 0); // 9 of 8
}
static void bad_index_back(void)
{
    queue.index = UINT16_MAX - 1;
    driver_offer(&queue, 0);
}
static void indirect(uint64_t where, uint32_t bytes, uint16_t flags)
{
    driver_descriptor(&queue, 0, where, bytes, (uint16_t)(FLAG_INDIRECT | flags), 1);
    driver_offer(&queue, 0);
}
static void bad_indirect_empty(void)
{
    indirect(DATA, 0, 0);
}
static void bad_indirect_odd(void)
{
    indirect(DATA, 24, 0);
}
static void bad_indirect_long(void)
{
    indirect(DATA, 16 * 9, 0);
}
static void bad_indirect_next(void)
{
    indirect(DATA, 16, FLAG_NEXT);
}
static void bad_indirect_outside(void)
{
    indirect(0x1000, 16, 0);
}
static void bad_indirect_nested(void)
{
    struct driver_queue table = {.descriptors = DATA};
    driver_descriptor(&table, 0, DATA, 16, FLAG_INDIRECT, 0);
    indirect(DATA, 16, 0);
}
static void bad_indirect_loop(void)
{
    struct driver_queue table = {.descriptors = DATA};
    driver_descriptor(&table, 0, DATA, 4, FLAG_WRITE | FLAG_NEXT, 0);
    indirect(DATA, 64, 0);
}

static void test_bad_chains(void **state)
{
    static void (*const bad[])(void) = {bad_direction,
                                        bad_nothing_to_write,
                                        bad_outside,
                                        bad_below,
                                        bad_wraps,
                                        bad_large,
                                        bad_loop,
                                        bad_next,
                                        bad_head,
                                        bad_index,
                                        bad_index_back,
                                        bad_indirect_empty,
                                        bad_indirect_odd,
                                        bad_indirect_long,
                                        bad_indirect_next,
                                        bad_indirect_outside,
                                        bad_indirect_nested,
                                        bad_indirect_loop};
    (void)state;
    for (unsigned i = 0; i < array_length(bad); i++) {
        driver_memory_reset();
        start(GOOD);
        bad[i]();
        expect_broken();
        driver_offer(&queue, 0); // nothing goes on
        driver_notify(&queue);
        assert_int_equal(rng->queue.ring.returned, 0);
    }
}

static void test_indirect_not_negotiated(void **state)
{
    struct driver_queue table = {.descriptors = DATA};
    (void)state;
    start(VIRTIO_F_VERSION_1);
    driver_descriptor(&table, 0, DATA + 64, 4, FLAG_WRITE, 0);
    indirect(DATA, 16, 0);
    expect_broken();
}

static void test_indirect(void **state)
{
    struct driver_queue table = {.descriptors = DATA};
    uint32_t head, written;
    (void)state;
    start(GOOD);
    // Some of the queue's own, and then a table (2.7.5.3.2).
    driver_descriptor(&queue, 2, DATA + 0x100, 4, FLAG_WRITE | FLAG_NEXT, 5);
    driver_descriptor(&queue, 5, DATA, 48, FLAG_INDIRECT | FLAG_WRITE, 0);
    driver_descriptor(&table, 0, DATA + 0x200, 4, FLAG_WRITE | FLAG_NEXT, 2);
    driver_descriptor(&table, 2, BORDER - 2, 4, FLAG_WRITE, 0);
    driver_offer(&queue, 2);
    driver_notify(&queue);
    assert_true(driver_used(&queue, &head, &written));
    assert_int_equal(head, 2);
    assert_int_equal(written, 12);
    assert_int_not_equal(*(uint8_t *)driver_at(DATA + 0x103), 0);
    assert_int_equal(*(uint8_t *)driver_at(DATA + 0x104), 0);
    assert_int_not_equal(*(uint8_t *)driver_at(BORDER + 1), 0);
}

static void test_budget(void **state)
{
    struct driver_buffer buffer = {DATA, 16, true};
    (void)state;
    start(GOOD);
    for (unsigned i = 0; i < 8; i++)
        driver_add(&queue, &buffer, 1);
    driver_write(device, 0x050, 0);
    assert_int_equal(virtio_run(device, 3 * VIRTIO_REQUEST_BYTES), VIRTIO_MORE);
    assert_int_equal(rng->queue.ring.returned, 3);
    assert_int_equal(virtio_run(device, 100 * VIRTIO_REQUEST_BYTES), VIRTIO_IDLE);
    assert_int_equal(rng->queue.ring.returned, 8);
    assert_int_equal(virtio_run(device, VIRTIO_STEP_BYTES), VIRTIO_IDLE);
}

static void test_somebody_else_is_at_work(void **state)
{
    struct driver_buffer buffer = {DATA, 16, true};
    (void)state;
    start(GOOD);
    driver_add(&queue, &buffer, 1);
    driver_write(device, 0x050, 0);
    lock_acquire(&rng->queue.lock);
    assert_int_equal(virtio_run(device, VIRTIO_STEP_BYTES), VIRTIO_MORE);
    assert_int_equal(rng->queue.ring.returned, 0);
    lock_release(&rng->queue.lock);
    assert_int_equal(virtio_run(device, VIRTIO_STEP_BYTES), VIRTIO_IDLE);
    assert_int_equal(rng->queue.ring.returned, 1);
}

// A page of its own is needed and there is none: that is the capsule's end, and no fault of the driver's.
static void test_no_memory(void **state)
{
    struct driver_buffer buffer = {DATA, 16, true};
    (void)state;
    for (unsigned n = 1; n < 4; n++) {
        start(GOOD);
        driver_add(&queue, &buffer, 1);
        driver_write(device, 0x050, 0);
        driver_lacking = n;
        assert_int_equal(virtio_run(device, VIRTIO_STEP_BYTES), VIRTIO_NO_MEMORY);
        assert_false(is_broken());
        driver_memory_reset();
    }
}

static void test_moves_with_one_copy(void **state)
{
    static struct virtqueue_chain from, to;
    uint8_t text[100], got[100];
    (void)state;
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i + 1);
    driver_put(BORDER - 50, text, sizeof(text));
    from = (struct virtqueue_chain){.count = 2, .read = {.end = 2, .left = 100}};
    from.segments[0] = (struct virtqueue_segment){gpa(BORDER - 50), 30};
    from.segments[1] = (struct virtqueue_segment){gpa(BORDER - 20), 70};
    to = (struct virtqueue_chain){.count = 3, .write = {.end = 3, .left = 110}};
    to.segments[0] = (struct virtqueue_segment){gpa(DATA), 10};
    to.segments[1] = (struct virtqueue_segment){gpa(DATA + 500), 0};
    to.segments[2] = (struct virtqueue_segment){gpa(DATA + 10), 100};
    assert_int_equal(chain_move(&to, &driver_space, &from, &driver_space, 101), STATUS_INVALID);
    assert_int_equal(chain_move(&to, &driver_space, &from, &driver_space, 7), STATUS_OK);
    assert_int_equal(chain_move(&to, &driver_space, &from, &driver_space, 93), STATUS_OK);
    driver_get(DATA, got, sizeof(got));
    assert_memory_equal(got, text, sizeof(text));
    assert_int_equal(from.read.left, 0);
    assert_int_equal(to.write.left, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WHOLE(name) cmocka_unit_test_setup_teardown(name, setup_whole, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity),
        TEST(test_widths),
        TEST(test_serves),
        TEST(test_no_interrupt_flag),
        TEST(test_asks_to_be_notified),
        TEST(test_features),
        TEST(test_queue_is_fixed_while_ready),
        TEST(test_nothing_before_driver_ok),
        TEST(test_bad_queues),
        TEST(test_reset),
        TEST(test_bad_chains),
        TEST(test_indirect_not_negotiated),
        TEST(test_indirect),
        TEST(test_budget),
        TEST(test_somebody_else_is_at_work),
        TEST(test_no_memory),
        TEST(test_moves_with_one_copy),
        TEST_WHOLE(test_serves),
        TEST_WHOLE(test_no_interrupt_flag),
        TEST_WHOLE(test_asks_to_be_notified),
        TEST_WHOLE(test_bad_queues),
        TEST_WHOLE(test_bad_chains),
        TEST_WHOLE(test_indirect),
        TEST_WHOLE(test_budget),
        TEST_WHOLE(test_moves_with_one_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
