// How the kernel begins: everything in the order in which it is needed, then the first program.
#include "arch.h"
#include "archive.h"
#include "capability.h"
#include "channel.h"
#include "devices.h"
#include "funds.h"
#include "hart.h"
#include "inspect.h"
#include "random.h"
#include "region.h"
#include "start.h"

void kernel_boot(const struct machine *m)
{
    kernel_enter();
    objects_init();
    channel_entries_waiting = 0;
    harts_init(m);
    funds_init();
    random_init(m->seed);
    if (!m->seed_bits)
        log_error("no entropy: handles can be guessed by who knows when this machine was started");
    capabilities_init();
    if (regions_init(frames_total()) != STATUS_OK)
        panic("too little memory for the kernel's tables");
    devices_init(m);
    archive_init(m->archive, m->archive_size);
    inspect_init(m);
    if (!start_init(m))
        panic("nothing to run");
    kernel_leave();
}
