// Capsules with socket devices and their drivers' side, for tests of these. What they ask of the service goes to
// tests/unit/fake/manage.c.
#pragma once

#include "driver.h"
#include "vsock.h"

#define STATIONS 3u
#define STATION_BUFFERS 16u // of each queue
#define STATION_BUFFER 0x800u

struct station {
    struct vsock vsock;
    struct driver_queue rx, tx, event;
    uint64_t memory; // where its rings and buffers are
    bool is_away;    // its capsule does not run
    bool is_woken;   // its worker has something to do
    unsigned visits; // under way
    bool exhausted;
    uint32_t given; // bytes of a buffer that it gives
    struct space space;
};
extern struct station *stations[STATIONS];
extern unsigned talks_in_use;
extern uint64_t station_clock; // ticks of a microsecond

struct packet {
    struct virtio_vsock_header h;
    uint8_t bytes[STATION_BUFFER];
};

void stations_reset(void); // time and memory, and all devices gone
struct station *station_make(unsigned n, uint32_t cid, uint32_t groups);
void station_start(struct station *s); // its driver, with all buffers given
void station_give(struct station *s);
// All workers work until they have nothing to do but to wait; false: they go on and on.
bool stations_settle(void);
// By its driver; does not settle.
void packet_send(struct station *s, const struct virtio_vsock_header *h, const void *bytes);
// The next that came, whose buffer is not given again; false: there is none.
bool packet_get(struct station *s, struct packet *p);
