#include "elf.h"

#include <string.h>

#include "arch.h"
#include "bits.h"

enum { ELF_CLASS = 4, ELF_DATA = 5, ELF_TYPE = 16, ELF_MACHINE = 18, ELF_ENTRY = 24 };
enum { ELF_LITTLE_ENDIAN = 1, ELF_EXEC = 2, ELF_DYN = 3 };
enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3, PT_TLS = 7, PF_X = 1, PF_W = 2, PF_R = 4 };
enum { DT_NEEDED = 1, DT_PLTRELSZ = 2, DT_SYMTAB = 6, DT_RELA = 7 };
enum { DT_RELASZ = 8, DT_REL = 17, DT_JMPREL = 23, DT_RELR = 36 };
enum { STB_WEAK = 2, STT_TLS = 6, STT_IFUNC = 10, SHN_UNDEF = 0, SHN_ABS = 0xfff1 };

// A gap between segments takes addresses that nobody pays for.
#define GAP_MAX (1u << 20)

// Where the fields are in the two classes of files, of which a kernel loads its own.
static const struct layout {
    uint8_t class, word, header_size;                 // of the file
    uint8_t phoff, phentsize, phnum;                  // in the header
    uint8_t segment_size;                             // of a program header
    uint8_t flags, offset, vaddr, filesz, memsz;      // in it
    uint8_t symbol_size, value, info, shndx;          // of a symbol
    uint8_t relocation_size, relocation_symbol_shift; // three words: offset, info, addend
} layouts[] = {
    {1, 4, 52, 28, 42, 44, 32, 24, 4, 8, 16, 20, 16, 4, 12, 14, 12, 8},
    {2, 8, 64, 32, 54, 56, 56, 4, 8, 16, 32, 40, 24, 8, 4, 6, 24, 32},
};

static const struct layout *layout(void)
{
    return &layouts[sizeof(sv_word) == 8];
}

static uint64_t load_le(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | at[bytes];
    return value;
}

static uint64_t load_word(const unsigned char *at)
{
    return load_le(at, layout()->word);
}

// --- headers ----------------------------------------------------------------------------------------

static unsigned header_check(const unsigned char *file, size_t size)
{
    const struct layout *l = layout();

    if (size < 20 || memcmp(file, "\177ELF", 4))
        return SV_IMAGE_NOT_ELF;
    if (file[ELF_CLASS] != l->class || file[ELF_DATA] != ELF_LITTLE_ENDIAN ||
        load_le(file + ELF_MACHINE, 2) != ARCH_ELF_MACHINE)
        return SV_IMAGE_WRONG_MACHINE;
    if (load_le(file + ELF_TYPE, 2) == ELF_EXEC)
        return SV_IMAGE_NOT_PIE;
    if (load_le(file + ELF_TYPE, 2) != ELF_DYN || size < l->header_size ||
        load_le(file + l->phentsize, 2) != l->segment_size)
        return SV_IMAGE_BROKEN;
    return 0;
}

static unsigned access_of(uint64_t flags)
{
    return (flags & PF_R ? SV_RIGHT_READ : 0u) | (flags & PF_W ? SV_RIGHT_WRITE : 0u) |
           (flags & PF_X ? SV_RIGHT_EXECUTE : 0u);
}

static uint64_t segment_end(const struct elf_segment *s)
{
    return align_up(s->address + s->memory_size, FRAME_SIZE);
}

// Behind the one before, on pages of its own, and all that is of the file in it.
static unsigned segment_check(struct elf *e, const struct elf_segment *s)
{
    const uint64_t most = (uint64_t)REGION_PAGES_MAX * FRAME_SIZE;
    uint64_t first = align_down(s->address, FRAME_SIZE);

    if (s->file_size > s->memory_size || s->offset > e->size || s->file_size > e->size - s->offset)
        return SV_IMAGE_BROKEN;
    if (s->address > UINT64_MAX / 4 || s->memory_size > most)
        return SV_IMAGE_TOO_LARGE;
    if (s->access & SV_RIGHT_WRITE && s->access & SV_RIGHT_EXECUTE)
        return SV_IMAGE_WRITABLE_CODE;
    if (!e->count)
        e->low = first;
    else if (first < segment_end(&e->segment[e->count - 1]))
        return SV_IMAGE_BROKEN;
    else if (first - segment_end(&e->segment[e->count - 1]) > GAP_MAX)
        return SV_IMAGE_TOO_LARGE;
    return segment_end(s) - e->low > most ? SV_IMAGE_TOO_LARGE : 0;
}

static unsigned segment_add(struct elf *e, const unsigned char *at)
{
    const struct layout *l = layout();
    struct elf_segment s = {.address = load_word(at + l->vaddr),
                            .memory_size = load_word(at + l->memsz),
                            .offset = load_word(at + l->offset),
                            .file_size = load_word(at + l->filesz),
                            .access = access_of(load_le(at + l->flags, 4))};
    uint64_t type = load_le(at, 4);

    if (type == PT_INTERP)
        return SV_IMAGE_NOT_PIE;
    if (type == PT_TLS && s.memory_size)
        return SV_IMAGE_TLS;
    if (type == PT_DYNAMIC) {
        e->dynamic = s.address;
        e->dynamic_size = s.memory_size;
    }
    if (type != PT_LOAD || !s.memory_size)
        return 0;
    if (e->count == ELF_SEGMENTS)
        return SV_IMAGE_BROKEN;
    unsigned fault = segment_check(e, &s);
    if (!fault)
        e->segment[e->count++] = s;
    return fault;
}

static bool entry_is_code(const struct elf *e)
{
    for (unsigned i = 0; i < e->count; i++)
        if (e->segment[i].access & SV_RIGHT_EXECUTE && e->entry >= e->segment[i].address &&
            e->entry - e->segment[i].address < e->segment[i].file_size)
            return true;
    return false;
}

unsigned elf_open(struct elf *e, const void *file, size_t size)
{
    const struct layout *l = layout();

    *e = (struct elf){.file = file, .size = size};
    unsigned fault = header_check(file, size);
    if (fault)
        return fault;
    uint64_t at = load_word(e->file + l->phoff), count = load_le(e->file + l->phnum, 2);
    if (at > size || count * l->segment_size > size - at)
        return SV_IMAGE_BROKEN;
    for (; count && !fault; count--, at += l->segment_size)
        fault = segment_add(e, e->file + at);
    e->entry = load_word(e->file + ELF_ENTRY);
    if (!fault && !entry_is_code(e))
        fault = SV_IMAGE_BROKEN;
    return fault;
}

// --- what it takes ----------------------------------------------------------------------------------

static uint32_t page_of(const struct elf *e, uint64_t address)
{
    return (uint32_t)((address - e->low) >> FRAME_SHIFT);
}

void elf_plan(const struct elf *e, struct region_plan *plan)
{
    _Static_assert(REGION_PARTS >= 2 * ELF_SEGMENTS, "there is a part for each segment, and the gap before it");
    *plan = (struct region_plan){.guarded = true};
    for (unsigned i = 0; i < e->count; i++) {
        uint32_t first = page_of(e, e->segment[i].address), end = page_of(e, segment_end(&e->segment[i]));
        if (first > plan->size)
            plan->part[plan->part_count++] = (struct region_part){first, 0};
        plan->part[plan->part_count++] = (struct region_part){end, e->segment[i].access};
        plan->pages += end - first;
        plan->size = end;
    }
}

bool elf_has_file_page(const struct elf *e, uint32_t page)
{
    uint64_t address = e->low + (uint64_t)page * FRAME_SIZE;

    for (unsigned i = 0; i < e->count; i++) {
        const struct elf_segment *s = &e->segment[i];
        if (s->file_size && address + FRAME_SIZE > s->address && address < s->address + s->file_size)
            return true;
    }
    return false;
}

// --- loading ----------------------------------------------------------------------------------------

// Bytes of the program by their addresses in the file's own numbering. False: they are not all there.
static bool image_copy(const struct elf *e, const struct region *r, uint64_t address, void *bytes, uint64_t size,
                       bool write)
{
    unsigned char *at = bytes;

    while (size) {
        uint64_t offset = address - e->low, part = FRAME_SIZE - offset % FRAME_SIZE;
        unsigned char *page = NULL;
        if (offset < (uint64_t)r->size * FRAME_SIZE)
            page = region_page(r, (uint32_t)(offset >> FRAME_SHIFT));
        if (!page)
            return false;
        if (part > size)
            part = size;
        page += offset % FRAME_SIZE;
        if (write)
            memcpy(page, at, (size_t)part);
        else
            memcpy(at, page, (size_t)part);
        at += part;
        address += part;
        size -= part;
    }
    return true;
}

// What the dynamic section says, as far as it matters, by tag.
struct dynamic {
    uint64_t value[DT_RELR + 1];
    uint64_t tags; // that are there, a bit each
};

static unsigned dynamic_read(const struct elf *e, const struct region *r, struct dynamic *d)
{
    const unsigned word = layout()->word;
    unsigned char entry[16];

    *d = (struct dynamic){.tags = 0};
    for (uint64_t at = 0; at + 2 * word <= e->dynamic_size; at += 2 * word) {
        if (!image_copy(e, r, e->dynamic + at, entry, 2 * word, false))
            return SV_IMAGE_BROKEN;
        uint64_t tag = load_word(entry);
        if (!tag)
            break;
        if (tag >= array_length(d->value))
            continue;
        d->value[tag] = load_word(entry + word);
        d->tags |= UINT64_C(1) << tag;
    }
    if (d->tags >> DT_NEEDED & 1)
        return SV_IMAGE_NOT_PIE;
    return (d->tags >> DT_REL | d->tags >> DT_RELR) & 1 ? SV_IMAGE_RELOCATION : 0;
}

// S: a symbol that is not there is 0 if it is weak, and else a mistake.
static unsigned symbol_value(const struct elf *e, const struct region *r, uint64_t at, uint64_t *value)
{
    const struct layout *l = layout();
    unsigned char symbol[24];

    if (!image_copy(e, r, at, symbol, l->symbol_size, false))
        return SV_IMAGE_BROKEN;
    unsigned info = symbol[l->info];
    uint64_t section = load_le(symbol + l->shndx, 2);
    if ((info & 15) == STT_TLS)
        return SV_IMAGE_TLS;
    if ((info & 15) == STT_IFUNC || (section == SHN_UNDEF && info >> 4 != STB_WEAK))
        return SV_IMAGE_RELOCATION;
    *value = section == SHN_UNDEF ? 0 : load_word(symbol + l->value);
    if (section != SHN_UNDEF && section != SHN_ABS)
        *value += r->address - e->low;
    return 0;
}

static unsigned relocate_one(const struct elf *e, const struct region *r, uint64_t symbols, const unsigned char *rela)
{
    const struct layout *l = layout();
    uint64_t info = load_word(rela + l->word), value = 0;
    enum relocation kind = arch_relocation((uint32_t)(info & (l->word == 8 ? 0xffffffffu : 0xffu)));
    unsigned fault = 0, size = kind == RELOCATION_SYMBOL_32 ? 4 : l->word;

    switch (kind) {
    case RELOCATION_NONE:
        return 0;
    case RELOCATION_BASE:
        value = r->address - e->low;
        break;
    case RELOCATION_SYMBOL:
    case RELOCATION_SYMBOL_32:
        if (info >> l->relocation_symbol_shift) // else S is 0
            fault = symbol_value(e, r, symbols + (info >> l->relocation_symbol_shift) * l->symbol_size, &value);
        break;
    case RELOCATION_TLS:
        return SV_IMAGE_TLS;
    default:
        return SV_IMAGE_RELOCATION;
    }
    value += load_word(rela + 2 * l->word);
    if (!fault && !image_copy(e, r, load_word(rela), &value, size, true))
        fault = SV_IMAGE_BROKEN;
    return fault;
}

static unsigned relocate(const struct elf *e, const struct region *r, const uint64_t *dynamic, unsigned table,
                         unsigned table_size)
{
    const unsigned size = layout()->relocation_size;
    uint64_t at = dynamic[table], left = dynamic[table_size];
    unsigned char rela[24];
    unsigned fault = 0;

    for (; left >= size && !fault; at += size, left -= size) {
        if (!image_copy(e, r, at, rela, size, false))
            return SV_IMAGE_BROKEN;
        fault = relocate_one(e, r, dynamic[DT_SYMTAB], rela);
    }
    return fault;
}

unsigned elf_load(const struct elf *e, const struct region *r)
{
    struct dynamic d;

    for (unsigned i = 0; i < e->count; i++) {
        const struct elf_segment *s = &e->segment[i];
        if (!image_copy(e, r, s->address, (void *)(uintptr_t)(e->file + s->offset), s->file_size, true))
            return SV_IMAGE_BROKEN;
    }
    unsigned fault = dynamic_read(e, r, &d);
    if (!fault)
        fault = relocate(e, r, d.value, DT_RELA, DT_RELASZ);
    if (!fault)
        fault = relocate(e, r, d.value, DT_JMPREL, DT_PLTRELSZ);
    return fault;
}
