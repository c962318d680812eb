// What the parts of dio-guest have of each other.
#pragma once

#include "system.h"

// ---- dio-guest.c ----

void put(int fd, const char *text);
// Says what is wrong, and ends with status 2.
_Noreturn void die(const char *what, const char *cure);
int socket_new(void);
// Binds or connects.
long socket_to(int fd, unsigned call, uint32_t cid, uint32_t port);

// ---- calls.c ----

// Connects with the hypervisor's management service. False: this capsule may not manage others, and that was said.
bool service_connect(void);

// ---- commands.c ----

// One command, of these words; a status to exit with.
int command_of_words(int count, char **words);
// Commands from the input, one at a time; the last one's status.
int commands_of_input(void);
