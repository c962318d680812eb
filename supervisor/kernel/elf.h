// Programs as ELF files: position-independent, static ("static PIE"), with the relocations that their linker leaves.
//
// A file is hostile: everything is checked against the file's size before it is used, and what is loaded against what
// is there. Nothing here takes the kernel's lock: it works on the file, which doesn't change, and on a region that
// nobody else knows of yet.
#pragma once

#include "region.h"

#define ELF_SEGMENTS 8

struct elf_segment {
    uint64_t address, memory_size, offset, file_size;
    unsigned access;
};

struct elf {
    const unsigned char *file;
    size_t size;
    uint64_t entry, low;            // low: where the first page begins
    uint64_t dynamic, dynamic_size; // 0: none
    unsigned count;                 // of segments
    struct elf_segment segment[ELF_SEGMENTS];
};

// Why it can't be loaded, as far as its headers say; 0: they are good.
must_check unsigned elf_open(struct elf *e, const void *file, size_t size);

// The region it needs.
void elf_plan(const struct elf *e, struct region_plan *plan);

// Whether a page of the region holds bytes of the file.
bool elf_has_file_page(const struct elf *e, uint32_t page);

// Fills and relocates it; all pages with bytes of the file are there. Why not, or 0.
must_check unsigned elf_load(const struct elf *e, const struct region *r);

static inline uintptr_t elf_entry(const struct elf *e, const struct region *r)
{
    return r->address + (uintptr_t)(e->entry - e->low);
}
