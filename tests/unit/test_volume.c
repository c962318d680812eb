// sources: hypervisor/drivers/volume.c hypervisor/drivers/block.c tests/unit/fake/image_disk.c
//
// Disks by name: serial numbers, partitions, labels of file systems; two that have the same; and what can't be
// believed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image_disk.h"
#include "volume.h"

#define SECTORS 400u
#define ENTRY(n) (image + 2 * BLOCK_SECTOR + 128 * (n))

static struct block_disk disks[3];
static uint8_t image[SECTORS * BLOCK_SECTOR], other[SECTORS * BLOCK_SECTOR];
static struct block_place found[2];

static int setup(void **state)
{
    (void)state;
    memset(image, 0, sizeof(image));
    memset(other, 0, sizeof(other));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    image_disks_reset();
    return 0;
}

static void put64(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void part_put(unsigned n, const char *name, uint64_t first, uint64_t last)
{
    memcpy(image + BLOCK_SECTOR, "EFI PART", 8);
    put64(image + BLOCK_SECTOR + 72, 2);
    put64(image + BLOCK_SECTOR + 80, 128 | 128ull << 32);
    memset(ENTRY(n), 0, 128);
    put64(ENTRY(n) + 32, first);
    put64(ENTRY(n) + 40, last);
    for (unsigned i = 0; name[i]; i++)
        ENTRY(n)[56 + 2 * i] = (uint8_t)name[i];
}

static void ext_put(uint8_t *at, const char *label)
{
    at[1024 + 56] = 0x53;
    at[1024 + 57] = 0xef;
    memcpy(at + 1024 + 120, label, strnlen(label, 16));
}

static void fat_put(uint8_t *at, const char *type, unsigned type_at, const char *label)
{
    at[510] = 0x55;
    at[511] = 0xaa;
    memcpy(at + type_at, type, 8);
    at[type_at - 16] = 0x29;
    memcpy(at + type_at - 11, "           ", 11);
    memcpy(at + type_at - 11, label, strlen(label));
}

static void one_disk(void)
{
    image_disk_add(&disks[0], "data", image, sizeof(image), SECTORS);
}

static void assert_found(const char *name, const struct block_disk *d, unsigned number)
{
    assert_int_equal(block_find(name, found), STATUS_OK);
    assert_ptr_equal(found[0].disk, d);
    assert_int_equal(found[0].volume->number, number);
}

static void test_whole_disk(void **state)
{
    struct block_user *u;
    (void)state;
    ext_put(image, "backup");
    one_disk();
    assert_found("data", &disks[0], 0);
    assert_found("label=backup", &disks[0], 0);
    assert_int_equal(block_find("backup", found), STATUS_NOT_FOUND); // a label is asked for as one
    assert_int_equal(block_find("name=data", found), STATUS_NOT_FOUND);
    assert_int_equal(block_find("", found), STATUS_NOT_FOUND);
    assert_int_equal(block_find("label=", found), STATUS_NOT_FOUND);
    assert_found("label=backup", &disks[0], 0);
    assert_int_equal(block_open(&found[0], false, &u), STATUS_OK);
    assert_true(u->start == 0 && u->sectors == SECTORS);
    assert_string_equal(u->name, "data");
}

static void test_partitions(void **state)
{
    struct block_user *one, *two;
    (void)state;
    part_put(1, "first", 100, 149);
    part_put(3, "second", 150, 399);
    ext_put(image + 100 * BLOCK_SECTOR, "sixteen-or-more-");
    fat_put(image + 150 * BLOCK_SECTOR, "FAT32   ", 82, "STICK");
    ext_put(image, "no"); // in the table, where an entry is that is none
    one_disk();
    assert_int_equal(block_find("label=no", found), STATUS_NOT_FOUND);
    assert_found("label=sixteen-or-more-", &disks[0], 2);
    assert_found("first", &disks[0], 2);
    assert_int_equal(block_open(&found[0], true, &one), STATUS_OK);
    assert_true(one->start == 100 && one->sectors == 50);
    assert_string_equal(one->name, "name=first");
    assert_found("label=STICK", &disks[0], 4);
    assert_found("name=second", &disks[0], 4);
    assert_int_equal(block_open(&found[0], false, &two), STATUS_OK);
    assert_true(two->start == 150 && two->sectors == 250);
    assert_found("data", &disks[0], 0);
    assert_int_equal(block_open(&found[0], true, &one), STATUS_BUSY); // the second is written to
}

static void test_labels_of_fat(void **state)
{
    (void)state;
    fat_put(image, "FAT16   ", 54, "OLD-STICK");
    one_disk();
    image_disk_add(&disks[1], "more", other, sizeof(other), SECTORS);
    assert_found("label=OLD-STICK", &disks[0], 0);
    fat_put(image, "FAT16   ", 54, "NO NAME");
    fat_put(other, "FAT12   ", 54, "FLOPPY");
    image_disks_reset();
    one_disk();
    image_disk_add(&disks[1], "more", other, sizeof(other), SECTORS);
    assert_int_equal(block_find("label=NO NAME", found), STATUS_NOT_FOUND);
    assert_found("label=FLOPPY", &disks[1], 0);
}

static void test_two_that_match(void **state)
{
    (void)state;
    part_put(0, "one", 100, 149);
    part_put(1, "one", 150, 199);
    ext_put(image + 150 * BLOCK_SECTOR, "root");
    ext_put(other, "root");
    one_disk();
    image_disk_add(&disks[1], "one", other, sizeof(other), SECTORS);
    assert_int_equal(block_find("label=root", found), STATUS_INVALID);
    assert_true(found[0].disk == &disks[0] && found[0].volume->number == 2);
    assert_true(found[1].disk == &disks[1] && found[1].volume->number == 0);
    assert_int_equal(block_find("name=one", found), STATUS_INVALID);
    assert_found("one", &disks[1], 0); // its serial number comes first
    image_disk_add(&disks[2], "one", other, sizeof(other), SECTORS);
    assert_int_equal(block_find("one", found), STATUS_INVALID);
}

static void test_what_is_not_believed(void **state)
{
    struct block_user *u;
    (void)state;
    part_put(0, "all", 0, 399);
    part_put(1, "beyond", 100, 400);
    part_put(2, "backward", 150, 149);
    part_put(3, "huge", 1, UINT64_MAX);
    part_put(4, "bell\a", 100, 149);
    part_put(5, "two words", 100, 149);
    part_put(6, "tiny", 397, 399); // too short for a label
    ext_put(image + 100 * BLOCK_SECTOR, "a\x1b[2J");
    one_disk();
    assert_int_equal(disks[0].part_count, 3);
    assert_int_equal(disks[0].parts[0].name[0] | disks[0].parts[0].label[0] | disks[0].parts[1].name[0], 0);
    assert_found("tiny", &disks[0], 7);
    disks[0].sectors = 398; // it has shrunk meanwhile
    assert_int_equal(block_open(&found[0], true, &u), STATUS_NOT_FOUND);
}

static void test_unreadable(void **state)
{
    (void)state;
    part_put(0, "one", 100, 149);
    for (unsigned errors = 1; errors < 4; errors++) {
        image_disk_errors = errors;
        one_disk();
        assert_found("data", &disks[0], 0);
        image_disks_reset();
    }
    image_disk_add(&disks[0], "none", image, sizeof(image), 0);
    image_disk_add(&disks[1], "small", image, sizeof(image), 2);
    assert_found("none", &disks[0], 0);
    assert_found("small", &disks[1], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole_disk),     TEST(test_partitions),           TEST(test_labels_of_fat),
        TEST(test_two_that_match), TEST(test_what_is_not_believed), TEST(test_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
