// The keyboard.
#pragma once

#include "types.h"

// One byte from the port, under the console's lock.
void keys_take(uint8_t byte);
