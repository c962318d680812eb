#include "station.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hart.h"

unsigned char *hpa_arena; // addresses are themselves
struct station *stations[STATIONS];
struct vswitch *station_switch;
uint64_t station_time;

uint64_t hart_time(void)
{
    return station_time;
}

bool virtio_visit(struct virtio_device *other, const struct space *own)
{
    struct station *s = container_of(other, struct station, net.device);
    assert_true(own != other->space || !s->is_away);
    if (s->is_away)
        return false;
    s->visits++;
    return true;
}

void virtio_wake(struct virtio_device *d)
{
    (void)d;
}

void virtio_visit_end(struct virtio_device *other, const struct space *own, bool exhausted)
{
    struct station *s = container_of(other, struct station, net.device);
    (void)own;
    assert_int_equal(s->visits--, 1);
    s->exhausted |= exhausted;
}

void station_address(unsigned n, uint8_t *address)
{
    memcpy(address, (uint8_t[]){2, 0, 0, 0, 0, (uint8_t)n}, 6);
}

struct station *station_add(unsigned n, bool is_open, bool is_isolated)
{
    struct station *s = stations[n] = calloc(1, sizeof(*s));
    s->memory = DRIVER_RAM + 0x8000 * n;
    s->space = driver_space; // apart, but of one memory
    s->net.port.is_open = is_open;
    s->net.port.is_isolated = is_isolated;
    station_address(n, s->net.port.address);
    vnet_init(&s->net, &s->space);
    assert_int_equal(vswitch_attach(station_switch, &s->net.port), STATUS_OK);
    return s;
}

void station_transmit(struct station *s)
{
    uint32_t head, written;
    driver_notify(&s->tx);
    while (driver_used(&s->tx, &head, &written))
        assert_int_equal(written, 0);
}

int stations_setup(void **state)
{
    (void)state;
    driver_memory_reset();
    station_time = 1u << 20;
    station_switch = calloc(1, sizeof(*station_switch));
    vswitch_init(station_switch, "lan", STATION_HZ);
    return 0;
}

int stations_teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATIONS; i++) {
        if (stations[i]) {
            assert_int_equal(stations[i]->visits, 0);
            vswitch_detach(&stations[i]->net.port);
        }
        free(stations[i]);
        stations[i] = NULL;
    }
    for (unsigned i = 0; i < VSWITCH_ADDRESSES; i++)
        assert_int_equal(station_switch->addresses[i].port, 0);
    free(station_switch);
    return 0;
}
