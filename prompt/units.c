#include "units.h"

#include "out.h"

#define NS_PER_SECOND 1000000000u

void put_rate(uint64_t count, uint64_t elapsed)
{
    uint64_t rate = elapsed ? count * NS_PER_SECOND / elapsed : 0;
    unsigned unit = 0;
    for (; rate >= 10000; rate /= 1000)
        unit++;
    if (unit)
        out_format(" %3u%c", (unsigned)rate, " kMGT"[unit]);
    else
        out_format(" %4u", (unsigned)rate);
}

static void put_scaled(uint64_t bytes, int width)
{
    unsigned unit = 0, rest = 0;
    for (; bytes >= 1000; bytes >>= 10) {
        rest = (unsigned)bytes & 1023;
        unit++;
    }
    rest = rest * 10 / 1024;
    if (bytes < 10 && rest)
        out_format(" %u.%u%c", (unsigned)bytes, rest, "BKMGTPE"[unit]);
    else
        out_format(" %*u%c", width, (unsigned)bytes, "BKMGTPE"[unit]);
}

void put_size(uint64_t bytes)
{
    put_scaled(bytes, 3);
}

void put_bytes(uint64_t bytes)
{
    put_scaled(bytes, 1);
}

void put_seconds(uint64_t ns)
{
    uint64_t hundredths = ns / (NS_PER_SECOND / 100);
    out_format(" %4u.%02u", (unsigned)(hundredths / 100), (unsigned)(hundredths % 100));
}
