#include "vswitch.h"

#include <string.h>

#include "hart.h"

#define WAYS 4u // places where an address may be

// IEEE 802.1Q, 8.6.3: what goes to these stays on its link.
static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};

static bool is_group(const uint8_t *address)
{
    return address[0] & 1;
}

static bool is_same(const uint8_t *one, const uint8_t *other)
{
    return !memcmp(one, other, ETHERNET_ADDRESS);
}

static bool is_reserved(const uint8_t *address)
{
    return !memcmp(address, reserved, sizeof(reserved)) && address[5] < 0x10;
}

// --- who has which address -----------------------------------------------------------------------------------

static uint32_t now(const struct vswitch *s)
{
    return (uint32_t)(hart_time() >> s->second);
}

static struct vswitch_address *place(struct vswitch *s, const uint8_t *address, unsigned way)
{
    uint32_t low, high = (uint32_t)(address[4] | address[5] << 8);

    memcpy(&low, address, sizeof(low));
    uint32_t hash = (low ^ high * 0x85ebca6bu) * 0x9e3779b1u;
    return &s->addresses[((hash >> 16) + way) % VSWITCH_ADDRESSES];
}

static bool is_old(const struct vswitch *s, const struct vswitch_address *a)
{
    return !a->is_own && now(s) - a->seen > VSWITCH_AGE;
}

static struct vswitch_address *find(struct vswitch *s, const uint8_t *address)
{
    for (unsigned i = 0; i < WAYS; i++) {
        struct vswitch_address *a = place(s, address, i);
        if (a->port && is_same(a->address, address) && !is_old(s, a))
            return a;
    }
    return NULL;
}

static void forget(struct vswitch *s, struct vswitch_address *a)
{
    if (a->port && !a->is_own)
        s->ports[a->port - 1]->learned--;
    a->port = 0;
}

// Nobody is driven out by another port, but by one's own address.
static struct vswitch_address *room_find(struct vswitch *s, const struct vswitch_port *p, const uint8_t *address,
                                         bool is_own)
{
    struct vswitch_address *room = NULL;

    for (unsigned i = 0; i < WAYS; i++) {
        struct vswitch_address *a = place(s, address, i);
        if (!a->port || is_old(s, a))
            return a;
        if (!a->is_own && (is_own || a->port == p->number + 1))
            room = a;
    }
    return room;
}

// Where there is no room it stays unknown, and what is for it is flooded.
static void enter(struct vswitch *s, struct vswitch_port *p, const uint8_t *address, bool is_own)
{
    struct vswitch_address *a = find(s, address);

    if (a && a->is_own)
        return;
    if (!a || a->port != p->number + 1) {
        if (!is_own && p->learned == VSWITCH_LEARNED_MAX)
            return;
        if (!a && !(a = room_find(s, p, address, is_own)))
            return;
        forget(s, a);
        p->learned += !is_own;
    }
    memcpy(a->address, address, ETHERNET_ADDRESS);
    a->port = (uint8_t)(p->number + 1);
    a->is_own = is_own;
    a->seen = now(s);
}

// --- ports ---------------------------------------------------------------------------------------------------

void vswitch_init(struct vswitch *s, const char *name, uint32_t timebase_hz)
{
    s->name = name;
    s->second = 31u - (unsigned)__builtin_clz(timebase_hz | 8); // an eighth is some ticks
}

unsigned vswitch_room(struct vswitch *s)
{
    unsigned room = 0;

    lock_acquire(&s->lock);
    for (unsigned i = 0; i < VSWITCH_PORTS_MAX; i++)
        room += !s->ports[i];
    lock_release(&s->lock);
    return room;
}

enum status vswitch_attach(struct vswitch *s, struct vswitch_port *p)
{
    enum status status = STATUS_NO_MEMORY;

    lock_acquire(&s->lock);
    for (unsigned i = 0; i < VSWITCH_PORTS_MAX && status != STATUS_OK; i++) {
        if (s->ports[i])
            continue;
        s->ports[i] = p;
        p->number = (uint8_t)i;
        p->on = s;
        p->learned = 0;
        if (i >= s->end)
            s->end = i + 1;
        enter(s, p, p->address, true);
        status = STATUS_OK;
    }
    lock_release(&s->lock);
    return status;
}

void vswitch_detach(struct vswitch_port *p)
{
    struct vswitch *s = p->on;

    if (!s)
        return;
    lock_acquire(&s->lock);
    for (unsigned i = 0; i < VSWITCH_ADDRESSES; i++)
        if (s->addresses[i].port == p->number + 1)
            forget(s, &s->addresses[i]);
    s->ports[p->number] = NULL;
    p->on = NULL;
    lock_release(&s->lock);
}

void vswitch_cut(struct vswitch *s, bool is_cut)
{
    lock_acquire(&s->lock);
    atomic_store(&s->is_cut, is_cut);
    for (unsigned i = 0; i < s->end; i++)
        if (s->ports[i])
            s->ports[i]->class->cut(s->ports[i]);
    lock_release(&s->lock);
}

// --- frames --------------------------------------------------------------------------------------------------

static bool is_well_formed(const struct frame *f)
{
    return !is_group(f->header.from) && !is_reserved(f->header.to);
}

static bool may_flood(const struct vswitch *s, struct vswitch_port *p, uint32_t packets)
{
    uint32_t period = (uint32_t)(hart_time() >> (s->second - 3));

    if (period != p->flood_period) {
        p->flood_period = period;
        p->flooded = 0;
    }
    if (packets > VSWITCH_FLOODS - p->flooded)
        return false;
    p->flooded += packets;
    return true;
}

// Under the lock.
static bool ports_choose(struct vswitch *s, struct frame *f)
{
    const struct vswitch_address *a = is_group(f->header.to) ? NULL : find(s, f->header.to);

    f->next = a ? a->port - 1u : 0;
    f->end = (uint16_t)(a ? a->port : s->end);
    return a || may_flood(s, f->from, frame_packets(f, frame_rest(f)));
}

bool vswitch_admit(struct frame *f)
{
    struct vswitch_port *p = f->from;
    struct vswitch *s = p->on;

    if (!s || !is_well_formed(f))
        return false;
    if (!p->is_open && !is_same(f->header.from, p->address)) {
        p->spoofed++;
        return false;
    }
    lock_acquire(&s->lock);
    if (p->is_open)
        enter(s, p, f->header.from, false);
    bool admitted = ports_choose(s, f);
    lock_release(&s->lock);
    return admitted;
}

static bool is_for(const struct vswitch_port *p, const struct frame *f)
{
    return p && p != f->from && !(p->is_isolated && f->from->is_isolated) &&
           (p->is_open || is_group(f->header.to) || is_same(p->address, f->header.to));
}

static struct vswitch_port *port_enter(struct vswitch *s, struct frame *f)
{
    struct vswitch_port *p = NULL;

    lock_acquire(&s->lock);
    for (; f->next < f->end && !is_for(s->ports[f->next], f); f->next++)
        f->done = 0; // of one that has left in the midst of it
    if (f->next < f->end)
        p = s->ports[f->next];
    if (p && !p->class->enter(p, f))
        p = NULL;
    lock_release(&s->lock);
    return p;
}

enum delivery vswitch_deliver(struct frame *f)
{
    struct vswitch_port *p = port_enter(f->from->on, f);

    if (f->next == f->end)
        return DELIVERY_DONE;
    enum delivery delivery = DELIVERY_DROPPED;
    if (p) {
        delivery = p->class->receive(p, f);
        p->class->leave(p, f, delivery);
    }
    if (delivery == DELIVERY_BUSY || (delivery == DELIVERY_MADE && !frame_is_over(f)))
        return delivery;
    f->next++;
    f->done = 0;
    return delivery;
}
