#include "checksum.h"

#include <string.h>

typedef unsigned long word;

static word add(word sum, word part)
{
    sum += part;
    return sum + (sum < part);
}

static uint16_t swapped(uint16_t value)
{
    return (uint16_t)(value << 8 | value >> 8);
}

static uint16_t half(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, __builtin_assume_aligned(at, sizeof(value)), sizeof(value));
    return value;
}

static word whole(const uint8_t *at)
{
    word value;
    memcpy(&value, __builtin_assume_aligned(at, sizeof(value)), sizeof(value));
    return value;
}

static uint16_t fold(word sum)
{
    for (unsigned bits = 8 * sizeof(sum) / 2; bits >= 16; bits /= 2) {
        sum = (sum & (((word)1 << bits) - 1)) + (sum >> bits);
        sum = (sum & (((word)1 << bits) - 1)) + (sum >> bits);
    }
    return (uint16_t)sum;
}

// Of an aligned place.
static word words_sum(const uint8_t *at, size_t bytes)
{
    word sum = 0;

    for (; bytes >= 4 * sizeof(word); bytes -= 4 * sizeof(word), at += 4 * sizeof(word)) {
        sum = add(sum, whole(at));
        sum = add(sum, whole(at + sizeof(word)));
        sum = add(sum, whole(at + 2 * sizeof(word)));
        sum = add(sum, whole(at + 3 * sizeof(word)));
    }
    for (; bytes >= 2; bytes -= 2, at += 2)
        sum = add(sum, half(at));
    return bytes ? add(sum, *at) : sum;
}

// Memory is read as it is aligned; from an odd place on, all words come out with their bytes swapped.
static uint16_t sum_of(const uint8_t *at, size_t bytes)
{
    bool is_swapped = (uintptr_t)at & 1;
    word sum = 0;

    if (is_swapped && bytes) {
        sum = swapped(*at++);
        bytes--;
    }
    for (; (uintptr_t)at % sizeof(word) && bytes >= 2; bytes -= 2, at += 2)
        sum = add(sum, half(at));
    uint16_t folded = fold(add(sum, words_sum(at, bytes)));
    return is_swapped ? swapped(folded) : folded;
}

void checksum_add(struct checksum *c, const void *from, size_t bytes)
{
    uint16_t part = sum_of(from, bytes);

    c->sum += c->is_odd ? swapped(part) : part;
    c->is_odd ^= bytes & 1;
}

uint16_t checksum_sum(const struct checksum *c)
{
    return fold(c->sum);
}

uint16_t checksum_of(const struct checksum *c)
{
    uint16_t rest = (uint16_t)~checksum_sum(c);
    return rest ? rest : UINT16_MAX;
}
