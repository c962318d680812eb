// Randomness to begin with.
#pragma once

#include "tree.h"

// Fills the seed from the device tree's, and from the hart if it has a source. How many bits of it are worth something:
// the time goes in, too, and does not count.
unsigned entropy_gather(const struct tree *t, uint8_t seed[64]);
