// The Internet's checksum (RFC 1071): the sum of 16-bit words, carries added at the bottom. Words are kept in the
// order of their bytes, so what is folded is put into a packet as it lies in memory, on any machine.
#pragma once

#include "types.h"

struct checksum {
    uint32_t sum; // of at most 65,536 pieces
    bool is_odd;  // so many bytes until now: the next is the second of a word
};

// What comes next; pieces may be of any length and lie anywhere.
void checksum_add(struct checksum *c, const void *from, size_t bytes);
// The sum itself, and what goes into a packet, which is never 0: that says to UDP that there is none (RFC 768).
uint16_t checksum_sum(const struct checksum *c);
uint16_t checksum_of(const struct checksum *c);
