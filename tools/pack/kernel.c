#include "kernel.h"

#include <ctype.h>
#include <elf.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define KERNEL_SIZE_MAX ((size_t)1 << 30)

// The header of a RISC-V Linux Image: Documentation/arch/riscv/boot-image-header.rst.
#define LINUX_HEADER_SIZE 64
#define LINUX_TEXT_OFFSET 8
#define LINUX_IMAGE_SIZE 16
#define LINUX_MAGIC2 56

struct magic {
    size_t offset;
    const char *bytes;
    size_t length;
    const char *text;
};

// What people mistake for a kernel, and what to do about it.
static const struct magic refused[] = {
    {0,
     "\xfd"
     "7zXZ",
     5, "is packed with xz: unpack it with `xz -d`"},
    {0, "\x28\xb5\x2f\xfd", 4, "is packed with zstd: unpack it with `zstd -d`"},
    {0, "\x1f\x8b", 2, "is packed with gzip twice: unpack it with `gzip -d` once"},
    {0, "BZh", 3, "is packed with bzip2: unpack it with `bzip2 -d`"},
    {0, "\x02\x21\x4c\x18", 4, "is packed with lz4: unpack it with `lz4 -d`"},
    {0, "\x04\x22\x4d\x18", 4, "is packed with lz4: unpack it with `lz4 -d`"},
    {4, "zimg", 4, "is a self-unpacking EFI program: give the Image that is in it"},
    {0, "\x27\x05\x19\x56", 4, "is a U-Boot image: take what is in it with `dumpimage`"},
    {0, "\xd0\x0d\xfe\xed", 4, "is a device tree or a bundle, no kernel"},
    {0, "!<arch>\n", 8, "is a package or library, no kernel: unpack it first"},
    {0, "070701", 6, "is a file system for `initrd`, no kernel"},
    {0x202, "HdrS", 4, "is a kernel for x86, not for RISC-V"},
    {LINUX_MAGIC2, "ARM\x64", 4, "is a kernel for 64-bit ARM, not for RISC-V"},
    {0x24, "\x18\x28\x6f\x01", 4, "is a kernel for 32-bit ARM, not for RISC-V"},
};

static bool bytes_at(const struct image *image, size_t offset, const char *bytes, size_t length)
{
    return image->size >= offset + length && memcmp(image->data + offset, bytes, length) == 0;
}

static uint64_t little_endian(const uint8_t *bytes, unsigned count)
{
    uint64_t value = 0;
    while (count--)
        value = value << 8 | bytes[count];
    return value;
}

// Inflates into memory that grows; null, and an error, if it is damaged or too big.
static uint8_t *gzip_inflate(const struct image *image, struct place place, size_t *size)
{
    z_stream stream = {.next_in = image->data, .avail_in = (uInt)image->size};
    size_t room = image->size * 4;
    uint8_t *output = report_allocate(room);
    int result = inflateInit2(&stream, 15 + 16);
    while (result == Z_OK) {
        if (stream.total_out == room) {
            room *= 2;
            output = room > KERNEL_SIZE_MAX ? NULL : realloc(output, room);
            if (!output)
                report_fatal(place, "kernel %s: unpacks to more than there is room for", image->path);
        }
        stream.next_out = output + stream.total_out;
        stream.avail_out = (uInt)(room - stream.total_out);
        result = inflate(&stream, Z_NO_FLUSH);
    }
    *size = stream.total_out;
    inflateEnd(&stream);
    if (result == Z_STREAM_END && *size)
        return output;
    report_error(place, "kernel %s: is gzip, but damaged or cut short: make it anew", image->path);
    free(output);
    return NULL;
}

static bool kernel_unpack(struct image *image, struct place place)
{
    if (!bytes_at(image, 0, "\x1f\x8b", 2))
        return true;
    if (image->size > KERNEL_SIZE_MAX) {
        report_error(place, "kernel %s: is too big", image->path);
        return false;
    }
    size_t size;
    uint8_t *data = gzip_inflate(image, place, &size);
    if (!data)
        return false;
    free(image->data);
    image->data = data;
    image->size = size;
    return true;
}

static bool kernel_refuse(const struct image *image, struct place place, const char *reason)
{
    report_error(place, "kernel %s: %s", image->path, reason);
    return false;
}

// Of the fields of one ELF class: where they are.
struct elf_class {
    size_t bytes; // of an offset or size in the file
    size_t headers, header_size, header_count;
    size_t offset, size; // in a program header
};

#define CLASS_OF(header, segment)                                                                                      \
    {                                                                                                                  \
        sizeof(((header *)NULL)->e_phoff), offsetof(header, e_phoff), offsetof(header, e_phentsize),                   \
            offsetof(header, e_phnum), offsetof(segment, p_offset), offsetof(segment, p_filesz)                        \
    }
static const struct elf_class elf32 = CLASS_OF(Elf32_Ehdr, Elf32_Phdr);
static const struct elf_class elf64 = CLASS_OF(Elf64_Ehdr, Elf64_Phdr);

static bool is_within(const struct image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset;
}

// Is all that is to be loaded in the file?
static bool elf_is_whole(const struct image *image, const struct elf_class *class)
{
    uint64_t at = little_endian(image->data + class->headers, (unsigned)class->bytes);
    uint64_t size = little_endian(image->data + class->header_size, 2);
    uint64_t count = little_endian(image->data + class->header_count, 2);

    if (!count)
        return true;
    if (size < class->size + class->bytes || !is_within(image, at, size * count))
        return false;
    for (const uint8_t *header = image->data + at; count--; header += size)
        if (little_endian(header, 4) == PT_LOAD &&
            !is_within(image, little_endian(header + class->offset, (unsigned)class->bytes),
                       little_endian(header + class->size, (unsigned)class->bytes)))
            return false;
    return true;
}

// Class, byte order, machine and type lie at the same place in both ELF classes.
static bool elf_check(const struct image *image, struct place place, const struct width *width)
{
    const uint8_t *header = image->data;
    if (image->size < sizeof(Elf32_Ehdr))
        return kernel_refuse(image, place, "is ELF, but cut short");
    uint64_t type = little_endian(header + EI_NIDENT, 2);
    if (header[EI_DATA] != ELFDATA2LSB || little_endian(header + EI_NIDENT + 2, 2) != EM_RISCV)
        return kernel_refuse(image, place, "is a program for another machine than RISC-V");
    if (header[EI_CLASS] != width->elf_class)
        return kernel_refuse(image, place, "is ELF of the other width: see --arch");
    if (type != ET_EXEC && type != ET_DYN)
        return kernel_refuse(image, place, "is ELF but no program: link it");
    bool is_64 = header[EI_CLASS] == ELFCLASS64;
    if ((is_64 && image->size < sizeof(Elf64_Ehdr)) || !elf_is_whole(image, is_64 ? &elf64 : &elf32))
        return kernel_refuse(image, place, "is ELF, but cut short");
    return true;
}

// An Image says how much memory it takes, bss included. 0 for what can't be true.
static size_t linux_span(const struct image *image)
{
    uint64_t offset = little_endian(image->data + LINUX_TEXT_OFFSET, 8);
    uint64_t size = little_endian(image->data + LINUX_IMAGE_SIZE, 8);
    return offset > KERNEL_SIZE_MAX || size > KERNEL_SIZE_MAX ? 0 : (size_t)(offset + size);
}

// The header does not tell the width, but no kernel for RV32, whose large pages have 4 MiB, wants to be where those for
// RV64 do.
static bool linux_check(const struct image *image, struct place place, const struct width *width)
{
    if (image->span < image->size)
        return kernel_refuse(image, place, "is a Linux Image with a broken header");
    if (width->elf_class == ELFCLASS32 && little_endian(image->data + LINUX_TEXT_OFFSET, 8) == 2 << 20)
        return kernel_refuse(image, place, "is a Linux Image for RV64: see --arch");
    return true;
}

// All printable: a manifest or a script, given by mistake.
static bool is_text(const struct image *image)
{
    size_t length = image->size < 4096 ? image->size : 4096;
    for (size_t i = 0; i < length; i++)
        if (!isprint(image->data[i]) && !isspace(image->data[i]))
            return false;
    return true;
}

static bool raw_check(const struct image *image, struct place place)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (bytes_at(image, refused[i].offset, refused[i].bytes, refused[i].length))
            return kernel_refuse(image, place, refused[i].text);
    if (image->size < 4)
        return kernel_refuse(image, place, "is too short for a kernel");
    if (is_text(image))
        return kernel_refuse(image, place,
                             "is text, no kernel: a Linux Image, an ELF program or a raw binary is needed");
    return true;
}

bool kernel_prepare(struct image *image, struct place place, const struct width *width)
{
    if (!kernel_unpack(image, place))
        return false;
    if (bytes_at(image, 0, ELFMAG, SELFMAG)) {
        image->span = image->size;
        return elf_check(image, place, width);
    }
    if (image->size >= LINUX_HEADER_SIZE && bytes_at(image, LINUX_MAGIC2, "RSC\x05", 4)) {
        image->span = linux_span(image);
        return linux_check(image, place, width);
    }
    image->span = (size_t)width->raw_offset + image->size;
    return raw_check(image, place);
}
