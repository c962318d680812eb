#include "vfinisher.h"

// The only register: what to do in the low half, a code in the high half of a word.
#define STATUS_FAIL 0x3333u
#define STATUS_PASS 0x5555u
#define STATUS_RESET 0x7777u

struct vfinisher_request vfinisher_decode(uint32_t offset, unsigned bytes, uint64_t value)
{
    struct vfinisher_request nothing = {VFINISHER_NONE, 0};
    if (offset || (bytes != 2 && bytes != 4))
        return nothing;
    switch (value & 0xffff) {
    case STATUS_FAIL:
        return (struct vfinisher_request){VFINISHER_FAIL, bytes == 4 ? (uint16_t)(value >> 16) : 0};
    case STATUS_PASS:
        return (struct vfinisher_request){VFINISHER_POWEROFF, 0};
    case STATUS_RESET:
        return (struct vfinisher_request){VFINISHER_RESET, 0};
    }
    return nothing;
}
