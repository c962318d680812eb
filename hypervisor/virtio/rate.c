#include "rate.h"

static uint32_t second = 1; // in ticks

void rates_init(uint32_t timebase_hz)
{
    second = timebase_hz;
}

static void rate_set(struct rate *r, uint64_t limit)
{
    if (r->limit != limit)
        *r = (struct rate){.limit = limit};
}

void rates_set(struct rates *r, uint64_t requests, uint64_t bytes)
{
    rate_set(&r->requests, requests);
    rate_set(&r->bytes, bytes);
}

// When something may begin.
static uint64_t opening(const struct rate *r)
{
    uint64_t burst = second / 8;
    return r->limit && r->paid > burst ? r->paid - burst : 0;
}

bool rates_allow(const struct rates *r, uint64_t now, uint64_t *until)
{
    uint64_t requests = opening(&r->requests), bytes = opening(&r->bytes);

    *until = requests > bytes ? requests : bytes;
    return *until <= now;
}

// No request is so long that the product wraps.
static void spend(struct rate *r, uint64_t now, uint64_t amount)
{
    if (!r->limit)
        return;
    if (r->paid < now)
        *r = (struct rate){.limit = r->limit, .paid = now};
    if (amount > UINT32_MAX)
        amount = UINT32_MAX;
    uint64_t ticks = amount * second;
    ticks = r->rest > UINT64_MAX - ticks ? UINT64_MAX : ticks + r->rest;
    r->paid += ticks / r->limit;
    r->rest = ticks % r->limit;
}

void rates_spend(struct rates *r, uint64_t now, uint64_t requests, uint64_t bytes)
{
    spend(&r->requests, now, requests);
    spend(&r->bytes, now, bytes);
}
