// What physical memory protection lets S-mode do, from the values of its CSRs, as the privileged
// specification says ("Physical Memory Protection CSRs"): for tests.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FAKE_PMP_ENTRIES 8u

struct fake_pmp {
    uint64_t address[FAKE_PMP_ENTRIES];
    uint8_t config[FAKE_PMP_ENTRIES];
};

// The range of an entry, [*start, *end); false if it is off.
static inline bool fake_pmp_range(const struct fake_pmp *pmp, unsigned i, uint64_t *start, uint64_t *end)
{
    uint64_t a = pmp->address[i], ones;

    switch (pmp->config[i] >> 3 & 3) {
    case 1: // TOR
        *start = i ? pmp->address[i - 1] << 2 : 0;
        *end = a << 2;
        return true;
    case 2: // NA4
        *start = a << 2;
        *end = *start + 4;
        return true;
    case 3: // NAPOT
        if (a + 1 == 0) {
            *start = 0;
            *end = UINT64_MAX;
            return true;
        }
        ones = a ^ (a + 1); // the trailing ones and the zero above them
        *start = (a & ~ones) << 2;
        *end = *start + ((ones + 1) << 2);
        return true;
    default:
        return false;
    }
}

// The rights of S-mode to one byte: that of the first entry that matches, none if no entry does.
static inline uint8_t fake_pmp_rights(const struct fake_pmp *pmp, uint64_t address)
{
    uint64_t start, end;
    for (unsigned i = 0; i < FAKE_PMP_ENTRIES; i++)
        if (fake_pmp_range(pmp, i, &start, &end) && address >= start && address < end)
            return pmp->config[i] & 7;
    return 0;
}
