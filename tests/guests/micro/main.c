#include "micro.h"

#include <string.h>

int payload_main(void)
{
    char mode[16] = "all";
    tree_option("micro", mode, sizeof mode);
    if (!strcmp(mode, "nap")) {
        micro_nap();
    } else if (!strcmp(mode, "stolen")) {
        micro_stolen();
    } else if (!strcmp(mode, "virtio")) {
        micro_virtio();
    } else {
        micro_calls();
        micro_interrupts();
        micro_devices();
        micro_cross();
    }
    print("RESULT micro: done\n");
    return REASON_NONE;
}
