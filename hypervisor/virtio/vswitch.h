// A virtual switch: which of its ports a frame goes to. Ports are guests' network devices (vnet.c), and perhaps one of
// the machine's (an uplink). Frames are not kept here: who sends one takes it from port to port, a bounded step each,
// and what a port has no room for is lost there, as on any Ethernet.
//
//      sender --vswitch_admit--> which ports --vswitch_deliver, for each--> enter, receive, leave
//
// Addresses: a port has one of its own, the only one that it may send from, and needs not be learned. A port that is
// open may send from any but others' own; where it has them is learned, a bounded number for each port, and forgotten
// after some minutes. A frame for an address that nobody is known to have goes to the open ports alone.
//
// Locks: `lock` guards everything but what is a port's own. Frames are copied without it.
#pragma once

#include <stdatomic.h>

#include "frame.h"
#include "lock.h"
#include "types.h"

#define VSWITCH_PORTS_MAX 64u
#define VSWITCH_ADDRESSES 128u  // known at a time, a power of two
#define VSWITCH_LEARNED_MAX 16u // by one port
#define VSWITCH_AGE 300u        // an address is forgotten then: units of about a second
#define VSWITCH_FLOODS 128u     // frames for many that a port may send in about an eighth of a second

enum delivery {
    DELIVERY_DONE,    // it has been everywhere
    DELIVERY_MADE,    // one port has taken it, or a piece of it
    DELIVERY_DROPPED, // one port had no room, or nobody is there
    DELIVERY_BUSY,    // somebody else is at work at that port: try again
    DELIVERY_ENDING,  // dropped, and the port's owner must end: it has no memory left
};

struct port_class {
    // Sees to it that the port's owner stays until leave(), if it is there at all. Under the switch's lock: waits for
    // nobody.
    bool (*enter)(struct vswitch_port *p, const struct frame *f);
    enum delivery (*receive)(struct vswitch_port *p, struct frame *f); // not DONE
    void (*leave)(struct vswitch_port *p, const struct frame *f, enum delivery delivery);
    void (*cut)(struct vswitch_port *p); // vswitch_is_cut() has changed. Under the switch's lock.
};

struct vswitch;

struct vswitch_port {
    const struct port_class *class;
    struct vswitch *on; // NULL: it is on none
    uint8_t number;
    bool is_open;     // may send from any address, and gets what is for nobody known
    bool is_isolated; // exchanges no frames with others that are
    uint8_t address[ETHERNET_ADDRESS];
    uint64_t spoofed; // frames that were not let in for their source
    // Under the switch's lock:
    uint8_t learned; // addresses
    uint32_t flood_period, flooded;
};

struct vswitch_address {
    uint8_t address[ETHERNET_ADDRESS];
    uint8_t port; // number + 1; 0: nothing is here
    bool is_own;  // the port's own: never forgotten
    uint32_t seen;
};

struct vswitch {
    const char *name;
    _Atomic bool is_cut; // its uplink's cable is not plugged in
    unsigned second;     // log2 of about as many ticks of hart_time()
    struct lock lock;
    unsigned end; // no port has this number or a higher one
    struct vswitch_port *ports[VSWITCH_PORTS_MAX];
    struct vswitch_address addresses[VSWITCH_ADDRESSES];
};

// `name` is kept by reference. The switch is zeroed.
void vswitch_init(struct vswitch *s, const char *name, uint32_t timebase_hz);
// The port's class, address and flags are set. STATUS_NO_MEMORY: the switch is full.
must_check enum status vswitch_attach(struct vswitch *s, struct vswitch_port *p);
// How many more it has room for.
unsigned vswitch_room(struct vswitch *s);
// Nobody finds it any more when this returns, and nobody is at work there: its owner is not there, as of enter().
void vswitch_detach(struct vswitch_port *p);

// Whether its uplink's link is up has changed. Its ports' links are down as long as that is.
void vswitch_cut(struct vswitch *s, bool is_cut);
static inline bool vswitch_is_cut(struct vswitch *s)
{
    return atomic_load(&s->is_cut);
}

// A frame that begins its way (frame.h); its source is set. False: it is not let in.
must_check bool vswitch_admit(struct frame *f);
// Brings it to the next port, or the next piece of it. Of what a port has no room for, it gets nothing more.
must_check enum delivery vswitch_deliver(struct frame *f);
