// A fuzzer's input, taken byte by byte, for those that play a driver.
#pragma once

#include "driver.h"

struct input {
    const uint8_t *at, *end;
};

static inline uint8_t byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

// Mostly an address that is one, and of what lies around.
static inline uint64_t address(struct input *in)
{
    uint8_t kind = byte(in);
    uint64_t value = (uint64_t)byte(in) << 8 | byte(in);
    switch (kind & 7) {
    case 0:
        return UINT64_MAX - value;
    case 1:
        return DRIVER_RAM + DRIVER_RAM_SIZE - (value & 0x1ff);
    case 2:
        return value << (kind >> 3);
    default:
        return DRIVER_RAM + (value & 0xfff0);
    }
}
