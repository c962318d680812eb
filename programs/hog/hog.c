// Takes all memory that it can get, touches it, and tells how much that was. It is its own budget that it eats up:
// others notice nothing.
#include <stdio.h>

#include "sv.h"

#define PIECE 65536u

int main(void)
{
    struct sv_handle region;
    struct sv_what before, after;
    enum sv_status status;
    unsigned pieces = 0;
    char *address;

    sv_what(sv_frames, &before);
    while ((status = sv_allocate(sv_frames, PIECE, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_LAZY, (void **)&address,
                                 &region)) == SV_OK) {
        for (unsigned i = 0; i < PIECE; i += 4096)
            address[i] = 1;
        pieces++;
    }
    sv_what(sv_frames, &after);
    printf("hog: had %lu frames of %lu, took %u KiB, then: %s; %lu left\n", (unsigned long)before.value[0],
           (unsigned long)before.value[1], pieces * (PIECE / 1024), sv_status_text(status),
           (unsigned long)after.value[0]);
    return 0;
}
