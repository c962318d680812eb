// sources: hypervisor/capsule/image.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image.h"

#define MIB (UINT64_C(1) << 20)
#define RAM UINT64_C(0x80000000)

static uint8_t file[4096];
static struct image image;
static struct image_error why;
static struct image_layout layout;

static void put(size_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        file[at + i] = (uint8_t)(value >> (8 * i));
}

// Opens a copy that ends where memory does, so that the sanitizer sees what reads beyond it. At an odd
// address, because bundles align nothing.
static enum status open_file(size_t size, unsigned xlen)
{
    uint8_t *copy = malloc(size + 1);
    memcpy(copy + 1, file, size);
    memset(&why, 0, sizeof(why));
    enum status status = image_open(copy + 1, size, xlen, &image, &why);
    free(copy);
    return status;
}

static void assert_refused(enum status status, const char *text)
{
    assert_int_equal(status, STATUS_INVALID);
    assert_non_null(strstr(why.text, text));
}

static enum status place(uint64_t ram_size, uint64_t initrd_size)
{
    const struct image_request request = {64, gpa(RAM), ram_size, 0x10000, initrd_size};
    return image_place(&image, &request, &layout, &why);
}

// ---- Linux ----

static void linux_header(uint64_t text_offset, uint64_t image_size, uint64_t flags)
{
    memset(file, 0, sizeof(file));
    memcpy(file, "MZ", 2);
    put(8, text_offset, 8);
    put(16, image_size, 8);
    put(24, flags, 8);
    memcpy(file + 48, "RISCV", 5);
    memcpy(file + 56, "RSC\x05", 4);
}

static void linux_goes_where_its_header_says(void **state)
{
    (void)state;
    linux_header(2 * MIB, 30 * MIB, 0);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_int_equal(image.kind, IMAGE_LINUX);
    assert_false(image.fixed);
    assert_int_equal(image.piece_count, 1);
    assert_int_equal(image.pieces[0].offset, 0);
    assert_int_equal(image.pieces[0].size, 4096);
    assert_int_equal(image.pieces[0].memory_size, 30 * MIB);
    assert_int_equal(place(64 * MIB, 0), STATUS_OK);
    assert_int_equal(image.pieces[0].load, RAM + 2 * MIB);
    assert_int_equal(layout.entry.value, RAM + 2 * MIB);
}

static void linux_that_does_not_know_its_size(void **state)
{
    (void)state;
    linux_header(4 * MIB, 0, 0);
    assert_int_equal(open_file(2000, 32), STATUS_OK);
    assert_int_equal(image.pieces[0].memory_size, 2000);
    assert_int_equal(image.entry, 4 * MIB);
}

static void linux_headers_that_make_no_sense(void **state)
{
    (void)state;
    linux_header(2 * MIB, 0, 1);
    assert_refused(open_file(64, 64), "big-endian");
    linux_header(2 * MIB + 4, 0, 0);
    assert_refused(open_file(64, 64), "damaged Linux header");
    linux_header(UINT64_MAX - 4095, 0, 0);
    assert_refused(open_file(64, 64), "damaged Linux header");
    linux_header(2 * MIB, UINT64_MAX, 0);
    assert_refused(open_file(64, 64), "damaged Linux header");
}

// ---- ELF ----

struct segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz;
};

static const struct segment code = {1, 5, 0x1000 - 0x800, 0x80200000, 0x80200000, 0x100, 0x200};

static void elf_header(unsigned xlen, unsigned type, uint64_t entry, unsigned segments)
{
    bool wide = xlen == 64;
    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF", 4);
    file[4] = wide ? 2 : 1;
    file[5] = 1;
    file[6] = 1;
    put(16, type, 2);
    put(18, 243, 2);
    put(24, entry, wide ? 8 : 4);
    put(wide ? 32 : 28, 64, wide ? 8 : 4);
    put(wide ? 54 : 42, wide ? 56 : 32, 2);
    put(wide ? 56 : 44, segments, 2);
}

static void elf_segment(unsigned xlen, unsigned index, struct segment s)
{
    size_t at = 64 + index * (xlen == 64 ? 56 : 32);
    unsigned word = xlen / 8;
    put(at, s.type, 4);
    put(at + (xlen == 64 ? 4 : 24), s.flags, 4);
    at += xlen == 64 ? 8 : 4;
    put(at, s.offset, word);
    put(at + word, s.vaddr, word);
    put(at + 2 * word, s.paddr, word);
    put(at + 3 * word, s.filesz, word);
    put(at + 4 * word, s.memsz, word);
}

// One segment of code, as described.
static enum status open_elf(unsigned type, struct segment s)
{
    elf_header(64, type, s.vaddr + 4, 1);
    elf_segment(64, 0, s);
    return open_file(sizeof(file), 64);
}

static void elf_of_both_widths(void **state)
{
    (void)state;
    for (unsigned xlen = 32; xlen <= 64; xlen += 32) {
        elf_header(xlen, 2, 0x80200010, 1);
        elf_segment(xlen, 0, code);
        assert_int_equal(open_file(sizeof(file), xlen), STATUS_OK);
        assert_int_equal(image.kind, IMAGE_ELF);
        assert_true(image.fixed);
        assert_int_equal(image.entry, 0x80200010);
        assert_int_equal(image.pieces[0].offset, code.offset);
        assert_int_equal(image.pieces[0].size, code.filesz);
        assert_int_equal(image.pieces[0].memory_size, code.memsz);
        assert_int_equal(place(8 * MIB, 0), STATUS_OK);
        assert_int_equal(image.pieces[0].load, 0x80200000);
    }
}

static void elf_with_several_segments(void **state)
{
    (void)state;
    elf_header(64, 2, 0x80200000, 5);
    elf_segment(64, 0, (struct segment){4, 6, 0xffffff, 0, 0, 16, 32}); // a note
    elf_segment(64, 1, code);
    elf_segment(64, 2, (struct segment){1, 6, 0, 0x80100000, 0x80100000, 0, 0}); // empty
    elf_segment(64, 3, (struct segment){1, 6, 0xa00, 0x80300000, 0x80300000, 0, 0x1000});
    elf_segment(64, 4, (struct segment){1, 6, 0x900, 0x80400000, 0x80400000, 16, 32});
    assert_int_equal(open_file(sizeof(file), 64), STATUS_OK);
    assert_int_equal(image.piece_count, 3);
    assert_int_equal(image.pieces[0].load, 0x80200000);
    assert_int_equal(image.pieces[1].load, 0x80300000);
    assert_int_equal(image.pieces[2].load, 0x80400000);
    assert_int_equal(image.pieces[2].offset, 0x900);
}

static void elf_entry_is_translated(void **state)
{
    (void)state;
    struct segment s = code;
    s.vaddr = UINT64_C(0xffffffff80000000);
    assert_int_equal(open_elf(2, s), STATUS_OK);
    assert_int_equal(image.entry, 0x80200004);
}

static void elf_outside_ram(void **state)
{
    (void)state;
    struct segment s = code;
    s.paddr = s.vaddr = 0x10000;
    assert_int_equal(open_elf(2, s), STATUS_OK);
    assert_refused(place(8 * MIB, 0), "linked for an address outside");
    assert_int_equal(why.number, 0x10000);
}

static void elf_that_can_lie_anywhere(void **state)
{
    (void)state;
    struct segment s = code;
    assert_int_equal(open_elf(3, s), STATUS_OK); // linked for RAM: keeps its distance
    assert_false(image.fixed);
    assert_int_equal(image.pieces[0].load, 2 * MIB);
    assert_int_equal(image.entry, 2 * MIB + 4);
    s.paddr = s.vaddr = 0x1008; // linked for anything else: where raw images go
    assert_int_equal(open_elf(3, s), STATUS_OK);
    assert_int_equal(image.pieces[0].load, 2 * MIB + 8);
    assert_int_equal(image.entry, 2 * MIB + 12);
}

static void elf_that_needs_relocation_stays(void **state)
{
    (void)state;
    elf_header(64, 3, 0x80200000, 2);
    elf_segment(64, 0, code);
    elf_segment(64, 1, (struct segment){2, 6, 0xc00, 0x80200000, 0x80200000, 64, 64});
    put(0xc00, 5, 8);
    put(0xc10, 8, 8); // DT_RELASZ
    put(0xc18, 24, 8);
    assert_int_equal(open_file(sizeof(file), 64), STATUS_OK);
    assert_true(image.fixed);
    put(0xc18, 0, 8); // of size 0: none
    assert_int_equal(open_file(sizeof(file), 64), STATUS_OK);
    assert_false(image.fixed);
    put(0xc00, 0, 8); // beyond the end of the section
    put(0xc18, 24, 8);
    assert_int_equal(open_file(sizeof(file), 64), STATUS_OK);
    assert_false(image.fixed);
}

static void elf_for_others(void **state)
{
    (void)state;
    elf_header(32, 2, 0x80200000, 1);
    elf_segment(32, 0, code);
    assert_refused(open_file(sizeof(file), 64), "width");
    elf_header(64, 2, 0x80200000, 1);
    put(18, 62, 2);
    assert_refused(open_file(sizeof(file), 64), "machine");
    elf_header(64, 2, 0x80200000, 1);
    file[5] = 2;
    assert_refused(open_file(sizeof(file), 64), "machine");
    elf_header(64, 1, 0, 0);
    assert_refused(open_file(sizeof(file), 64), "no kernel");
    elf_header(64, 2, 0, 1);
    elf_segment(64, 0, (struct segment){3, 4, 0, 0, 0, 0, 0});
    assert_refused(open_file(sizeof(file), 64), "no kernel");
}

static void elf_broken(void **state)
{
    (void)state;
    elf_header(64, 2, 0x80200000, 1);
    assert_refused(open_file(40, 64), "damaged");
    assert_refused(open_file(100, 64), "damaged");
    put(32, UINT64_MAX - 8, 8);
    assert_refused(open_file(sizeof(file), 64), "damaged");
    elf_header(64, 2, 0x80200000, 0);
    assert_refused(open_file(sizeof(file), 64), "no kernel");
    elf_header(64, 2, 0x80200000, 1);
    put(54, 32, 2);
    assert_refused(open_file(sizeof(file), 64), "damaged");
}

static void elf_with_broken_segments(void **state)
{
    (void)state;
    struct segment s = code;
    s.offset = sizeof(file) - 0xff;
    assert_refused(open_elf(2, s), "damaged");
    s = code;
    s.offset = UINT64_MAX;
    assert_refused(open_elf(2, s), "damaged");
    s = code;
    s.memsz = s.filesz - 1;
    assert_refused(open_elf(2, s), "damaged");
    s = code;
    s.memsz = UINT64_MAX;
    assert_refused(open_elf(2, s), "damaged");
    s = code;
    s.paddr = UINT64_MAX - 16;
    assert_refused(open_elf(2, s), "damaged");
    s = code;
    s.vaddr = UINT64_MAX - 16;
    assert_refused(open_elf(2, s), "damaged");
}

static void elf_with_overlapping_segments(void **state)
{
    (void)state;
    for (uint64_t at = 0x80200000 - 0x200; at <= 0x80200200; at += 0x100) {
        elf_header(64, 2, 0x80200000, 2);
        elf_segment(64, 0, code);
        elf_segment(64, 1, (struct segment){1, 6, 0x900, at, at, 16, 0x200});
        assert_int_equal(open_file(sizeof(file), 64), at >= 0x80200200 ? STATUS_OK : STATUS_INVALID);
    }
}

static void elf_with_too_many_segments(void **state)
{
    (void)state;
    elf_header(64, 2, 0x80200000, 17);
    for (unsigned i = 0; i < 17; i++) {
        uint64_t at = 0x80200000 + i * 0x1000;
        elf_segment(64, i, (struct segment){1, 5, 0x900, at, at, 16, 16});
    }
    assert_refused(open_file(sizeof(file), 64), "more than 16");
    put(56, 16, 2);
    assert_int_equal(open_file(sizeof(file), 64), STATUS_OK);
    assert_int_equal(image.piece_count, IMAGE_PIECES_MAX);
}

static void elf_entry_must_be_code(void **state)
{
    (void)state;
    struct segment s = code;
    s.flags = 6;
    assert_refused(open_elf(2, s), "damaged");
    elf_header(64, 2, 0x80200200, 1);
    elf_segment(64, 0, code);
    assert_refused(open_file(sizeof(file), 64), "damaged");
}

// ---- Raw, and what is none ----

static void raw_goes_where_firmware_puts_it(void **state)
{
    (void)state;
    memset(file, 0x13, sizeof(file));
    assert_int_equal(open_file(100, 64), STATUS_OK);
    assert_int_equal(image.kind, IMAGE_RAW);
    assert_int_equal(image.entry, 2 * MIB);
    assert_int_equal(open_file(4, 32), STATUS_OK);
    assert_int_equal(image.pieces[0].load, 4 * MIB);
    assert_int_equal(image.pieces[0].memory_size, 4);
}

static void what_is_no_kernel(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *text;
    } cases[] = {
        {"\x1f\x8b\x08\x00", 4, "gzip"},
        {"\xfd"
         "7zXZ\0",
         6, "compressed"},
        {"\x28\xb5\x2f\xfd", 4, "compressed"},
        {"BZh9", 4, "compressed"},
        {"\xd0\x0d\xfe\xed", 4, "FIT"},
        {"\x27\x05\x19\x56", 4, "U-Boot"},
        {"#!/bin/sh", 9, "no kernel"},
        {"0707010", 7, "no kernel"},
        {"MZ\0\0zimg", 8, "EFI"},
        {"\0\0\0\0", 4, "instruction"},
        {"\xff\xff\xff\xff", 4, "instruction"},
        {"\x13", 1, "instruction"},
        {"", 0, "empty"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        memcpy(file, cases[i].bytes, cases[i].length);
        assert_refused(open_file(cases[i].length, 64), cases[i].text);
    }
}

// ---- Placing ----

static void the_tree_goes_to_the_top_and_the_initrd_to_the_middle(void **state)
{
    (void)state;
    linux_header(2 * MIB, 30 * MIB, 0);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_int_equal(place(64 * MIB, 3 * MIB), STATUS_OK);
    assert_int_equal(layout.tree.value, RAM + 62 * MIB);
    assert_int_equal(layout.initrd.value, RAM + 34 * MIB);
}

static void an_initrd_that_the_middle_has_no_room_for_goes_below_the_tree(void **state)
{
    (void)state;
    linux_header(2 * MIB, 33 * MIB, 0);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_int_equal(place(64 * MIB, 3 * MIB), STATUS_OK); // the kernel is there
    assert_int_equal(layout.initrd.value, RAM + 58 * MIB);
    linux_header(2 * MIB, 20 * MIB, 0);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_int_equal(place(64 * MIB, 30 * MIB), STATUS_OK); // it would reach into the tree
    assert_int_equal(layout.initrd.value, RAM + 32 * MIB);
}

static void tree_and_initrd_stay_in_the_first_gib(void **state)
{
    (void)state;
    linux_header(2 * MIB, 30 * MIB, 0);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_int_equal(place(8192 * MIB, 1), STATUS_OK);
    assert_int_equal(layout.tree.value, RAM + 1022 * MIB);
    assert_int_equal(layout.initrd.value, RAM + 514 * MIB);
}

static void rv32_aligns_to_4_mib(void **state)
{
    (void)state;
    linux_header(4 * MIB, 8 * MIB, 0);
    assert_int_equal(open_file(4096, 32), STATUS_OK);
    const struct image_request request = {32, gpa(RAM), 64 * MIB, 0x10000, 5 * MIB};
    assert_int_equal(image_place(&image, &request, &layout, &why), STATUS_OK);
    assert_int_equal(layout.tree.value, RAM + 60 * MIB);
    assert_int_equal(layout.initrd.value, RAM + 36 * MIB);
}

static void no_initrd(void **state)
{
    (void)state;
    linux_header(2 * MIB, 2 * MIB, 0);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_int_equal(place(6 * MIB, 0), STATUS_OK);
    assert_int_equal(layout.tree.value, RAM + 4 * MIB);
    assert_int_equal(layout.initrd.value, 0);
}

static void too_little_memory(void **state)
{
    (void)state;
    linux_header(2 * MIB, 30 * MIB, 0);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_refused(place(30 * MIB, 0), "more memory than the capsule has");
    assert_int_equal(why.number, 32 * MIB);
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_refused(place(32 * MIB, 0), "device tree");
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_refused(place(36 * MIB, 3 * MIB), "initrd");
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_refused(place(36 * MIB, UINT64_MAX), "initrd");
    assert_int_equal(open_file(4096, 64), STATUS_OK);
    assert_int_equal(place(38 * MIB, 3 * MIB), STATUS_OK);
}

static void pieces_at_the_top_are_kept_clear_of(void **state)
{
    (void)state;
    elf_header(64, 2, 0x80200000, 3);
    elf_segment(64, 0, code);
    elf_segment(64, 1, (struct segment){1, 6, 0x900, RAM + 58 * MIB, RAM + 58 * MIB, 16, MIB});
    elf_segment(64, 2, (struct segment){1, 6, 0x900, RAM + 62 * MIB, RAM + 62 * MIB, 16, MIB});
    assert_int_equal(open_file(sizeof(file), 64), STATUS_OK);
    assert_int_equal(place(64 * MIB, 3 * MIB), STATUS_OK);
    assert_int_equal(layout.tree.value, RAM + 60 * MIB);
    assert_int_equal(place(64 * MIB, 25 * MIB), STATUS_OK);
    assert_int_equal(layout.initrd.value, RAM + 32 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linux_goes_where_its_header_says),
        cmocka_unit_test(linux_that_does_not_know_its_size),
        cmocka_unit_test(linux_headers_that_make_no_sense),
        cmocka_unit_test(elf_of_both_widths),
        cmocka_unit_test(elf_with_several_segments),
        cmocka_unit_test(elf_entry_is_translated),
        cmocka_unit_test(elf_outside_ram),
        cmocka_unit_test(elf_that_can_lie_anywhere),
        cmocka_unit_test(elf_that_needs_relocation_stays),
        cmocka_unit_test(elf_for_others),
        cmocka_unit_test(elf_broken),
        cmocka_unit_test(elf_with_broken_segments),
        cmocka_unit_test(elf_with_overlapping_segments),
        cmocka_unit_test(elf_with_too_many_segments),
        cmocka_unit_test(elf_entry_must_be_code),
        cmocka_unit_test(raw_goes_where_firmware_puts_it),
        cmocka_unit_test(what_is_no_kernel),
        cmocka_unit_test(the_tree_goes_to_the_top_and_the_initrd_to_the_middle),
        cmocka_unit_test(an_initrd_that_the_middle_has_no_room_for_goes_below_the_tree),
        cmocka_unit_test(tree_and_initrd_stay_in_the_first_gib),
        cmocka_unit_test(rv32_aligns_to_4_mib),
        cmocka_unit_test(no_initrd),
        cmocka_unit_test(too_little_memory),
        cmocka_unit_test(pieces_at_the_top_are_kept_clear_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
