// Network devices on a switch, each with its driver, for tests: what the layer that knows capsules gives to them.
#pragma once

#include "driver.h"
#include "vnet.h"

#define STATIONS 4u
#define STATION_HZ 1024u   // the second is 1024 ticks, the eighth 128
#define STATION_HEADER 12u // before each frame

struct station {
    struct vnet net;
    struct driver_queue rx, tx;
    uint64_t memory; // where its rings and buffers are
    bool is_away;    // its capsule does not run
    unsigned visits; // under way
    bool exhausted;
    struct space space;
};

extern struct station *stations[STATIONS];
extern struct vswitch *station_switch;
extern uint64_t station_time;

// A test's, for cmocka: a switch with nobody on it; and nobody may be left at work when all are gone.
int stations_setup(void **state);
int stations_teardown(void **state);
// A device on the switch, whose driver has not begun.
struct station *station_add(unsigned n, bool is_open, bool is_isolated);
void station_address(unsigned n, uint8_t *address);
// Notifies the device, and takes back what it has sent.
void station_transmit(struct station *s);
