// sources: supervisor bearssl
//
// The supervisor's loader and archive: what a program finds, and each reason for which one is refused.
#include "archive.h"
#include "init.h"

static uint8_t file[16384];
static const unsigned word = sizeof(sv_word), header = sizeof(sv_word) == 8 ? 64 : 52,
                      entry_size = sizeof(sv_word) == 8 ? 56 : 32;

static int setup_target(void **state)
{
    static uint8_t files[65536];
    size_t size = 0;

    (void)state;
    fake_archive_add(files, &size, "./init", file, fake_program(file));
    fake_archive_add(files, &size, "/bin/target", file, sizeof(file));
    fake_archive_add(files, &size, "a-name-that-is-just-too-long-for-us", file, 10);
    fake_archive_end(files, &size);
    fake_boot(1, files, size);
    fake_next();
    scratch = fake_task()->stack_low;
    assert_true(fake_store(scratch, "", 1));
    self = fake_start_handle("task");
    frames = fake_start_handle("frames");
    archive = fake_start_handle("archive");
    fake_check();
    return 0;
}

static void store(unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++, value >>= 8)
        file[at + i] = (uint8_t)value;
}

// Fields of the n-th program header.
static unsigned segment(unsigned n)
{
    return header + n * entry_size;
}
enum { OFFSET, ADDRESS, PHYSICAL, FILE_SIZE, MEMORY_SIZE };
static unsigned field(unsigned n, unsigned which)
{
    return segment(n) + (word == 8 ? 8 : 4) + which * word;
}
static unsigned flags(unsigned n)
{
    return segment(n) + (word == 8 ? 4 : 24);
}

// The file as it is now; SV_BAD_IMAGE's reason, or 0 if it starts.
static unsigned fault_of(void)
{
    struct image *i = archive_find("bin/target");
    struct sv_handle program = image("bin/target");
    uint64_t before = frames_free();

    i->data = file;
    sv_word status = start(program, 100, (struct sv_handle){{0}}, false);
    unsigned fault = status == SV_BAD_IMAGE ? (unsigned)fake_value[1] : 0;
    fake_check();
    if (status == SV_OK) {
        ok(SV_END, fake_handle, 0);
        ok(SV_DROP, fake_handle, 0);
    } else {
        assert_int_equal(status, SV_BAD_IMAGE);
        assert_int_not_equal(fault, 0);
    }
    assert_int_equal(frames_free(), before);
    ok(SV_DROP, program, 0);
    return fault;
}

#define refused(why)                                                                                                   \
    do {                                                                                                               \
        assert_int_equal(fault_of(), why);                                                                             \
        fake_program(file);                                                                                            \
    } while (0)

static void test_relocations(void **state)
{
    (void)state;
    struct region *r = region_at(fake_task()->entry);
    uintptr_t data[4], at = r->address + 0x2000;

    assert_int_equal(fake_task()->entry, r->address + 0x1000);
    assert_true(fake_load(at, data, sizeof(data)));
    assert_int_equal(data[0], at + 0x10);
    assert_int_equal(data[1], r->address + 0x1004);
    assert_int_equal(data[2], 0);
    assert_int_equal(data[3], 42);
    assert_int_equal(r->pages, 3); // bss comes later
    assert_true(fake_load(at + FRAME_SIZE, data, sizeof(data)));
    assert_int_equal(data[0], 0);
}

static void test_headers(void **state)
{
    (void)state;
    assert_int_equal(fault_of(), 0);
    file[0] = 0;
    refused(SV_IMAGE_NOT_ELF);
    file[4] ^= 3;
    refused(SV_IMAGE_WRONG_MACHINE);
    file[18] ^= 1;
    refused(SV_IMAGE_WRONG_MACHINE);
    file[16] = 2;
    refused(SV_IMAGE_NOT_PIE);
    file[16] = 1;
    refused(SV_IMAGE_BROKEN);
    store(word == 8 ? 54 : 42, 2, 17);
    refused(SV_IMAGE_BROKEN);
    store(word == 8 ? 56 : 44, 2, 0xffff);
    refused(SV_IMAGE_BROKEN);
    store(word == 8 ? 32 : 28, word, ~0ull);
    refused(SV_IMAGE_BROKEN);
    store(24, word, 0x2000); // the entry is no code
    refused(SV_IMAGE_BROKEN);
}

static void test_segments(void **state)
{
    (void)state;
    store(flags(2), 4, 7);
    refused(SV_IMAGE_WRITABLE_CODE);
    store(field(2, FILE_SIZE), word, 0x3000); // more than in memory
    refused(SV_IMAGE_BROKEN);
    store(field(2, OFFSET), word, ~0ull);
    refused(SV_IMAGE_BROKEN);
    store(field(2, MEMORY_SIZE), word, sizeof(sv_word) == 8 ? 1ull << 40 : 0x7fffffff);
    refused(SV_IMAGE_TOO_LARGE);
    store(field(2, ADDRESS), word, 0x40000000); // too far away
    refused(SV_IMAGE_TOO_LARGE);
    store(field(2, ADDRESS), word, 0x1800); // on the page of the code
    refused(SV_IMAGE_BROKEN);
    store(field(2, ADDRESS), word, ~(uint64_t)0xfff);
    refused(SV_IMAGE_TOO_LARGE);
    store(segment(3), 4, 3);
    refused(SV_IMAGE_NOT_PIE);
    store(segment(3), 4, 7);
    refused(SV_IMAGE_TLS);
}

// Each on a page of its own, with gaps between them; nine are one too many.
static void test_many_segments(void **state)
{
    (void)state;
    for (unsigned count = 7; count <= 9; count++) {
        store(word == 8 ? 56 : 44, 2, count);
        for (unsigned i = 3; i < count; i++) {
            store(segment(i), 4, 1);
            store(flags(i), 4, i % 2 ? 4 : 6);
            store(field(i, OFFSET), word, 0);
            store(field(i, ADDRESS), word, i * 0x4000);
            store(field(i, FILE_SIZE), word, 0x100);
            store(field(i, MEMORY_SIZE), word, 0x1800);
        }
        assert_int_equal(fault_of(), count == 9 ? SV_IMAGE_BROKEN : 0);
    }
}

static void test_dynamic(void **state)
{
    (void)state;
    const unsigned dynamic = 0x600, rela = 0x500, symbol = 0x400 + (word == 8 ? 24 : 16);

    store(dynamic, word, 1); // needs a library
    refused(SV_IMAGE_NOT_PIE);
    store(dynamic, word, 17); // the other kind of relocations
    refused(SV_IMAGE_RELOCATION);
    store(dynamic, word, 36);
    refused(SV_IMAGE_RELOCATION);
    store(dynamic + 3 * word, word, 0x900000); // they are nowhere
    refused(SV_IMAGE_BROKEN);
    store(rela, word, 0x900000); // and what they are for
    refused(SV_IMAGE_BROKEN);
    store(rela, word, ~0ull);
    refused(SV_IMAGE_BROKEN);
    store(rela + word, 1, 58); // R_RISCV_IRELATIVE
    refused(SV_IMAGE_RELOCATION);
    store(rela + word, 1, 10);
    refused(SV_IMAGE_TLS);
    store(symbol + (word == 8 ? 4 : 12), 1, 0x16);
    refused(SV_IMAGE_TLS);
    store(symbol + (word == 8 ? 4 : 12), 1, 0x1a); // found out by code
    refused(SV_IMAGE_RELOCATION);
    store(symbol + (word == 8 ? 6 : 14), 2, 0); // not there, and not weak
    refused(SV_IMAGE_RELOCATION);
}

static void test_files_that_are_cut(void **state)
{
    (void)state;
    struct image *i = archive_find("bin/target");

    for (size_t size = 0; size < 0x3000; size += size < 600 ? 13 : 997) {
        i->size = size;
        assert_int_not_equal(fault_of(), 0);
    }
}

static void test_archive(void **state)
{
    (void)state;
    assert_non_null(archive_find("init"));
    assert_null(archive_find("a-name-that-is-just-too-long-for-us"));
    assert_int_equal(objects_count[SV_TYPE_IMAGE], 2);
    assert_true(fake_store(scratch, "none", 4));
    assert_int_equal(call(SV_OPEN, archive, scratch, 4), SV_NOT_FOUND);
    assert_int_equal(call(SV_OPEN, archive, scratch, 0), SV_NOT_FOUND);
    assert_int_equal(call(SV_OPEN, archive, scratch, SV_NAME_SIZE), SV_NOT_FOUND);
    assert_int_equal(call(SV_OPEN, archive, 16, 4), SV_FAULT);
}

static void test_archives_that_are_broken(void **state)
{
    (void)state;
    uint8_t files[1024];
    size_t size = 0, at = 0;
    struct archive_file found;

    fake_archive_add(files, &size, "one", "1234567", 7);
    fake_archive_add(files, &size, "two", "x", 1);
    fake_archive_end(files, &size);
    assert_true(archive_next(files, size, &at, &found));
    assert_string_equal(found.name, "one");
    assert_int_equal(found.size, 7);
    assert_memory_equal(found.data, "1234567", 7);
    assert_true(archive_next(files, size, &at, &found));
    assert_false(archive_next(files, size, &at, &found));
    for (size_t cut = 0; cut < 123; cut++) {
        at = 0;
        assert_false(archive_next(files, cut, &at, &found));
    }
    files[6 + 6 * 8] = 'f'; // a size of 4 GiB
    at = 0;
    assert_false(archive_next(files, size, &at, &found));
    files[6 + 6 * 8] = 'g';
    assert_false(archive_next(files, size, &at, &found));
}

static void test_start_arguments(void **state)
{
    (void)state;
    struct sv_handle program = image("init");
    struct sv_start good = {.frames = frames, .frame_count = 100}, s;
    uint64_t before = frames_free();

#define answers(status)                                                                                                \
    do {                                                                                                               \
        assert_true(fake_store(scratch, &s, sizeof(s)));                                                               \
        assert_int_equal(call(SV_START, program, scratch), status);                                                    \
        fake_check();                                                                                                  \
        assert_int_equal(frames_free(), before);                                                                       \
        s = good;                                                                                                      \
    } while (0)
    s = good;
    s.flags = 1;
    answers(SV_INVALID);
    s.grant_count = SV_GRANTS_MAX + 1;
    answers(SV_INVALID);
    s.grant_count = 1;
    answers(SV_FAULT);
    s.grant_count = 1;
    s.grants = scratch + 2048; // a handle of 0
    answers(SV_BAD_HANDLE);
    s.frames.word[0] ^= 1;
    answers(SV_BAD_HANDLE);
    s.frames = self;
    answers(SV_BAD_TYPE);
    s.stack_size = 0xffffffff;
    answers(SV_INVALID);
    s.stack_size = SV_REGION_MAX / 4;
    answers(SV_NO_MEMORY);
    s.frame_count = 1;
    answers(SV_NO_MEMORY);
    s.frame_count = 0xffffffff;
    answers(SV_NO_MEMORY);
    assert_int_equal(call(SV_START, program, 16), SV_FAULT);
}

static void test_all_that_is_left(void **state)
{
    (void)state;
    struct sv_handle program = image("init");

    assert_int_equal(start(program, 0, (struct sv_handle){{0}}, false), SV_OK);
    assert_int_equal(funds_left(fake_task()->funds), 0);
    ok(SV_END, fake_handle, 0);
    fake_check();
}

int main(void)
{
#undef test
#define test(name) cmocka_unit_test_setup_teardown(name, setup_target, teardown)
    const struct CMUnitTest tests[] = {
        test(test_relocations),     test(test_headers),
        test(test_segments),        test(test_many_segments),
        test(test_dynamic),         test(test_files_that_are_cut),
        test(test_archive),         test(test_archives_that_are_broken),
        test(test_start_arguments), test(test_all_that_is_left),
    };
    (void)setup;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
