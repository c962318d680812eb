// memcpy(), memmove() and memset(), in place of the C library's: its small ones go by bytes, which
// loading a kernel would feel, and its fast ones take more than a kilobyte. What is small may go by
// bytes; what is large and aligned goes fastest, but what networks carry is not.
#include <string.h>

#include "types.h"

typedef unsigned long __attribute__((may_alias)) word;
typedef uint32_t __attribute__((may_alias)) cell; // a device tree aligns to that much

#define TURN (8 * sizeof(word)) // bytes in one turn of the fast loops

static bool is_on(uintptr_t addresses, size_t unit)
{
    return !(addresses % unit);
}

// Of aligned places: as many turns as there are.
static uint8_t *copy_turns(uint8_t *to, const uint8_t *from, size_t size)
{
    for (uint8_t *turned = to + size / TURN * TURN; to != turned; to += TURN, from += TURN) {
        word *t = (word *)to;
        const word *f = (const word *)from;
        t[0] = f[0], t[1] = f[1], t[2] = f[2], t[3] = f[3];
        t[4] = f[4], t[5] = f[5], t[6] = f[6], t[7] = f[7];
    }
    return to;
}

// To an aligned place from one that is not: each word is put together from two, none of which begins before the
// original or ends after it.
static uint8_t *copy_shifted(uint8_t *to, const uint8_t *from, size_t size)
{
    const uint8_t *end = from + size;
    unsigned off = (uintptr_t)from % sizeof(word), right = 8 * off, left = 8 * (sizeof(word) - off);
    word low = 0, high;

    for (; off < sizeof(word); off++)
        low |= (word)*from++ << 8 * off;
    for (; (size_t)(end - from) >= 2 * sizeof(word); from += 2 * sizeof(word), to += 2 * sizeof(word)) {
        high = ((const word *)from)[0];
        ((word *)to)[0] = low >> right | high << left;
        low = ((const word *)from)[1];
        ((word *)to)[1] = high >> right | low << left;
    }
    return to;
}

static void copy_up(uint8_t *to, const uint8_t *from, size_t size)
{
    uint8_t *end = to + size, *begin = to;

    if (size >= TURN) {
        while (!is_on((uintptr_t)to, sizeof(word)))
            *to++ = *from++;
        begin = to;
        size = (size_t)(end - to);
        to = is_on((uintptr_t)from, sizeof(word)) ? copy_turns(to, from, size) : copy_shifted(to, from, size);
        from += to - begin;
    }
    if (is_on((uintptr_t)to | (uintptr_t)from, sizeof(cell)))
        for (; (size_t)(end - to) >= sizeof(cell); to += sizeof(cell), from += sizeof(cell))
            *(cell *)to = *(const cell *)from;
    while (to != end)
        *to++ = *from++;
}

// Where the copy's beginning overlaps the original's end.
static void copy_down(uint8_t *to, const uint8_t *from, size_t size)
{
    bool words = is_on((uintptr_t)to | (uintptr_t)from, sizeof(word));
    for (; size && !(words && is_on(size, sizeof(word))); size--)
        to[size - 1] = from[size - 1];
    for (; size; size -= sizeof(word))
        *(word *)(to + size - sizeof(word)) = *(const word *)(from + size - sizeof(word));
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from < size)
        copy_down(to, from, size);
    else
        copy_up(to, from, size);
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    return memmove(to, from, size);
}

void *memset(void *start, int value, size_t size)
{
    uint8_t *to = start, *end = to + size;
    word pattern = (word)-1 / UINT8_MAX * (uint8_t)value;
    if (is_on((uintptr_t)to, sizeof(word)))
        for (uint8_t *turned = to + size / TURN * TURN; to != turned; to += TURN) {
            word *t = (word *)to;
            t[0] = t[1] = t[2] = t[3] = pattern;
            t[4] = t[5] = t[6] = t[7] = pattern;
        }
    while (to != end)
        *to++ = (uint8_t)value;
    return start;
}
