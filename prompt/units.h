// Figures as columns of fixed width, each after a space.
#pragma once

#include "types.h"

// 4 characters: 192M, 1.5G.
void put_size(uint64_t bytes);
// The same in running text.
void put_bytes(uint64_t bytes);

// 7 characters of seconds.
void put_seconds(uint64_t nanoseconds);

// 4 characters of how often something happened in a second: 9999, 10k, 2M.
void put_rate(uint64_t count, uint64_t elapsed_nanoseconds);
