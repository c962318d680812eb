// sources: hypervisor/virtio/virtio.c hypervisor/virtio/virtqueue.c hypervisor/isolation/transfer.c
// sources: hypervisor/virtio/vrng.c hypervisor/virtio/vblk.c hypervisor/virtio/vblk_memory.c hypervisor/virtio/store.c
// sources: hypervisor/virtio/rate.c hypervisor/virtio/vballoon.c hypervisor/virtio/vconsole.c
// sources: hypervisor/memory/frames.c lib/buddy.c tests/unit/fake/driver.c
//
// A driver that writes any registers and any rings, before and while each device works, and resets it whenever it
// likes. The device touches nothing but the guest's memory and its own disk; each step ends; what was read from an
// image that nobody may write is the image's.
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "input.h"
#include "log.h"
#include "vballoon.h"
#include "vblk.h"
#include "vconsole.h"
#include "vrng.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define RING (DRIVER_RAM + 0x1000)
#define ARENA 0x400000u
#define OWNER 3u
#define GOOD (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)

unsigned char *hpa_arena;
static uint64_t time_now;
static uint8_t arena[ARENA] __attribute__((aligned(ARENA)));
static uint8_t table[8 * ARENA / FRAME_SIZE + 4096] __attribute__((aligned(8)));
static uint8_t image[50 * 512], pristine[sizeof(image)];

uint64_t hart_time(void)
{
    return time_now;
}

_Noreturn void panic(const char *format, ...)
{
    (void)format;
    abort();
}

static void draw(uint8_t *out, size_t size)
{
    memset(out, 0x5a, size);
}

static void descriptor_write(struct driver_queue *q, struct input *in)
{
    uint16_t n = byte(in) % 64, flags = byte(in) & 7, next = byte(in) % 70;
    uint64_t where = address(in);
    uint32_t length = byte(in) & 0x80 ? (uint32_t)address(in) : 16u * byte(in) + (byte(in) & 1);
    driver_descriptor(q, n, where, length, flags, next);
}

// A request as a disk expects it, of any type and place.
static void request_write(struct driver_queue *q, struct input *in)
{
    uint8_t header[16] = {byte(in) % 14, [8] = byte(in) % 64};
    uint32_t bytes = 512u * (byte(in) % 20);
    bool is_read = header[0] != VIRTIO_BLK_OUT;
    uint64_t data = DRIVER_RAM + 0x8000 + 0x100 * byte(in);
    driver_put(DRIVER_RAM + 0x4000, header, sizeof(header));
    driver_add(q, (struct driver_buffer[]){{DRIVER_RAM + 0x4000, 16, false}, {data, bytes, is_read}, {data, 1, true}},
               3);
}

static void any_write(struct virtio_device *d, struct input *in)
{
    uint32_t offset = 4u * (byte(in) % 66);
    uint64_t value = byte(in) & 1 ? byte(in) : address(in);
    virtio_write(d, byte(in) & 0x80 ? offset : (uint32_t)value % VIRTIO_WINDOW & ~7u, 1u << byte(in) % 4, value);
    if (offset != 0x070)
        virtio_write(d, offset, 4, value);
}

static void run(struct virtio_device *d, uint32_t budget)
{
    enum virtio_progress progress = virtio_run(d, budget);
    REQUIRE(progress != VIRTIO_NO_MEMORY || !driver_lacking);
    if (progress == VIRTIO_BROKEN)
        REQUIRE(driver_read(d, 0x070) & VIRTIO_NEEDS_RESET);
}

static void start(struct driver_queue *q, struct virtio_device *d, struct input *in)
{
    driver_negotiate(d, byte(in) & 1 ? VIRTIO_F_VERSION_1 : GOOD);
    driver_queue_set_up(q, d, byte(in) % d->class->queue_count, (uint16_t)(1u << byte(in) % 7), RING);
    driver_ok(d);
}

static void step(struct driver_queue *q, struct virtio_device *d, struct input *in)
{
    switch (byte(in) % 16) {
    case 0:
        start(q, d, in);
        break;
    case 1:
        any_write(d, in);
        break;
    case 2:
        virtio_read(d, (byte(in) << 4) + (byte(in) & 8), 1u << byte(in) % 4);
        break;
    case 3:
        driver_put(RING + 4 * byte(in), &(uint32_t){(uint32_t)address(in)}, 4);
        break;
    case 4:
        virtio_write(d, 0x050, 4, byte(in) % 4);
        run(d, 64u * byte(in));
        break;
    case 5:
        driver_offer(q, byte(in) % 66);
        break;
    case 12:
        rates_set(&d->queues[0].rates, byte(in) & 1 ? byte(in) : 0, byte(in) & 1 ? 1 + address(in) : 0);
        break;
    case 13:
        time_now += (uint64_t)byte(in) << byte(in) % 48;
        virtio_resume(d);
        break;
    case 6:
        driver_lacking = byte(in) & 31 ? 0 : byte(in) % 8;
        driver_space.forked = driver_lacking || byte(in) & 1;
        break;
    case 7:
    case 8:
        descriptor_write(q, in);
        break;
    default:
        request_write(q, in);
        virtio_write(d, 0x050, 4, q->number);
        run(d, VIRTIO_STEP_BYTES);
    }
}

static void drive(struct virtio_device *d, struct input *in)
{
    struct driver_queue q;
    start(&q, d, in);
    while (in->at < in->end)
        step(&q, d, in);
    driver_lacking = 0;
    rates_set(&d->queues[0].rates, 0, 0);
    virtio_resume(d);
    for (unsigned steps = 0; virtio_run(d, VIRTIO_STEP_BYTES) == VIRTIO_MORE; steps++)
        REQUIRE(steps < 1000);
    driver_write(d, 0x070, 0);
    REQUIRE(driver_read(d, 0x070) == 0 && !virtio_irq(d));
}

static void drive_disk(struct input *in, uint64_t room)
{
    struct vblk_memory *m = calloc(1, sizeof(*m));
    REQUIRE(store_init(&m->store, image, sizeof(image), sizeof(image), room, OWNER) == STATUS_OK);
    vblk_memory_init(m, &driver_space);
    drive(&m->disk.device, in);
    REQUIRE(!memcmp(image, pristine, sizeof(image)));
    REQUIRE(m->store.used <= m->store.room);
    while (store_release_step(&m->store)) {
    }
    store_unmake(&m->store);
    free(m);
}

// A terminal that has as much room, and as much typed, as the input says.
static struct input *terminal;
static bool has_input;

static size_t terminal_write(void *owner, const uint8_t *bytes, size_t count)
{
    static uint8_t screen[8 * 255];
    size_t room = (size_t)byte(terminal) * 8;
    (void)owner;
    count = count < room ? count : room;
    memcpy(screen, bytes, count);
    return count;
}

static int terminal_read(void *owner)
{
    (void)owner;
    return terminal->at < terminal->end && byte(terminal) & 1 ? byte(terminal) : -1;
}

static void terminal_take(void *owner, bool taken)
{
    (void)owner;
    REQUIRE(has_input != taken);
    has_input = taken;
}

static void drive_console(struct input *in)
{
    static const struct vconsole_port port = {terminal_write, terminal_read, terminal_take};
    struct vconsole *c = calloc(1, sizeof(*c));
    terminal = in;
    has_input = false;
    vconsole_init(c, &driver_space, &port, NULL);
    drive(&c->device, in);
    REQUIRE(!has_input);
    free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    const struct range ram = {0, ARENA};
    hpa_arena = arena;
    frames_init(table, &ram, 1);
    frames_release((struct range){FRAME_SIZE, ARENA - FRAME_SIZE});
    uint64_t before = frames_free_bytes();
    driver_memory_reset();
    rates_init(10000000);
    time_now = 0;
    uint8_t kind = byte(&in);
    if (kind % 8 == 4) {
        struct vballoon *b = calloc(1, sizeof(*b));
        vballoon_init(b, &driver_space);
        drive(&b->device, &in);
        free(b);
    } else if (kind % 8 == 6) {
        drive_console(&in);
    } else if (kind % 4 == 0) {
        struct vrng *r = calloc(1, sizeof(*r));
        vrng_init(r, &driver_space, draw);
        drive(&r->device, &in);
        free(r);
    } else {
        drive_disk(&in, kind % 4 == 1 ? 0 : (uint64_t)(kind >> 2) * STORE_BLOCK);
    }
    REQUIRE(frames_free_bytes() == before);
    return 0;
}
