// The virtual finisher, `sifive,test0`: a guest ends or resets its capsule by writing one word.
#pragma once

#include "types.h"

#define VFINISHER_WINDOW 0x1000u

enum vfinisher_action { VFINISHER_NONE, VFINISHER_POWEROFF, VFINISHER_FAIL, VFINISHER_RESET };

struct vfinisher_request {
    enum vfinisher_action action;
    uint16_t code; // of VFINISHER_FAIL: what the guest gave as the reason
};

// What a write of 'bytes' bytes at an offset into the window asks for. Reads give 0.
struct vfinisher_request vfinisher_decode(uint32_t offset, unsigned bytes, uint64_t value);
