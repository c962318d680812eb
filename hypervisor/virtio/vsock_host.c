// Connections with the management service: one talk each (service.h), and the hypervisor's end of the stream.
#include <string.h>

#include "slab.h"
#include "vsock_parts.h"

#define STEP_COST 4096u // of the budget, for a step of the service

static struct slab talk_slab;

void vsock_host_init(void)
{
    slab_init(&talk_slab, "talks", SERVICE_TALK_SIZE, 16, VSOCK_TALKS_MAX);
}

// --- beginning and ending ------------------------------------------------------------------------------------

static void talk_end(struct vsock *v, struct vsock_talk *t, enum vsock_link_state link_state)
{
    struct vsock_link link = t->link;

    slab_free(&talk_slab, t->talk);
    *t = (struct vsock_talk){0};
    link.state = (uint8_t)link_state;
    (void)!vsock_link_set(v, &link); // it is there
}

void vsock_host_reset(struct vsock *v)
{
    for (unsigned i = 0; i < VSOCK_TALKS; i++)
        if (v->talks[i].talk)
            talk_end(v, &v->talks[i], LINK_FREE);
}

static bool talk_begin(struct vsock *v, struct vsock_link *link)
{
    unsigned i = 0;

    while (i < VSOCK_TALKS && v->talks[i].talk)
        i++;
    if (i == VSOCK_TALKS || v->header.dst_port != VSOCK_PORT || link->port >= VSOCK_TRUSTED)
        return false;
    struct talk *talk = slab_allocate(&talk_slab);
    link->state = LINK_SERVED;
    link->talk = (uint8_t)i;
    if (!talk || !vsock_link_set(v, link)) {
        slab_free(&talk_slab, talk);
        return false;
    }
    service_open(talk, v->device.space);
    v->talks[i] = (struct vsock_talk){.talk = talk, .link = *link, .owes_response = true};
    return true;
}

// --- hearing -------------------------------------------------------------------------------------------------

// No more than it was told there is room for.
static enum status bytes_hear(struct vsock *v, struct vsock_talk *t)
{
    uint32_t room, count = v->left;
    uint8_t *to = service_room(t->talk, &room);

    v->left = 0;
    if (count > room) {
        talk_end(v, t, LINK_OWED);
        return STATUS_OK;
    }
    enum status status = chain_read(&v->sent, v->device.space, to, count);
    if (status == STATUS_OK) {
        service_heard(t->talk, count);
        t->heard += count;
    }
    return status;
}

static enum status talk_hear(struct vsock *v, struct vsock_talk *t)
{
    const struct virtio_vsock_header *h = &v->header;

    t->room = h->buf_alloc;
    t->taken = h->fwd_cnt;
    switch (h->op) {
    case VIRTIO_VSOCK_RW:
        return bytes_hear(v, t);
    case VIRTIO_VSOCK_RST:
        talk_end(v, t, LINK_FREE);
        break;
    case VIRTIO_VSOCK_SHUTDOWN:
        if (h->flags & VIRTIO_VSOCK_SHUTDOWN_RECEIVE)
            talk_end(v, t, LINK_OWED);
        else
            t->hears_no_more |= h->flags & VIRTIO_VSOCK_SHUTDOWN_SEND;
        break;
    case VIRTIO_VSOCK_CREDIT_REQUEST:
        t->owes_credit = true;
        break;
    default:
        break;
    }
    return STATUS_OK;
}

static enum status hear(struct vsock *v, struct vsock_link *link)
{
    const struct virtio_vsock_header *h = &v->header;

    if (link->state == LINK_FREE && h->op == VIRTIO_VSOCK_REQUEST && talk_begin(v, link)) {
        v->talks[link->talk].room = h->buf_alloc;
        v->talks[link->talk].taken = h->fwd_cnt;
        return STATUS_OK;
    }
    if (link->state == LINK_SERVED)
        return talk_hear(v, &v->talks[link->talk]);
    link->state = h->op == VIRTIO_VSOCK_RST ? LINK_FREE : LINK_OWED;
    v->left = 0;
    (void)!vsock_link_set(v, link);
    return STATUS_OK;
}

enum vsock_step vsock_host_hear(struct vsock *v, struct vsock_link *link)
{
    enum virtio_progress progress = virtio_begin(&v->device, VIRTIO_VSOCK_RECEIVE);

    if (progress == VIRTIO_MORE)
        return PACKET_BUSY;
    if (progress == VIRTIO_BROKEN) // it could not be answered
        return PACKET_DONE;
    enum status status = hear(v, link);
    virtio_end(&v->device, VIRTIO_VSOCK_RECEIVE, VIRTIO_IDLE);
    vsock_call(v, VIRTIO_VSOCK_RECEIVE);
    return vsock_step_of(status, PACKET_DONE);
}

// --- telling -------------------------------------------------------------------------------------------------

static uint32_t was_read(const struct vsock_talk *t)
{
    return t->heard - service_waiting(t->talk);
}

// Bytes that the guest has room for.
static uint32_t room_of(const struct vsock_talk *t)
{
    uint32_t under_way = t->said - t->taken;
    return under_way < t->room ? t->room - under_way : 0;
}

// What is next; 0: nothing.
static enum virtio_vsock_operation word_next(struct vsock_talk *t, const char **bytes, uint32_t *count)
{
    uint32_t words = service_words(t->talk, bytes), room = room_of(t);

    *count = 0;
    if (t->owes_response)
        return VIRTIO_VSOCK_RESPONSE;
    if (words && room && !t->is_shut) {
        *count = words < room ? words : room;
        return VIRTIO_VSOCK_RW;
    }
    if (t->owes_credit || was_read(t) - t->told >= SERVICE_INPUT / 2)
        return VIRTIO_VSOCK_CREDIT_UPDATE;
    return t->owes_shutdown ? VIRTIO_VSOCK_SHUTDOWN : (enum virtio_vsock_operation)0;
}

static void word_done(struct vsock_talk *t, enum virtio_vsock_operation op, uint32_t count)
{
    t->told = was_read(t);
    t->owes_credit = false;
    if (op == VIRTIO_VSOCK_RESPONSE)
        t->owes_response = false;
    if (op == VIRTIO_VSOCK_SHUTDOWN) {
        t->owes_shutdown = false;
        t->is_shut = true;
    }
    t->said += count;
    service_said(t->talk, count);
}

// STATUS_BUSY: it has nothing to tell. Else as of vsock_tell.
static enum status talk_tell(struct vsock *v, struct vsock_talk *t, uint32_t *budget)
{
    const char *bytes;
    uint32_t count;
    enum virtio_vsock_operation op = word_next(t, &bytes, &count);
    struct virtio_vsock_header h = vsock_header(v, &t->link, (uint16_t)op);

    if (!op)
        return STATUS_BUSY;
    h.buf_alloc = SERVICE_INPUT;
    h.fwd_cnt = was_read(t);
    h.flags = op == VIRTIO_VSOCK_SHUTDOWN ? VIRTIO_VSOCK_SHUTDOWN_RECEIVE | VIRTIO_VSOCK_SHUTDOWN_SEND : 0;
    enum status status = vsock_tell(v, &h, bytes, &count);
    if (status == STATUS_OK)
        word_done(t, op, count);
    virtio_spend(budget, count + VIRTIO_REQUEST_BYTES);
    return status;
}

// Nothing is to be told. Lets it go on.
static enum service_step talk_step(struct vsock_talk *t, uint32_t *budget)
{
    const char *bytes;
    enum service_step step = service_step(t->talk);

    virtio_spend(budget, STEP_COST);
    if (step != SERVICE_IDLE || !t->hears_no_more || t->is_shut || service_words(t->talk, &bytes))
        return step;
    t->owes_shutdown = true;
    return SERVICE_MORE;
}

static enum virtio_progress talk_run(struct vsock *v, struct vsock_talk *t, uint32_t *budget)
{
    while (*budget) {
        enum status status = talk_tell(v, t, budget);
        if (status == STATUS_NOT_FOUND)
            return VIRTIO_IDLE;
        if (status != STATUS_OK && status != STATUS_BUSY)
            return virtio_progress_of(status);
        if (status == STATUS_OK)
            continue;
        if (talk_step(t, budget) == SERVICE_IDLE)
            return VIRTIO_IDLE;
    }
    return VIRTIO_MORE;
}

enum virtio_progress vsock_host_run(struct vsock *v, uint32_t *budget)
{
    enum virtio_progress all = VIRTIO_IDLE;

    for (unsigned i = 0; i < VSOCK_TALKS; i++) {
        uint32_t part = *budget / VSOCK_TALKS; // so that none of them takes all
        enum virtio_progress one = v->talks[i].talk ? talk_run(v, &v->talks[i], &part) : VIRTIO_IDLE;
        if (one > all)
            all = one;
    }
    return all;
}
