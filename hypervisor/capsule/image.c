#include "image.h"

#include <string.h>

#include "bits.h"

// No file asks for more honestly, and sums of such numbers can't wrap.
#define SIZE_LIMIT (UINT64_C(1) << 46)

#define GIB (UINT64_C(1) << 30)

// Where other firmware has RAM begin, and so what images that can be moved count from.
#define USUAL_RAM_BASE UINT64_C(0x80000000)

static enum status image_fail(struct image_error *why, const char *text, uint64_t number)
{
    *why = (struct image_error){text, number};
    return STATUS_INVALID;
}

// The size of the second-largest page: what kernels expect to be aligned to.
static uint64_t large_page(unsigned xlen)
{
    return xlen == 32 ? 4 << 20 : 2 << 20;
}

// A little-endian number of `bytes` bytes at any alignment.
static uint64_t load_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | at[bytes];
    return value;
}

// ---- Linux ----

enum {
    LINUX_TEXT_OFFSET = 8,
    LINUX_IMAGE_SIZE = 16,
    LINUX_FLAGS = 24,
    LINUX_MAGIC2 = 56,
    LINUX_HEADER_SIZE = 64,
};
#define LINUX_FLAG_BIG_ENDIAN 1u

static bool linux_is(const uint8_t *data, size_t size)
{
    return size >= LINUX_HEADER_SIZE && !memcmp(data + LINUX_MAGIC2, "RSC\x05", 4);
}

// The image size counts bss; 0 means that nobody knows.
static enum status linux_open(const uint8_t *data, size_t size, struct image *image, struct image_error *why)
{
    uint64_t text_offset = load_le(data + LINUX_TEXT_OFFSET, 8);
    uint64_t image_size = load_le(data + LINUX_IMAGE_SIZE, 8);
    if (load_le(data + LINUX_FLAGS, 8) & LINUX_FLAG_BIG_ENDIAN)
        return image_fail(why, "is a big-endian Linux kernel", 0);
    if (text_offset > SIZE_LIMIT || !is_aligned(text_offset, FRAME_SIZE))
        return image_fail(why, "has a damaged Linux header", text_offset);
    if (image_size > SIZE_LIMIT)
        return image_fail(why, "has a damaged Linux header", image_size);
    image->kind = IMAGE_LINUX;
    image->entry = text_offset;
    image->pieces[0] = (struct image_piece){0, size, image_size > size ? image_size : size, text_offset};
    image->piece_count = 1;
    return STATUS_OK;
}

// ---- ELF ----

static const char elf_damaged[] = "is a damaged ELF file";
static const char elf_no_kernel[] = "is an ELF file, but no kernel: link it to an executable, statically";

enum { ELF_CLASS = 4, ELF_DATA = 5, ELF_TYPE = 16, ELF_MACHINE = 18, ELF_ENTRY = 24 };
enum { ELF_LITTLE_ENDIAN = 1, ELF_EXEC = 2, ELF_DYN = 3, ELF_RISCV = 243 };
enum { ELF_LOAD = 1, ELF_DYNAMIC = 2, ELF_INTERP = 3, ELF_EXECUTABLE = 1 };
enum { ELF_RELASZ = 8, ELF_RELSZ = 18, ELF_RELRSZ = 35 };

// Where the fields are in the two classes.
struct elf_class {
    uint8_t word;                                       // bytes of an address
    uint8_t header_size;                                // of the file
    uint8_t phoff, phentsize, phnum;                    // in the header
    uint8_t segment_size;                               // of a program header
    uint8_t flags, offset, vaddr, paddr, filesz, memsz; // in it
};
static const struct elf_class elf32 = {4, 52, 28, 42, 44, 32, 24, 4, 8, 12, 16, 20};
static const struct elf_class elf64 = {8, 64, 32, 54, 56, 56, 4, 8, 16, 24, 32, 40};

struct elf {
    const uint8_t *data;
    size_t size;
    const struct elf_class *class;
    unsigned type;
    uint64_t segments; // where program headers begin
    unsigned segment_count;
    bool relocations; // there are some to be applied by whoever moves it
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz;
};

static bool elf_is(const uint8_t *data, size_t size)
{
    return size >= 4 && !memcmp(data, "\177ELF", 4);
}

static struct elf_segment elf_segment(const struct elf *elf, unsigned index)
{
    const struct elf_class *c = elf->class;
    const uint8_t *at = elf->data + elf->segments + (size_t)index * c->segment_size;
    return (struct elf_segment){
        .type = (uint32_t)load_le(at, 4),
        .flags = (uint32_t)load_le(at + c->flags, 4),
        .offset = load_le(at + c->offset, c->word),
        .vaddr = load_le(at + c->vaddr, c->word),
        .paddr = load_le(at + c->paddr, c->word),
        .filesz = load_le(at + c->filesz, c->word),
        .memsz = load_le(at + c->memsz, c->word),
    };
}

static enum status elf_header(struct elf *elf, unsigned xlen, struct image_error *why)
{
    const uint8_t *data = elf->data;
    const struct elf_class *c = elf->class = xlen == 32 ? &elf32 : &elf64;
    if (elf->size < c->header_size)
        return image_fail(why, elf_damaged, elf->size);
    if (data[ELF_CLASS] * 4 != c->word)
        return image_fail(why, "is an ELF file for another register width", 0);
    if (data[ELF_DATA] != ELF_LITTLE_ENDIAN || load_le(data + ELF_MACHINE, 2) != ELF_RISCV)
        return image_fail(why, "is an ELF file for another machine", load_le(data + ELF_MACHINE, 2));
    elf->type = (unsigned)load_le(data + ELF_TYPE, 2);
    if (elf->type != ELF_EXEC && elf->type != ELF_DYN)
        return image_fail(why, elf_no_kernel, 0);
    elf->segments = load_le(data + c->phoff, c->word);
    elf->segment_count = (unsigned)load_le(data + c->phnum, 2);
    struct range file = {0, elf->size};
    if (load_le(data + c->phentsize, 2) != c->segment_size ||
        !range_contains(file, elf->segments, (uint64_t)elf->segment_count * c->segment_size))
        return image_fail(why, elf_damaged, elf->segments);
    return STATUS_OK;
}

static bool elf_segment_sane(const struct elf *elf, const struct elf_segment *s)
{
    struct range file = {0, elf->size};
    return range_contains(file, s->offset, s->filesz) && s->filesz <= s->memsz && s->memsz <= SIZE_LIMIT &&
           s->paddr <= SIZE_LIMIT && s->vaddr + s->memsz >= s->vaddr;
}

// Does the dynamic section list relocations of any form?
static bool elf_relocates(const struct elf *elf, const struct elf_segment *dynamic)
{
    unsigned word = elf->class->word;
    for (uint64_t at = 0; dynamic->filesz - at >= 2 * word; at += 2 * word) {
        uint64_t tag = load_le(elf->data + dynamic->offset + at, word);
        bool is_size = tag == ELF_RELASZ || tag == ELF_RELSZ || tag == ELF_RELRSZ;
        if (is_size && load_le(elf->data + dynamic->offset + at + word, word))
            return true;
        if (!tag)
            return false;
    }
    return false;
}

// The ELF specification wants segments ascending.
static enum status piece_add(struct image *image, struct image_piece added, struct image_error *why)
{
    const struct image_piece *last = image->piece_count ? &image->pieces[image->piece_count - 1] : NULL;
    if (last && last->load + last->memory_size > added.load)
        return image_fail(why, "is an ELF file whose segments overlap or are out of order", added.load);
    if (image->piece_count == IMAGE_PIECES_MAX)
        return image_fail(why, "has more than 16 segments", 0);
    image->pieces[image->piece_count++] = added;
    return STATUS_OK;
}

static enum status elf_segments(struct elf *elf, struct image *image, struct image_error *why)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        struct elf_segment s = elf_segment(elf, i);
        if (s.type != ELF_LOAD && s.type != ELF_DYNAMIC && s.type != ELF_INTERP)
            continue;
        if (s.type == ELF_INTERP)
            return image_fail(why, elf_no_kernel, 0);
        if (!elf_segment_sane(elf, &s))
            return image_fail(why, elf_damaged, s.paddr);
        if (s.type == ELF_DYNAMIC)
            elf->relocations = elf_relocates(elf, &s);
        struct image_piece piece = {s.offset, s.filesz, s.memsz, s.paddr};
        if (s.type == ELF_LOAD && s.memsz && piece_add(image, piece, why) != STATUS_OK)
            return STATUS_INVALID;
    }
    return image->piece_count ? STATUS_OK : image_fail(why, elf_no_kernel, 0);
}

// The entry is a virtual address; kernels begin without translation, at the physical one.
static enum status elf_entry(const struct elf *elf, struct image *image, struct image_error *why)
{
    uint64_t entry = load_le(elf->data + ELF_ENTRY, elf->class->word);
    for (unsigned i = 0; i < elf->segment_count; i++) {
        struct elf_segment s = elf_segment(elf, i);
        if (s.type != ELF_LOAD || !(s.flags & ELF_EXECUTABLE) || entry - s.vaddr >= s.memsz)
            continue;
        image->entry = s.paddr + (entry - s.vaddr);
        return STATUS_OK;
    }
    return image_fail(why, elf_damaged, entry);
}

// Makes addresses of what can lie anywhere offsets from the start of RAM. What was linked for RAM at its
// usual place keeps its distance from RAM's start; what was linked for 0 or so goes where raw images do.
static void elf_unfix(struct image *image, unsigned xlen)
{
    uint64_t lowest = image->pieces[0].load;
    uint64_t base = lowest >= USUAL_RAM_BASE ? USUAL_RAM_BASE : align_down(lowest, FRAME_SIZE) - large_page(xlen);
    for (size_t i = 0; i < image->piece_count; i++)
        image->pieces[i].load -= base;
    image->entry -= base;
    image->fixed = false;
}

static enum status elf_open(const uint8_t *data, size_t size, unsigned xlen, struct image *image,
                            struct image_error *why)
{
    struct elf elf = {.data = data, .size = size};
    image->kind = IMAGE_ELF;
    image->fixed = true;
    if (elf_header(&elf, xlen, why) != STATUS_OK || elf_segments(&elf, image, why) != STATUS_OK ||
        elf_entry(&elf, image, why) != STATUS_OK)
        return STATUS_INVALID;
    if (elf.type == ELF_DYN && !elf.relocations)
        elf_unfix(image, xlen);
    return STATUS_OK;
}

// ---- Raw, and what is mistaken for it ----

enum mistake { MISTAKE_COMPRESSED, MISTAKE_WRAPPED, MISTAKE_OTHER };

struct magic {
    uint8_t mistake;
    uint8_t length;
    char bytes[6];
};
static const struct magic magics[] = {
    {MISTAKE_COMPRESSED, 2, "\x1f\x8b"},         // gzip
    {MISTAKE_COMPRESSED, 4, "\x28\xb5\x2f\xfd"}, // zstd
    {MISTAKE_COMPRESSED, 6,
     "\xfd"
     "7zXZ"},                                    // xz
    {MISTAKE_COMPRESSED, 3, "BZh"},              // bzip2
    {MISTAKE_COMPRESSED, 4, "\x02\x21\x4c\x18"}, // lz4, as Linux uses it
    {MISTAKE_COMPRESSED, 4, "\x04\x22\x4d\x18"}, // lz4
    {MISTAKE_WRAPPED, 4, "\xd0\x0d\xfe\xed"},    // FIT
    {MISTAKE_WRAPPED, 4, "\x27\x05\x19\x56"},    // U-Boot's older form
    {MISTAKE_OTHER, 2, "#!"},                    // a script
    {MISTAKE_OTHER, 6, "070701"},                // cpio: an initrd
};

static const char *mistake_text(enum mistake mistake)
{
    switch (mistake) {
    case MISTAKE_COMPRESSED:
        return "is compressed: decompress it first ('dio pack' does if it is gzip)";
    case MISTAKE_WRAPPED:
        return "is a FIT or U-Boot image: give the kernel inside";
    case MISTAKE_OTHER:
        break;
    }
    return "is no kernel: it does not begin with a RISC-V instruction";
}

// Null if it may be code.
static const char *raw_mistake(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < array_length(magics); i++)
        if (size >= magics[i].length && !memcmp(data, magics[i].bytes, magics[i].length))
            return mistake_text((enum mistake)magics[i].mistake);
    if (size >= 8 && !memcmp(data, "MZ", 2) && !memcmp(data + 4, "zimg", 4))
        return "is a kernel for EFI firmware to decompress: give its Image";
    // 16 zeros and 16 ones are illegal instructions by definition.
    if (size < 4 || load_le(data, 2) == 0 || load_le(data, 2) == 0xffff)
        return mistake_text(MISTAKE_OTHER);
    return NULL;
}

static enum status raw_open(const uint8_t *data, size_t size, unsigned xlen, struct image *image,
                            struct image_error *why)
{
    const char *mistake = raw_mistake(data, size);
    if (mistake)
        return image_fail(why, mistake, 0);
    image->kind = IMAGE_RAW;
    image->entry = large_page(xlen);
    image->pieces[0] = (struct image_piece){0, size, size, image->entry};
    image->piece_count = 1;
    return STATUS_OK;
}

enum status image_open(const void *data, size_t size, unsigned xlen, struct image *image, struct image_error *why)
{
    memset(image, 0, sizeof(*image));
    if (!size)
        return image_fail(why, "is empty", 0);
    if (elf_is(data, size))
        return elf_open(data, size, xlen, image, why);
    if (linux_is(data, size))
        return linux_open(data, size, image, why);
    return raw_open(data, size, xlen, image, why);
}

// ---- Placing ----

// The highest place below `limit` that keeps clear of all pieces becomes the new limit. False if there is
// none. Not below the first piece: older Linux can't use memory from below itself.
static bool place_below(const struct image *image, const struct image_request *request, uint64_t size, uint64_t *limit)
{
    struct range ram = {request->ram_base.value, request->ram_size};
    uint64_t first = image->pieces[0].load;
    uint64_t floor = first < *limit ? first : ram.start;
    // Pieces are ascending: those that were passed once are above for good.
    for (size_t i = image->piece_count; *limit >= size; i--) {
        struct range place = {align_down(*limit - size, large_page(request->xlen)), size};
        if (place.start < floor || !range_contains(ram, place.start, size))
            return false;
        while (i && !range_overlaps((struct range){image->pieces[i - 1].load, image->pieces[i - 1].memory_size}, place))
            i--;
        if (!i) {
            *limit = place.start;
            return true;
        }
        *limit = image->pieces[i - 1].load;
    }
    return false;
}

static enum status pieces_place(struct image *image, const struct image_request *request, struct image_error *why)
{
    struct range ram = {request->ram_base.value, request->ram_size};
    uint64_t base = image->fixed ? 0 : ram.start;
    for (size_t i = 0; i < image->piece_count; i++) {
        struct image_piece *piece = &image->pieces[i];
        piece->load += base;
        if (range_contains(ram, piece->load, piece->memory_size))
            continue;
        if (image->fixed)
            return image_fail(why,
                              "is linked for an address outside its RAM: link it position-independent, "
                              "without relocations, or give a Linux or raw image",
                              piece->load);
        return image_fail(why, "needs more memory than the capsule has", piece->load + piece->memory_size - ram.start);
    }
    image->entry += base;
    image->fixed = true;
    return STATUS_OK;
}

// Where QEMU's virt machine has it, that kernels which boot there find the same room: in the middle, where 128 MiB that
// Linux would like for devices are not free if too little is left without them. Else wherever there is room.
static bool initrd_place(const struct image *image, const struct image_request *request, uint64_t *limit)
{
    uint64_t half = request->ram_size / 2 < GIB / 2 ? request->ram_size / 2 : GIB / 2;
    uint64_t middle = align_down(image->entry + half, large_page(request->xlen));
    uint64_t end = middle + request->initrd_size;

    if (end <= *limit && place_below(image, request, request->initrd_size, &end) && end == middle) {
        *limit = end;
        return true;
    }
    return place_below(image, request, request->initrd_size, limit);
}

enum status image_place(struct image *image, const struct image_request *request, struct image_layout *layout,
                        struct image_error *why)
{
    if (pieces_place(image, request, why) != STATUS_OK)
        return STATUS_INVALID;
    uint64_t limit = request->ram_base.value + (request->ram_size < GIB ? request->ram_size : GIB);
    *layout = (struct image_layout){.entry = gpa(image->entry)};
    if (!place_below(image, request, request->tree_size, &limit))
        return image_fail(why, "leaves no room for the device tree: give more memory", request->tree_size);
    layout->tree = gpa(limit);
    if (!request->initrd_size)
        return STATUS_OK;
    if (!initrd_place(image, request, &limit))
        return image_fail(why, "leaves no room for the initrd: give more memory", request->initrd_size);
    layout->initrd = gpa(limit);
    return STATUS_OK;
}
