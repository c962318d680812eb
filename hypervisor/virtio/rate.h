// How much of something may be done in a second: a token bucket that holds what an eighth of a second brings. It is
// kept as the time at which all that was done will have been paid for, so nothing has to be filled, and nobody has to
// look: who may not go on is told when.
//
// No lock: what it limits has one.
#pragma once

#include "types.h"

struct rate {
    uint64_t limit; // units a second; 0: none
    uint64_t paid;  // host time
    uint64_t rest;  // beyond that, parts of a tick in 1/limit
};

// What a queue may do.
struct rates {
    struct rate requests, bytes;
};

// Once, before anything is limited.
void rates_init(uint32_t timebase_hz);

// From now on; what was done before is forgotten if the limit is another. 0: as much as it likes.
void rates_set(struct rates *r, uint64_t requests, uint64_t bytes);
static inline bool rates_are_set(const struct rates *r)
{
    return r->requests.limit || r->bytes.limit;
}
// Of rates that are set: may a request begin at this host time? It may be of any length, and is paid for by who comes
// later. Else `until` is when one may.
must_check bool rates_allow(const struct rates *r, uint64_t now, uint64_t *until);
// So many requests have begun.
void rates_spend(struct rates *r, uint64_t now, uint64_t requests, uint64_t bytes);
