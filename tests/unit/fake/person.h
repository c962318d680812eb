// Somebody who makes management calls as the machine's root, beside capsules, whenever a hart has time for that: the
// place of the uplink's entity is taken for it, as there is no network device.
#pragma once

#include "sched.h"

void person_start(struct hart *home);

// The test's: what is done, and when next; always PUT_WAITING.
enum put person_turn(uint64_t *deadline);
