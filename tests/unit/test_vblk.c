// sources: hypervisor/virtio/virtio.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c
// sources: hypervisor/virtio/vblk.c hypervisor/virtio/vblk_memory.c hypervisor/virtio/store.c
// sources: hypervisor/virtio/rate.c
// sources: hypervisor/memory/frames.c lib/buddy.c tests/unit/fake/driver.c
//
// Disks in memory, by what a driver may ask of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buddy.h"
#include "driver.h"
#include "frames.h"
#include "log.h"
#include "vblk.h"

#define MIB 0x100000u
#define RING (DRIVER_RAM + 0x1000)
#define HEADER (DRIVER_RAM + 0x4000)
#define DATA (DRIVER_RAM + 0x8000)
#define RESULT (DRIVER_RAM + 0x5000)
#define GOOD (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)
#define DISK_BLOCKS 40u
#define DISK_SIZE (DISK_BLOCKS * STORE_BLOCK + 1024u) // its end is within a block
#define OWNER 7u

unsigned char *hpa_arena;
static uint64_t time_now;
static uint8_t arena[4 * MIB] __attribute__((aligned(4 * MIB)));
static uint8_t table[8 * sizeof(arena) / FRAME_SIZE + 4096] __attribute__((aligned(8)));
static uint8_t image[DISK_SIZE], expected[DISK_SIZE];
static struct vblk_memory *disk;
static struct driver_queue queue;
static uint64_t free_before;

uint64_t hart_time(void)
{
    return time_now;
}

_Noreturn void panic(const char *format, ...)
{
    (void)format;
    abort();
}

static void make(struct vblk_memory *m, uint64_t room, uint16_t owner)
{
    memset(m, 0, sizeof(*m));
    assert_int_equal(store_init(&m->store, image, sizeof(image), sizeof(image), room, owner), STATUS_OK);
    memcpy(m->disk.serial, "twenty-characters-xx", 20);
    vblk_memory_init(m, &driver_space);
}

static void start(struct vblk_memory *m, uint64_t room, uint16_t owner)
{
    make(m, room, owner);
    driver_negotiate(&m->disk.device, m->disk.device.offered);
    driver_queue_set_up(&queue, &m->disk.device, 0, 64, RING);
    driver_ok(&m->disk.device);
}

static int setup(void **state)
{
    const struct range ram = {0, sizeof(arena)};
    (void)state;
    hpa_arena = arena;
    memset(arena, 0, sizeof(arena));
    frames_init(table, &ram, 1);
    frames_release((struct range){FRAME_SIZE, sizeof(arena) - FRAME_SIZE}); // frame 0 is nobody's
    free_before = frames_free_bytes();
    for (unsigned i = 0; i < sizeof(image); i++)
        image[i] = (uint8_t)(i * 7 + i / 512);
    memcpy(expected, image, sizeof(image));
    driver_memory_reset();
    disk = malloc(sizeof(*disk));
    return 0;
}

static void store_clear(struct store *s)
{
    while (store_release_step(s)) {
    }
    assert_int_equal(s->used, 0);
    store_unmake(s);
}

static int teardown(void **state)
{
    (void)state;
    store_clear(&disk->store);
    assert_int_equal(frames_free_bytes(), free_before);
    for (unsigned i = 0; i < sizeof(arena); i++) // all that was given back is clear
        assert_int_equal(arena[i], 0);
    free(disk);
    return 0;
}

struct answer {
    uint8_t result;
    uint32_t written;
};

static struct answer ask(uint32_t type, uint64_t sector, const struct driver_buffer *data, unsigned count)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header = {type, 0, sector};
    struct driver_buffer buffers[16] = {{HEADER, sizeof(header), false}};
    struct answer a = {0xff, 0};
    uint32_t head;

    for (unsigned i = 0; i < count; i++)
        buffers[1 + i] = data[i];
    buffers[1 + count] = (struct driver_buffer){RESULT, 1, true};
    driver_put(HEADER, &header, sizeof(header));
    driver_put(RESULT, &a.result, 1);
    uint16_t given = driver_add(&queue, buffers, count + 2);
    driver_notify(&queue);
    if (driver_used(&queue, &head, &a.written))
        assert_int_equal(head, given);
    driver_get(RESULT, &a.result, 1);
    return a;
}

static uint8_t read_sectors(uint64_t sector, uint8_t *to, uint32_t bytes)
{
    struct driver_buffer buffers[] = {{DATA, bytes / 3, true}, {DATA + bytes / 3, bytes - bytes / 3, true}};
    struct answer a = ask(VIRTIO_BLK_IN, sector, buffers, 2);
    if (a.result == VIRTIO_BLK_OK) {
        assert_int_equal(a.written, bytes + 1);
        driver_get(DATA, to, bytes);
    }
    return a.result;
}

static uint8_t write_sectors(uint64_t sector, const uint8_t *from, uint32_t bytes)
{
    struct driver_buffer buffers[] = {{DATA, bytes / 3, false}, {DATA + bytes / 3, bytes - bytes / 3, false}};
    driver_put(DATA, from, bytes);
    struct answer a = ask(VIRTIO_BLK_OUT, sector, buffers, 2);
    if (a.result == VIRTIO_BLK_OK) {
        assert_int_equal(a.written, 1);
        memcpy(expected + sector * 512, from, bytes);
    }
    return a.result;
}

static void content_check(void)
{
    static uint8_t got[DISK_SIZE];
    for (uint32_t at = 0; at < DISK_SIZE; at += 3 * 512) {
        uint32_t bytes = DISK_SIZE - at < 3 * 512 ? DISK_SIZE - at : 3 * 512;
        assert_int_equal(read_sectors(at / 512, got + at, bytes), VIRTIO_BLK_OK);
    }
    assert_memory_equal(got, expected, DISK_SIZE);
}

static void test_read_only(void **state)
{
    uint8_t bytes[1024] = {1};
    (void)state;
    start(disk, 0, OWNER);
    assert_true(disk->disk.device.offered & 1u << 5);
    content_check();
    assert_int_equal(write_sectors(0, bytes, 1024), VIRTIO_BLK_IOERR);
    assert_int_equal(ask(VIRTIO_BLK_DISCARD, 0, &(struct driver_buffer){DATA, 16, false}, 1).result,
                     VIRTIO_BLK_UNSUPPORTED);
    content_check();
    assert_int_equal(frames_free_bytes(), free_before);
}

static void test_configuration(void **state)
{
    (void)state;
    start(disk, MIB, OWNER);
    assert_int_equal(virtio_read(&disk->disk.device, 0x100, 8), DISK_SIZE / 512);
    assert_int_equal(virtio_read(&disk->disk.device, 0x100, 4), DISK_SIZE / 512);
    assert_int_equal(virtio_read(&disk->disk.device, 0x100, 1), (DISK_SIZE / 512) & 0xff);
    assert_int_equal(virtio_read(&disk->disk.device, 0x102, 2), 0);
    assert_int_equal(virtio_read(&disk->disk.device, 0x10c, 4), 62);
    assert_int_equal(virtio_read(&disk->disk.device, 0xffc, 4), 0);
    virtio_write(&disk->disk.device, 0x100, 4, 0);
    assert_int_equal(virtio_read(&disk->disk.device, 0x100, 8), DISK_SIZE / 512);
    assert_false(disk->disk.device.offered & 1u << 5);
}

static void test_serial(void **state)
{
    uint8_t bytes[21] = {0};
    (void)state;
    start(disk, 0, OWNER);
    assert_int_equal(ask(VIRTIO_BLK_GET_ID, 0, &(struct driver_buffer){DATA, 20, true}, 1).result, VIRTIO_BLK_OK);
    driver_get(DATA, bytes, 21);
    assert_string_equal((char *)bytes, "twenty-characters-xx");
    assert_int_equal(ask(VIRTIO_BLK_GET_ID, 0, &(struct driver_buffer){DATA, 4, true}, 1).result, VIRTIO_BLK_OK);
}

static void test_beyond_the_end(void **state)
{
    static const uint64_t sectors[] = {DISK_SIZE / 512 - 1, DISK_SIZE / 512, DISK_SIZE / 512 + 1, UINT64_MAX / 512,
                                       UINT64_MAX};
    uint8_t bytes[1024] = {0};
    (void)state;
    start(disk, MIB, OWNER);
    for (unsigned i = 0; i < array_length(sectors); i++) {
        assert_int_equal(read_sectors(sectors[i], bytes, 1024), VIRTIO_BLK_IOERR);
        assert_int_equal(write_sectors(sectors[i], bytes, 1024), VIRTIO_BLK_IOERR);
    }
    assert_int_equal(read_sectors(0, bytes, 511), VIRTIO_BLK_IOERR);
    assert_int_equal(write_sectors(0, bytes, 513), VIRTIO_BLK_IOERR);
    assert_int_equal(ask(77, 0, NULL, 0).result, VIRTIO_BLK_UNSUPPORTED);
    assert_int_equal(ask(VIRTIO_BLK_FLUSH, 0, NULL, 0).result, VIRTIO_BLK_OK);
    content_check();
}

static void zero_check(uint32_t type, uint64_t sector, uint32_t count, uint32_t flags, uint8_t result)
{
    struct {
        uint64_t sector;
        uint32_t count, flags;
    } part = {sector, count, flags};
    driver_put(DATA, &part, sizeof(part));
    assert_int_equal(ask(type, 0, &(struct driver_buffer){DATA, sizeof(part), false}, 1).result, result);
    if (result == VIRTIO_BLK_OK)
        memset(expected + sector * 512, 0, count * 512);
}

static void test_writes_at_random(void **state)
{
    static uint8_t bytes[20 * 512];
    (void)state;
    start(disk, MIB, OWNER);
    srand(1);
    for (unsigned i = 0; i < 400; i++) {
        uint32_t count = 1 + (uint32_t)rand() % 20, sector = (uint32_t)rand() % (DISK_SIZE / 512 - count + 1);
        for (unsigned j = 0; j < sizeof(bytes); j++)
            bytes[j] = (uint8_t)rand();
        if (rand() % 3)
            assert_int_equal(write_sectors(sector, bytes, count * 512), VIRTIO_BLK_OK);
        else
            zero_check(rand() % 2 ? VIRTIO_BLK_DISCARD : VIRTIO_BLK_WRITE_ZEROES, sector, count, 0, VIRTIO_BLK_OK);
        if (i % 50 == 0)
            content_check();
    }
    zero_check(VIRTIO_BLK_WRITE_ZEROES, 3, 60, 1, VIRTIO_BLK_OK);
    zero_check(VIRTIO_BLK_DISCARD, 0, 1, 1, VIRTIO_BLK_UNSUPPORTED);
    zero_check(VIRTIO_BLK_WRITE_ZEROES, 0, 1, 2, VIRTIO_BLK_UNSUPPORTED);
    zero_check(VIRTIO_BLK_WRITE_ZEROES, 0, DISK_SIZE / 512 + 1, 0, VIRTIO_BLK_IOERR);
    zero_check(VIRTIO_BLK_WRITE_ZEROES, UINT64_MAX, 1, 0, VIRTIO_BLK_IOERR);
    zero_check(VIRTIO_BLK_WRITE_ZEROES, 0, UINT32_MAX, 0, VIRTIO_BLK_IOERR);
    content_check();
    zero_check(VIRTIO_BLK_DISCARD, 0, DISK_SIZE / 512, 0,
               VIRTIO_BLK_OK); // all: the frames come back, but for the last, cut block's
    assert_true(disk->store.used <= 1);
    content_check();
}

static void test_room_is_bounded(void **state)
{
    uint8_t bytes[512] = {7};
    (void)state;
    start(disk, 3 * STORE_BLOCK, OWNER);
    for (unsigned block = 0; block < 3; block++)
        assert_int_equal(write_sectors(8 * block, bytes, 512), VIRTIO_BLK_OK);
    assert_int_equal(write_sectors(8 * 9, bytes, 512), VIRTIO_BLK_IOERR);
    assert_int_equal(write_sectors(8, bytes, 512), VIRTIO_BLK_OK);
    assert_int_equal(disk->store.used, 3);
    zero_check(VIRTIO_BLK_DISCARD, 8, 8, 0, VIRTIO_BLK_OK);
    assert_int_equal(write_sectors(8 * 9, bytes, 512), VIRTIO_BLK_OK);
    content_check();
}

static void test_machine_without_memory(void **state)
{
    struct hpa ignored;
    uint8_t bytes[512] = {7};
    (void)state;
    start(disk, MIB, OWNER);
    while (frames_allocate(0, 9, &ignored) == STATUS_OK) {
    }
    assert_int_equal(write_sectors(0, bytes, 512), VIRTIO_BLK_IOERR);
    content_check();
    free(disk);
    setup(state);
    start(disk, 0, OWNER);
}

static void test_long_request_in_steps(void **state)
{
    struct driver_buffer buffers[] = {{HEADER, 16, false}, {DATA, 64 * 512, true}, {RESULT, 1, true}};
    static const uint8_t header[16] = {0};
    uint8_t got[64 * 512];
    unsigned steps = 0;
    (void)state;
    start(disk, MIB, OWNER);
    driver_put(HEADER, header, sizeof(header));
    driver_add(&queue, buffers, 3);
    driver_write(&disk->disk.device, 0x050, 0);
    while (virtio_run(&disk->disk.device, 4096) == VIRTIO_MORE)
        steps++;
    assert_in_range(steps, 8, 10);
    driver_get(DATA, got, sizeof(got));
    assert_memory_equal(got, image, sizeof(got));
}

// Requests of one sector, queued one after the other; how many have been answered since.
static unsigned answered(void)
{
    uint32_t head, written;
    unsigned count = 0;
    while (driver_used(&queue, &head, &written))
        count++;
    return count;
}

static void reads_queue(unsigned count)
{
    static const uint8_t header[16] = {0};
    driver_put(HEADER, header, sizeof(header));
    for (unsigned i = 0; i < count; i++)
        driver_add(&queue, (struct driver_buffer[]){{HEADER, 16, false}, {DATA, 512, true}, {RESULT, 1, true}}, 3);
    driver_write(&disk->disk.device, 0x050, 0);
}

// Whatever its rate allows until `until`; looks at no other time than it says.
static void run_until(uint64_t until)
{
    struct virtio_device *d = &disk->disk.device;
    enum virtio_progress progress;
    do {
        virtio_resume(d);
        progress = virtio_run(d, VIRTIO_STEP_BYTES);
        if (progress == VIRTIO_LATER && virtio_later(d) > time_now)
            time_now = virtio_later(d) < until ? virtio_later(d) : until;
    } while (progress == VIRTIO_MORE || (progress == VIRTIO_LATER && time_now < until));
}

static void test_rate_of_requests(void **state)
{
    (void)state;
    start(disk, 0, OWNER);
    rates_init(8000);
    rates_set(&disk->disk.queue.rates, 40, 0); // of which an eighth of a second holds 5
    time_now = 800000;
    reads_queue(16);
    assert_int_equal(virtio_run(&disk->disk.device, VIRTIO_STEP_BYTES), VIRTIO_LATER);
    assert_int_equal(answered(), 6); // one that is paid for later
    assert_int_equal(virtio_later(&disk->disk.device), time_now + 200);
    driver_write(&disk->disk.device, 0x050, 0); // whoever asks again is not served sooner
    assert_int_equal(virtio_run(&disk->disk.device, VIRTIO_STEP_BYTES), VIRTIO_LATER);
    assert_int_equal(answered(), 0);
    run_until(time_now + 1001);
    assert_int_equal(answered(), 5);
    rates_set(&disk->disk.queue.rates, 0, 0);
    virtio_resume(&disk->disk.device);
    assert_int_equal(virtio_run(&disk->disk.device, VIRTIO_STEP_BYTES), VIRTIO_IDLE);
    assert_int_equal(answered(), 5);
    assert_int_equal(virtio_later(&disk->disk.device), UINT64_MAX);
}

static void test_rate_of_bytes(void **state)
{
    uint64_t before = time_now = 123456789;
    unsigned count = 0;
    (void)state;
    start(disk, 0, OWNER);
    rates_init(10000000);
    rates_set(&disk->disk.queue.rates, 0, 3 * 512 + 1); // which divides nothing evenly
    for (unsigned i = 0; i < 30; i++) {
        reads_queue(16);
        run_until(before + (i + 1) * 10000000ull);
        driver_write(&disk->disk.device, 0x070, 0); // a reset makes nobody rich
        driver_negotiate(&disk->disk.device, disk->disk.device.offered);
        count += answered();
        driver_queue_set_up(&queue, &disk->disk.device, 0, 64, RING);
        driver_ok(&disk->disk.device);
    }
    assert_in_range(count, 90, 92);
    rates_set(&disk->disk.queue.rates, UINT64_MAX, UINT64_MAX);
    reads_queue(16);
    assert_int_equal(virtio_run(&disk->disk.device, 16 * VIRTIO_STEP_BYTES), VIRTIO_IDLE);
}

// What people change, as the hypervisor has it done.
static void settings_set(bool is_out, uint64_t size, void *medium)
{
    struct virtio_settings *s = virtio_settings_open(&disk->disk.device);
    s->is_out = is_out;
    s->size = size;
    s->medium = medium;
    virtio_settings_close(&disk->disk.device, true);
    while (virtio_run(&disk->disk.device, VIRTIO_STEP_BYTES) == VIRTIO_MORE) {
    }
}

static uint64_t capacity(void)
{
    return virtio_read(&disk->disk.device, 0x100, 8) * 512;
}

// The driver was told that the configuration has changed, and that it has another generation.
static void change_check(void)
{
    static uint32_t generation;
    assert_true(driver_read(&disk->disk.device, 0x060) & 2);
    driver_write(&disk->disk.device, 0x064, 3);
    assert_int_not_equal(driver_read(&disk->disk.device, 0x0fc), generation);
    generation = driver_read(&disk->disk.device, 0x0fc);
}

static void test_disk_is_taken_out(void **state)
{
    uint8_t got[512];
    (void)state;
    start(disk, MIB, OWNER);
    assert_int_equal(write_sectors(3, image, 512), VIRTIO_BLK_OK);
    reads_queue(1);
    rates_init(8);
    rates_set(&disk->disk.queue.rates, 1, 0);
    settings_set(true, 0, NULL); // whose rates are none: what had to wait is answered
    change_check();
    assert_int_equal(capacity(), 0);
    driver_get(RESULT, got, 1);
    assert_int_equal(got[0], VIRTIO_BLK_IOERR);
    assert_int_equal(answered(), 1);
    assert_int_equal(read_sectors(0, got, 512), VIRTIO_BLK_IOERR);
    assert_int_equal(write_sectors(0, image, 512), VIRTIO_BLK_IOERR);
    zero_check(VIRTIO_BLK_DISCARD, 0, 1, 0, VIRTIO_BLK_IOERR);
    assert_int_equal(ask(VIRTIO_BLK_GET_ID, 0, &(struct driver_buffer){DATA, 20, true}, 1).result, VIRTIO_BLK_OK);
    settings_set(false, 0, NULL);
    change_check();
    assert_int_equal(capacity(), DISK_SIZE);
    content_check();
}

static void *table_make(uint64_t size)
{
    struct hpa at;
    assert_int_equal(frames_allocate(buddy_order(store_cost(size, 1) / FRAME_SIZE), FRAMES_OWNER_HYPERVISOR, &at),
                     STATUS_OK);
    return memset(hpa_pointer(at), 0xa5, store_cost(size, 1)); // nobody has cleared it
}

static void test_size_changes(void **state)
{
    const uint64_t large = 16 * MIB + 512, beyond = DISK_SIZE / 512;
    uint8_t got[4096], zeros[4096] = {0};
    (void)state;
    start(disk, MIB, OWNER);
    settings_set(false, 8192, NULL);
    change_check();
    assert_int_equal(capacity(), 8192);
    assert_int_equal(read_sectors(15, got, 1024), VIRTIO_BLK_IOERR);
    assert_int_equal(read_sectors(15, got, 512), VIRTIO_BLK_OK);
    settings_set(false, large, table_make(large));
    change_check();
    assert_int_equal(capacity(), large);
    content_check();
    assert_int_equal(read_sectors(beyond, got, 4096), VIRTIO_BLK_OK); // from the image's last block into the next
    assert_memory_equal(got, zeros, 4096);
    assert_int_equal(read_sectors(large / 512 - 1, got, 512), VIRTIO_BLK_OK);
    assert_memory_equal(got, zeros, 512);
    assert_int_equal(read_sectors(large / 512, got, 512), VIRTIO_BLK_IOERR);
    memset(got, 7, sizeof(got));
    driver_put(DATA, got, 4096);
    assert_int_equal(ask(VIRTIO_BLK_OUT, beyond + 1, &(struct driver_buffer){DATA, 4096, false}, 1).result,
                     VIRTIO_BLK_OK);
    settings_set(false, 0, NULL);
    assert_int_equal(capacity(), DISK_SIZE);
    content_check();
    settings_set(false, large, NULL); // what was beyond is still there
    assert_int_equal(read_sectors(beyond, got, 1024), VIRTIO_BLK_OK);
    assert_true(got[511] == 0 && got[512] == 7);
    content_check();
}

static void test_counts(void **state)
{
    const struct virtio_count *to = &disk->disk.device.counts[VIRTIO_TO_GUEST], *from = to + VIRTIO_FROM_GUEST;
    uint8_t bytes[1024] = {0};
    (void)state;
    start(disk, MIB, OWNER);
    read_sectors(0, bytes, 1024);
    read_sectors(DISK_SIZE / 512, bytes, 512);
    write_sectors(0, bytes, 512);
    driver_write(&disk->disk.device, 0x070, 0); // they outlive a reset
    assert_true(to->requests == 2 && to->bytes == 1024 && to->errors == 1);
    assert_true(from->requests == 1 && virtio_counted(&from->bytes) == 512 && from->errors == 0);
}

static void test_reset_in_the_midst(void **state)
{
    struct driver_buffer buffers[] = {{HEADER, 16, false}, {DATA, 64 * 512, true}, {RESULT, 1, true}};
    static const uint8_t header[16] = {0};
    uint32_t head, written;
    (void)state;
    start(disk, MIB, OWNER);
    driver_put(HEADER, header, sizeof(header));
    driver_add(&queue, buffers, 3);
    driver_write(&disk->disk.device, 0x050, 0);
    assert_int_equal(virtio_run(&disk->disk.device, 4096), VIRTIO_MORE);
    driver_write(&disk->disk.device, 0x070, 0);
    assert_int_equal(virtio_run(&disk->disk.device, 4096), VIRTIO_IDLE);
    assert_false(driver_used(&queue, &head, &written));
    assert_false(disk->disk.request.is_open);
}

static void broken_check(const struct driver_buffer *buffers, unsigned count)
{
    struct vblk_memory one;
    start(&one, 0, OWNER);
    driver_add(&queue, buffers, count);
    driver_notify(&queue);
    assert_true(driver_read(&one.disk.device, 0x070) & VIRTIO_NEEDS_RESET);
    store_unmake(&one.store);
}

static void test_requests_without_answer(void **state)
{
    (void)state;
    start(disk, 0, OWNER);
    broken_check((struct driver_buffer[]){{HEADER, 16, false}}, 1);
    broken_check((struct driver_buffer[]){{RESULT, 1, true}}, 1);
    broken_check((struct driver_buffer[]){{HEADER, 15, false}, {RESULT, 1, true}}, 2);
}

static void test_clone(void **state)
{
    struct vblk_memory clone;
    uint8_t bytes[4096];
    uint32_t block = 0;
    (void)state;
    start(disk, MIB, OWNER);
    memset(bytes, 1, sizeof(bytes));
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(write_sectors(16 * i, bytes, 4096), VIRTIO_BLK_OK);
    zero_check(VIRTIO_BLK_DISCARD, 8, 8, 0, VIRTIO_BLK_OK);
    uint64_t before = frames_free_bytes();
    make(&clone, MIB, OWNER + 1);
    uint64_t with_table = frames_free_bytes();
    while (block < store_block_count(&disk->store))
        assert_int_equal(store_clone_step(&clone.store, &disk->store, &block), STATUS_OK);
    assert_int_equal(frames_free_bytes(), with_table);
    content_check();
    // What each writes, the other does not see.
    memset(bytes, 2, sizeof(bytes));
    assert_int_equal(write_sectors(0, bytes, 512), VIRTIO_BLK_OK);
    assert_int_equal(write_sectors(8, bytes, 512), VIRTIO_BLK_OK);
    content_check();
    uint32_t run;
    assert_int_equal(*store_read(&clone.store, 0, 512, &run), 1);
    assert_int_equal(*store_read(&clone.store, 4096, 512, &run), 0);
    uint8_t *to = store_write(&clone.store, 8192, 512, &run);
    assert_non_null(to);
    memset(to, 9, run);
    content_check();
    store_clear(&clone.store);
    content_check();
    assert_int_equal(frames_free_bytes(), before - 1 * STORE_BLOCK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_read_only),
        TEST(test_configuration),
        TEST(test_serial),
        TEST(test_beyond_the_end),
        TEST(test_writes_at_random),
        TEST(test_room_is_bounded),
        TEST(test_machine_without_memory),
        TEST(test_long_request_in_steps),
        TEST(test_rate_of_requests),
        TEST(test_rate_of_bytes),
        TEST(test_disk_is_taken_out),
        TEST(test_size_changes),
        TEST(test_counts),
        TEST(test_reset_in_the_midst),
        TEST(test_requests_without_answer),
        TEST(test_clone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
