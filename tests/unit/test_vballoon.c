// sources: hypervisor/virtio/virtio.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c
// sources: hypervisor/virtio/vballoon.c hypervisor/virtio/rate.c tests/unit/fake/driver.c
//
// The balloon: what a driver gives back, asked to or not, and what it must not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "driver.h"
#include "hart.h"
#include "vballoon.h"

#define RING (DRIVER_RAM + 0x1000)
#define NUMBERS (DRIVER_RAM + 0x4000)
#define FREE (DRIVER_RAM + 0x10000) // up to the end: nothing of the driver's
#define FIRST (DRIVER_RAM / FRAME_SIZE)

unsigned char *hpa_arena; // addresses are themselves
static struct vballoon *balloon;
static struct driver_queue queues[VBALLOON_QUEUES];

// Nothing is limited here.
uint64_t hart_time(void)
{
    return 0;
}

static int setup(void **state)
{
    (void)state;
    driver_memory_reset();
    driver_discarded = 0;
    balloon = calloc(1, sizeof(*balloon));
    vballoon_init(balloon, &driver_space);
    driver_negotiate(&balloon->device, balloon->device.offered);
    for (unsigned i = 0; i < VBALLOON_QUEUES; i++)
        driver_queue_set_up(&queues[i], &balloon->device, i, 8, RING + 0x400 * i);
    driver_ok(&balloon->device);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(balloon);
    return 0;
}

static bool is_broken(void)
{
    return driver_read(&balloon->device, 0x070) & VIRTIO_NEEDS_RESET;
}

static unsigned answered(unsigned queue)
{
    uint32_t head, written;
    unsigned count = 0;
    for (; driver_used(&queues[queue], &head, &written); count++)
        assert_int_equal(written, 0);
    return count;
}

// Pages by number, from `first` on.
static void give(unsigned queue, uint32_t first, unsigned count)
{
    for (uint32_t i = 0; i < count; i++)
        driver_put(NUMBERS + 4 * i, &(uint32_t){first + i}, 4);
    driver_add(&queues[queue], &(struct driver_buffer){NUMBERS, 4 * count, false}, 1);
    driver_notify(&queues[queue]);
}

static void test_target(void **state)
{
    uint32_t generation = driver_read(&balloon->device, 0x0fc);
    (void)state;
    assert_int_equal(virtio_read(&balloon->device, 0x100, 4), 0);
    virtio_settings_open(&balloon->device)->size = 48 * FRAME_SIZE;
    virtio_settings_close(&balloon->device, true);
    assert_int_equal(virtio_run(&balloon->device, VIRTIO_STEP_BYTES), VIRTIO_IDLE);
    assert_int_equal(virtio_read(&balloon->device, 0x100, 4), 48);
    assert_true(driver_read(&balloon->device, 0x060) & 2);
    assert_int_not_equal(driver_read(&balloon->device, 0x0fc), generation);
}

static void test_inflates_and_deflates(void **state)
{
    (void)state;
    memset(driver_at(FREE), 0x5a, 2 * FRAME_SIZE);
    give(0, FIRST + 16, 40); // more than one step
    assert_int_equal(answered(0), 1);
    assert_int_equal(driver_discarded, 40);
    assert_int_equal(balloon->inflated, 40);
    assert_int_equal(*(uint8_t *)driver_at(FREE), 0);
    give(1, FIRST + 16, 30);
    assert_int_equal(answered(1), 1);
    assert_int_equal(balloon->inflated, 10);
    give(1, FIRST + 16, 30); // more than were in it
    assert_int_equal(balloon->inflated, 0);
    assert_int_equal(driver_discarded, 40);
    assert_int_equal(balloon->device.counts[VIRTIO_FROM_GUEST].bytes, 40 * FRAME_SIZE);
    assert_int_equal(balloon->device.counts[VIRTIO_TO_GUEST].bytes, 60 * FRAME_SIZE);
    assert_false(is_broken());
}

static void test_reports(void **state)
{
    struct driver_buffer ranges[] = {
        {FREE + 100, 3 * FRAME_SIZE, true}, // two whole pages
        {FREE + 5 * FRAME_SIZE, 16, true},  // none
        {FREE + 8 * FRAME_SIZE, 40 * FRAME_SIZE, true},
    };
    (void)state;
    for (unsigned queue = 2; queue < VBALLOON_QUEUES; queue++) { // whichever the driver takes it to be
        driver_discarded = 0;
        driver_add(&queues[queue], ranges, 3);
        driver_notify(&queues[queue]);
        assert_int_equal(answered(queue), 1);
        assert_int_equal(driver_discarded, 42);
    }
    assert_int_equal(balloon->inflated, 0);
}

static void test_pages_that_are_none(void **state)
{
    static const uint32_t bad[] = {0, FIRST - 1, FIRST + DRIVER_RAM_SIZE / FRAME_SIZE, UINT32_MAX};
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        give(0, bad[i], 1);
        assert_true(is_broken());
        assert_int_equal(driver_discarded, 0);
        teardown(NULL);
        setup(NULL);
    }
}

static void test_without_memory(void **state)
{
    (void)state;
    driver_lacking = 1; // for the tables: the page stays
    give(0, FIRST + 16, 8);
    assert_int_equal(driver_discarded, 0);
    assert_int_equal(balloon->device.counts[VIRTIO_FROM_GUEST].bytes, 0);
    driver_lacking = 0;
}

// A queue that is taken away with a request under way keeps no other from being served.
static void test_queue_goes_in_the_midst(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200; i++)
        driver_put(NUMBERS + 4 * i, &(uint32_t){FIRST + 16 + i % 40}, 4);
    driver_add(&queues[0], &(struct driver_buffer){NUMBERS, 4 * 200, false}, 1);
    driver_write(&balloon->device, 0x050, 0);
    assert_int_equal(virtio_run(&balloon->device, 1000), VIRTIO_MORE);
    assert_int_equal(virtio_run(&balloon->device, 1000), VIRTIO_MORE);
    assert_true(balloon->is_open);
    driver_write(&balloon->device, 0x030, 0);
    driver_write(&balloon->device, 0x044, 0);
    give(1, FIRST, 1);
    assert_int_equal(answered(1), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_target),         TEST(test_inflates_and_deflates),
        TEST(test_reports),        TEST(test_pages_that_are_none),
        TEST(test_without_memory), TEST(test_queue_goes_in_the_midst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
