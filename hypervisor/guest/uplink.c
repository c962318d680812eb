#include "uplink.h"

#include <string.h>

#include "virtio.h"

static struct uplink {
    struct nic *nic;
    struct vswitch_port port;
    struct entity entity;
    _Atomic bool is_woken;
    _Atomic uint32_t is_link_changed;
    // The entity's: the frame that is on its way, if it is.
    bool is_open;
    struct frame frame;
} uplink;

// --- from guests ---------------------------------------------------------------------------------------------

static bool enter(struct vswitch_port *p, const struct frame *f)
{
    (void)p, (void)f;
    return true;
}

// Under a lock of its own; reading guests' memory waits for nobody. The device gets frames that need nothing more.
static enum delivery receive(struct vswitch_port *p, struct frame *f)
{
    struct nic *nic = uplink.nic;
    struct frame_piece piece;
    enum delivery delivery = DELIVERY_DROPPED;

    (void)p;
    if (frame_cut(f, 0, &piece) != STATUS_OK)
        return delivery;
    lock_acquire(&nic->lock);
    uint8_t *room = nic->driver->room(nic);
    if (room && frame_fill(f, &piece) == STATUS_OK && frame_read(f, &piece, room) == STATUS_OK) {
        nic->driver->send(nic, piece_length(&piece));
        frame_pass(f, &piece);
        delivery = DELIVERY_MADE;
    }
    lock_release(&nic->lock);
    return delivery;
}

static void leave(struct vswitch_port *p, const struct frame *f, enum delivery delivery)
{
    (void)p, (void)f, (void)delivery;
}

static void cut(struct vswitch_port *p)
{
    (void)p;
}

static const struct port_class port_class = {enter, receive, leave, cut};

// --- to guests -----------------------------------------------------------------------------------------------

// The next frame that came; false: there is none. One that goes nowhere is open, and of length 0.
static bool frame_next(void)
{
    static const struct virtio_net_header whole; // nothing is left to do
    struct frame *f = &uplink.frame;
    uint32_t bytes;
    const uint8_t *at = uplink.nic->driver->first(uplink.nic, &bytes);

    if (!at)
        return false;
    *f = (struct frame){.from = &uplink.port, .length = bytes, .bytes = at};
    if (frame_begin(f, &whole, 0) != STATUS_OK || !vswitch_admit(f))
        f->length = 0;
    uplink.is_open = true;
    return true;
}

static enum delivery frame_step(void)
{
    enum delivery delivery = uplink.frame.length ? vswitch_deliver(&uplink.frame) : DELIVERY_DONE;

    if (delivery == DELIVERY_DONE) {
        uplink.nic->driver->pass(uplink.nic);
        uplink.is_open = false;
    }
    return delivery;
}

enum put uplink_step(void)
{
    atomic_store(&uplink.is_woken, false);
    if (unlikely(atomic_exchange(&uplink.is_link_changed, 0)))
        vswitch_cut(uplink.port.on, !uplink.nic->driver->is_up(uplink.nic));
    for (uint32_t spent = 0; spent < VIRTIO_STEP_BYTES; spent += VIRTIO_REQUEST_BYTES) {
        if (!uplink.is_open && !frame_next())
            return uplink.nic->driver->listen(uplink.nic, true) ? PUT_READY : PUT_WAITING;
        enum delivery delivery = frame_step();
        if (delivery == DELIVERY_BUSY)
            break;
        if (delivery == DELIVERY_MADE)
            spent += uplink.frame.spent;
    }
    return PUT_READY;
}

bool uplink_is_woken(struct entity *e)
{
    (void)e;
    return atomic_load(&uplink.is_woken);
}

// One interrupt for all that comes until the entity has nothing more to do.
bool uplink_interrupt(uint32_t irq)
{
    struct nic *nic = uplink.nic;

    if (!nic || nic->irq != irq)
        return false;
    nic->driver->listen(nic, false);
    if (nic->driver->acknowledge(nic))
        atomic_store(&uplink.is_link_changed, 1);
    atomic_store(&uplink.is_woken, true);
    sched_wake(&uplink.entity);
    return true;
}

// --- starting ------------------------------------------------------------------------------------------------

void uplink_init(struct nic *nic)
{
    uplink.nic = nic;
    uplink.port = (struct vswitch_port){.class = &port_class, .is_open = true};
    memcpy(uplink.port.address, nic->address, sizeof(nic->address));
    entity_init(&uplink.entity, ENTITY_UPLINK, this_hart());
}

enum status uplink_attach(struct vswitch *s)
{
    if (!uplink.nic)
        return STATUS_NOT_FOUND;
    if (uplink.port.on)
        return STATUS_BUSY;
    enum status status = vswitch_attach(s, &uplink.port);
    if (status != STATUS_OK)
        return status;
    atomic_store(&uplink.is_link_changed, 1); // it may be down already
    sched_start(&uplink.entity);
    return STATUS_OK;
}
