#include "sockets.h"

#include <stdlib.h>
#include <string.h>

#include "slab.h"

#define FEATURES (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_VSOCK_F_STREAM)
#define ROUNDS 100000u
#define BUDGET 4096u // small, so that much takes several steps

unsigned char *hpa_arena; // addresses are themselves
struct station *stations[STATIONS];
unsigned talks_in_use;
uint64_t station_clock;

uint64_t hart_time(void)
{
    return station_clock;
}

uint64_t fake_uptime(void)
{
    return station_clock * 1000;
}

static struct station *station_of(struct virtio_device *d)
{
    return container_of(d, struct station, vsock.device);
}

void virtio_wake(struct virtio_device *d)
{
    station_of(d)->is_woken = true;
}

bool virtio_visit(struct virtio_device *other, const struct space *own)
{
    struct station *s = station_of(other);

    if (s->is_away && own != other->space)
        return false;
    s->visits++;
    return true;
}

void virtio_visit_end(struct virtio_device *other, const struct space *own, bool exhausted)
{
    struct station *s = station_of(other);

    (void)own;
    if (!s->visits--)
        abort();
    s->exhausted |= exhausted;
}

void slab_init(struct slab *slab, const char *name, size_t object_size, size_t align, size_t max_objects)
{
    *slab = (struct slab){.name = name, .stride = (uint32_t)object_size, .max = (uint32_t)max_objects};
    (void)align;
}

void *slab_allocate(struct slab *slab)
{
    if (talks_in_use == slab->max)
        return NULL;
    talks_in_use++;
    return calloc(1, slab->stride);
}

void slab_free(struct slab *slab, void *object)
{
    (void)slab;
    talks_in_use -= object != NULL;
    free(object);
}

void stations_reset(void)
{
    for (unsigned i = 0; i < STATIONS; i++) {
        if (stations[i]) {
            vsock_silence(&stations[i]->vsock);
            vsock_remove(&stations[i]->vsock);
        }
        free(stations[i]);
        stations[i] = NULL;
    }
    driver_memory_reset();
    station_clock = 1000000;
    vsocks_init(1000000);
}

struct station *station_make(unsigned n, uint32_t cid, uint32_t groups)
{
    struct station *s = calloc(1, sizeof(*s));

    s->memory = DRIVER_RAM + 0x14000 * n;
    s->space = driver_space; // apart, but of one memory
    s->given = STATION_BUFFER;
    if (vsock_init(&s->vsock, &s->space, cid, groups) != STATUS_OK) {
        free(s);
        return NULL;
    }
    return stations[n] = s;
}

void station_give(struct station *s)
{
    uint64_t at = s->memory + 0x2000 + STATION_BUFFER * (s->rx.index % STATION_BUFFERS);
    driver_add(&s->rx, &(struct driver_buffer){at, s->given, true}, 1);
    driver_write(&s->vsock.device, 0x050, VIRTIO_VSOCK_RECEIVE);
    s->is_woken = true;
}

// Its rings begin at 0.
static void queue_set_up(struct station *s, struct driver_queue *q, unsigned number)
{
    driver_queue_set_up(q, &s->vsock.device, number, STATION_BUFFERS, s->memory + 0x800 * number);
    driver_put(q->available + 2, &(uint16_t){0}, 2);
    driver_put(q->used + 2, &(uint16_t){0}, 2);
}

void station_start(struct station *s)
{
    struct virtio_device *d = &s->vsock.device;

    driver_negotiate(d, FEATURES);
    queue_set_up(s, &s->rx, VIRTIO_VSOCK_RECEIVE);
    queue_set_up(s, &s->tx, VIRTIO_VSOCK_TRANSMIT);
    queue_set_up(s, &s->event, VIRTIO_VSOCK_EVENT);
    driver_ok(d);
    driver_add(&s->event, &(struct driver_buffer){s->memory + 0x1800, 4, true}, 1);
    for (unsigned i = 0; i < STATION_BUFFERS; i++)
        station_give(s);
}

bool stations_settle(void)
{
    bool more = true;

    for (unsigned rounds = 0; more && rounds < ROUNDS; rounds++) {
        more = false;
        for (unsigned i = 0; i < STATIONS; i++) {
            struct station *s = stations[i];
            if (!s || s->is_away || !s->is_woken)
                continue;
            s->is_woken = false;
            virtio_resume(&s->vsock.device);
            s->is_woken |= virtio_run(&s->vsock.device, BUDGET) == VIRTIO_MORE;
            more = true;
        }
    }
    return !more;
}

void packet_send(struct station *s, const struct virtio_vsock_header *h, const void *bytes)
{
    uint64_t at = s->memory + 0x2000 + STATION_BUFFER * (STATION_BUFFERS + s->tx.index % STATION_BUFFERS);

    driver_put(at, h, sizeof(*h));
    if (bytes)
        driver_put(at + sizeof(*h), bytes, h->len);
    struct driver_buffer buffers[] = {{at, sizeof(*h), false}, {at + sizeof(*h), bytes ? h->len : 0, false}};
    driver_add(&s->tx, buffers, bytes && h->len ? 2 : 1);
    driver_write(&s->vsock.device, 0x050, VIRTIO_VSOCK_TRANSMIT);
    s->is_woken = true;
}

bool packet_get(struct station *s, struct packet *p)
{
    uint32_t head, written;

    if (!driver_used(&s->rx, &head, &written))
        return false;
    uint64_t at;
    driver_get(s->rx.descriptors + 16 * head, &at, sizeof(at));
    memset(p, 0, sizeof(*p));
    driver_get(at, &p->h, sizeof(p->h));
    if (written != sizeof(p->h) + p->h.len)
        abort();
    driver_get(at + sizeof(p->h), p->bytes, p->h.len);
    return true;
}
