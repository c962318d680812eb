#include "vconsole.h"

// Section 5.3.2, without MULTIPORT.
enum { RECEIVE, TRANSMIT };

// A byte may take much more than its copy: it goes through the screen, or to a port at the machine's end.
#define BYTE_COST 64u
#define PIECE_MAX 256u
#define TYPED_MAX 64u

static const char ask_keys[] = "\x0fs\x0fu\x0fo";

void vconsole_ask(struct vconsole *c)
{
    if (atomic_load(&c->has_input))
        atomic_store(&c->asked, sizeof(ask_keys) - 1);
}

static int typed_read(struct vconsole *c)
{
    uint32_t asked = atomic_load(&c->asked);

    if (likely(!asked))
        return c->port->read(c->owner);
    atomic_store(&c->asked, asked - 1);
    return ask_keys[sizeof(ask_keys) - 1 - asked];
}

static void input_take(struct vconsole *c, bool taken)
{
    atomic_store(&c->has_input, taken);
    c->port->take(c->owner, taken);
}

// With a chain that is open. STATUS_BUSY: nothing is typed.
static enum status receive(struct vconsole *c, uint32_t *budget)
{
    struct virtqueue_chain *chain = &c->requests[RECEIVE].chain;
    struct virtio_count *count = &c->device.counts[VIRTIO_TO_GUEST];
    uint8_t bytes[TYPED_MAX];
    uint32_t size = 0;
    int byte;

    if (chain->read.left || !chain->writable)
        return STATUS_INVALID;
    if (unlikely(!atomic_load(&c->has_input)))
        input_take(c, true);
    while (size < TYPED_MAX && size < chain->writable && (byte = typed_read(c)) >= 0)
        bytes[size++] = (uint8_t)byte;
    if (!size)
        return STATUS_BUSY;
    virtio_spend(budget, size * BYTE_COST);
    count->requests++;
    count->bytes += size;
    c->requests[RECEIVE].is_open = false;
    enum status status = chain_write(chain, c->device.space, bytes, size);
    return status == STATUS_OK ? virtqueue_return(&c->queues[RECEIVE].ring, c->device.space, chain->head, size)
                               : status;
}

// A piece of what is left. STATUS_BUSY: there is no room.
static enum status transmit_piece(struct vconsole *c, struct virtqueue_chain *chain, uint32_t *budget)
{
    struct virtqueue_cursor before = chain->read;
    uint32_t run, size = chain->read.left < PIECE_MAX ? chain->read.left : PIECE_MAX;
    const void *from;
    enum status status = chain_read_piece(chain, c->device.space, size, &from, &run);

    if (status != STATUS_OK)
        return status;
    uint32_t taken = (uint32_t)c->port->write(c->owner, from, run);
    virtio_spend(budget, taken * BYTE_COST);
    c->device.counts[VIRTIO_FROM_GUEST].bytes += taken;
    if (taken == run)
        return STATUS_OK;
    chain->read = before;
    chain_skip(chain, &chain->read, taken);
    return STATUS_BUSY;
}

// With a chain that is open. What it has to be written to stays as it is.
static enum status transmit(struct vconsole *c, uint32_t *budget)
{
    struct virtqueue_chain *chain = &c->requests[TRANSMIT].chain;

    if (chain->read.left)
        return transmit_piece(c, chain, budget);
    c->device.counts[VIRTIO_FROM_GUEST].requests++;
    c->requests[TRANSMIT].is_open = false;
    return virtqueue_return(&c->queues[TRANSMIT].ring, c->device.space, chain->head, 0);
}

static enum virtio_progress run(struct virtio_device *d, unsigned queue, uint32_t *budget)
{
    struct vconsole *c = container_of(d, struct vconsole, device);
    enum status status = STATUS_OK;

    while (status == STATUS_OK && *budget) {
        if (c->requests[queue].is_open) {
            status = queue == RECEIVE ? receive(c, budget) : transmit(c, budget);
        } else {
            virtio_spend(budget, VIRTIO_REQUEST_BYTES);
            status = virtqueue_next(&c->queues[queue].ring, d->space, &c->requests[queue].chain);
            c->requests[queue].is_open = status == STATUS_OK;
        }
    }
    if (status == STATUS_BUSY || status == STATUS_NOT_FOUND)
        return VIRTIO_IDLE;
    return status == STATUS_OK ? VIRTIO_MORE : virtio_progress_of(status);
}

static void reset(struct virtio_device *d)
{
    struct vconsole *c = container_of(d, struct vconsole, device);

    for (unsigned i = 0; i < VCONSOLE_QUEUES; i++)
        c->requests[i].is_open = false;
    atomic_store(&c->asked, 0);
    if (atomic_load(&c->has_input))
        input_take(c, false);
}

static const struct virtio_class class = {.id = VIRTIO_ID_CONSOLE,
                                          .queue_count = VCONSOLE_QUEUES,
                                          .queue_size = VIRTQUEUE_SIZE_MAX,
                                          .run = run,
                                          .reset = reset};

void vconsole_init(struct vconsole *c, struct space *space, const struct vconsole_port *port, void *owner)
{
    *c = (struct vconsole){.port = port, .owner = owner};
    virtio_init(&c->device, &class, space, c->queues, 0);
}
