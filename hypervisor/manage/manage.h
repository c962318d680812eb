// The management calls of include/diosix.h, as those inside the hypervisor make them who have them from a guest: by its
// SBI calls (manage_sbi.c), or by its socket (service.c).
#pragma once

#include "diosix.h"
#include "types.h"

// A call. `n` are the function's arguments in order, 64-bit values as one, without size and address: what these
// would name lies in `buffer`, of `size` bytes, which the callee reads and writes.
struct manage_call {
    uint64_t n[3];
    void *buffer;
    size_t size;
    uint64_t value; // the answer's
};

// Makes a call as the capsule whose memory that is, or, NULL, as the root of the tree of capsules. Answers an SBI
// error, 0 for success. Bounded time; takes the management lock. Any hart.
struct space;
long manage_as(struct space *who, enum diosix_call function, struct manage_call *call);

// Once, at boot: what capsules can be made of at run time. Kept by reference.
struct bundle;
void manage_init(const struct bundle *bundle);
