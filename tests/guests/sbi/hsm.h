// The last hart, which tests stop, start and suspend.
#pragma once

#include "hart.h"

extern char start_other[];
void hsm_entry(void);

// What hsm_entry (entry.S) saw on its hart; in memory that its a1 points to. The hart goes on as `then`.
struct hsm_seen {
    volatile unsigned long entered, hart, satp, sstatus, sie;
    struct hart *then;
};

struct hart *hsm_victim(void);
// False if it does not happen.
bool hsm_victim_stop(void);
bool hsm_victim_restart(void);
