// Programs and archives for the supervisor's tests.
#include <stdio.h>
#include <string.h>

#include "bits.h"
#include "fake.h"

static void store(unsigned char *at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++, value >>= 8)
        at[i] = (unsigned char)value;
}

static void segment(unsigned char *at, uint32_t type, uint32_t flags, const uint64_t number[4])
{
    const unsigned w = sizeof(sv_word);

    store(at, 4, type);
    store(at + (w == 8 ? 4 : 24), 4, flags);
    unsigned char *rest = at + (w == 8 ? 8 : 4);
    store(rest, w, number[0]);         // offset
    store(rest + w, w, number[1]);     // address
    store(rest + 2 * w, w, number[1]); // physical
    store(rest + 3 * w, w, number[2]); // in the file
    store(rest + 4 * w, w, number[3]); // in memory
    store(at + (w == 8 ? 48 : 28), w, FRAME_SIZE);
}

static void rela(unsigned char *at, uint64_t offset, uint32_t symbol, uint32_t type, uint64_t addend)
{
    const unsigned w = sizeof(sv_word);

    store(at, w, offset);
    store(at + w, w, w == 8 ? (uint64_t)symbol << 32 | type : symbol << 8 | type);
    store(at + 2 * w, w, addend);
}

static void symbol(unsigned char *at, uint8_t info, uint16_t section, uint64_t value)
{
    const unsigned w = sizeof(sv_word);

    at[w == 8 ? 4 : 12] = info;
    store(at + (w == 8 ? 6 : 14), 2, section);
    store(at + (w == 8 ? 8 : 4), w, value);
}

// Three pages: headers, symbols and relocations; code; data of a page and a page of bss. In the data, at 0x2000: a
// pointer to 0x2010, the address of a symbol at 0x1004, a weak one that isn't there, and the number 42.
size_t fake_program(unsigned char *out)
{
    const unsigned w = sizeof(sv_word), header = w == 8 ? 64 : 52, phsize = w == 8 ? 56 : 32;
    const unsigned symbols = 0x400, relas = 0x500, dynamic = 0x600, rsize = 3 * w, ssize = w == 8 ? 24 : 16;

    memset(out, 0, 0x3000);
    memcpy(out, "\177ELF", 4);
    out[4] = w == 8 ? 2 : 1;
    out[5] = out[6] = 1;
    store(out + 16, 2, 3);
    store(out + 18, 2, ARCH_ELF_MACHINE);
    store(out + 24, w, 0x1000);
    store(out + (w == 8 ? 32 : 28), w, header);
    store(out + (w == 8 ? 54 : 42), 2, phsize);
    store(out + (w == 8 ? 56 : 44), 2, 4);
    segment(out + header, 1, 4, (uint64_t[]){0, 0, 0x1000, 0x1000});
    segment(out + header + phsize, 1, 5, (uint64_t[]){0x1000, 0x1000, 0x1000, 0x1000});
    segment(out + header + 2 * phsize, 1, 6, (uint64_t[]){0x2000, 0x2000, 0x1000, 0x2000});
    segment(out + header + 3 * phsize, 2, 6, (uint64_t[]){dynamic, dynamic, 16 * w, 16 * w});
    symbol(out + symbols + ssize, 0x12, 1, 0x1004);
    symbol(out + symbols + 2 * ssize, 0x20, 0, 0);
    rela(out + relas, 0x2000, 0, 3, 0x2010);
    rela(out + relas + rsize, 0x2000 + w, 1, w == 8 ? 2 : 1, 0);
    rela(out + relas + 2 * rsize, 0x2000 + 2 * w, 2, 5, 0);
    const uint64_t tags[] = {6, symbols, 7, relas, 8, 2 * rsize, 23, relas + 2 * rsize, 2, rsize, 0, 0};
    for (unsigned i = 0; i < array_length(tags); i++)
        store(out + dynamic + i * w, w, tags[i]);
    store(out + 0x2000 + 3 * w, w, 42);
    return 0x3000;
}

static void pad(unsigned char *archive, size_t *size)
{
    while (*size % 4)
        archive[(*size)++] = 0;
}

void fake_archive_add(unsigned char *archive, size_t *size, const char *name, const void *data, size_t data_size)
{
    char header[111];

    snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, 0100755, 0, 0, 1,
             0, (unsigned)data_size, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);
    memcpy(archive + *size, header, 110);
    memcpy(archive + *size + 110, name, strlen(name) + 1);
    *size += 110 + strlen(name) + 1;
    pad(archive, size);
    memcpy(archive + *size, data, data_size);
    *size += data_size;
    pad(archive, size);
}

void fake_archive_end(unsigned char *archive, size_t *size)
{
    fake_archive_add(archive, size, "TRAILER!!!", "", 0);
}
