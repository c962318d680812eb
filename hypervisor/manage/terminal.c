// The terminal's calls. Their caller is a console service; if it keeps the terminal, it is the root here.
#include "console.h"
#include "devices.h"
#include "manage_calls.h"

struct stream *stream_of(const struct request *r)
{
    if (r->target)
        return &r->target->capsule.stream;
    return r->call->n[0] == DIOSIX_ID_OWN ? &console_dio : &console_urgent;
}

static bool keeps(const struct request *r)
{
    return r->vcore && is_root(r);
}

long call_keep(struct request *r)
{
    if (r->call->n[0] > 1)
        return SBI_ERR_INVALID_PARAM;
    bool kept = r->call->n[0];
    if (!r->vcore || (kept ? terminal_keeper() && !keeps(r) : !keeps(r)))
        return SBI_ERR_INVALID_STATE;
    terminal_bell(false);
    terminal_keeper_set(kept ? r->vcore->capsule : NULL);
    r->call->value = TERMINAL_IRQ;
    return SBI_SUCCESS;
}

// Whether it still has what it thinks to keep: the hypervisor may have taken it back.
bool has_terminal(const struct request *r)
{
    return keeps(r) && console_is_kept();
}

long call_typed(struct request *r)
{
    uint8_t *to = r->call->buffer;
    int byte;

    while (r->call->value < r->call->size && (byte = stream_read(&console_terminal)) >= 0)
        to[r->call->value++] = (uint8_t)byte;
    return SBI_SUCCESS;
}

long call_show(struct request *r)
{
    r->call->value = stream_write(&console_terminal, r->call->buffer, r->call->size);
    return SBI_SUCCESS;
}

static uint64_t next_with_news(struct request *r, uint64_t id)
{
    struct node *n;

    while (id < DIOSIX_ID_NOTICES && (n = tree_next(r->caller, (uint32_t)id)) != NULL) {
        id = n->id;
        if (console_owes(&state_of_node(n)->capsule.stream))
            return id;
    }
    if (r->call->n[0] < DIOSIX_ID_NOTICES && console_owes(&console_urgent))
        return DIOSIX_ID_NOTICES;
    if (r->call->n[0] >= DIOSIX_ID_OWN)
        return 0;
    return console_has_changed() || console_owes(&console_dio) ? DIOSIX_ID_OWN : 0;
}

long call_news(struct request *r)
{
    if (!r->call->n[0]) {
        terminal_bell(false);
        console_news_begin();
    }
    r->call->value = next_with_news(r, r->call->n[0]);
    return SBI_SUCCESS;
}

long call_shown(struct request *r)
{
    return console_shown(stream_of(r), (uint32_t)r->call->n[1]) ? SBI_SUCCESS : SBI_ERR_INVALID_PARAM;
}

long call_watch(struct request *r)
{
    if (r->call->n[1] > 1)
        return SBI_ERR_INVALID_PARAM;
    console_watch(stream_of(r), r->call->n[1]);
    r->call->value = atomic_load(&stream_of(r)->shown);
    return SBI_SUCCESS;
}
