// What is only known when the whole manifest has been read: which switches devices are on, and their addresses.
#pragma once

#include "manifest.h"

// Gives each network device an address that has none, and reports what does not fit together.
void networks_complete(struct manifest *manifest);
