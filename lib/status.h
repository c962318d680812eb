// What a call that can fail answers. Anything but STATUS_OK left the world as it was.
#pragma once

#include "types.h"

enum status {
    STATUS_OK,
    STATUS_INVALID,     // an argument or an input is malformed
    STATUS_NO_MEMORY,   // memory, or a bounded pool, is exhausted
    STATUS_NOT_FOUND,   // no such thing
    STATUS_UNSUPPORTED, // well-formed, but this machine or build can't
    STATUS_DENIED,      // not yours
    STATUS_BUSY,        // not now
    STATUS_FAULT,       // an access to a guest's memory faulted
};
