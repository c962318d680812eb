// The management prompt's entity, for those below it (hypervisor/prompt) who run and wake it.
#pragma once

#include "sched.h"

// One bounded step of the prompt on whatever hart: PUT_READY if there is more to do, else PUT_WAITING, until
// `deadline`.
enum put prompt_step(uint64_t *deadline);

// Its stream has input or room, or its line was disturbed (console_next_event). Any hart.
void prompt_wake(void);

// Was it woken since its last step began? For sched_put.
bool prompt_is_woken(struct entity *e);
