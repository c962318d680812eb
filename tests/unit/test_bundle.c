// sources: hypervisor/capsule/bundle.c libfdt bearssl
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "bundle.h"
#include "dts.h"

// SHA-256 of "abc", from FIPS 180-2.
#define ABC_HASH "ba 78 16 bf 8f 01 cf ea 41 41 40 de 5d ae 22 23 b0 03 61 a3 96 17 7a 9c b4 10 ff 61 f2 00 15 ad"

#define IMAGE(name, data, hash)                                                                                        \
    name " { type = \"kernel\"; arch = \"riscv\"; os = \"linux\"; compression = \"none\"; data = [" data "]; "         \
         "hash-1 { algo = \"sha256\"; value = [" hash "]; }; };"

#define IMAGES "images { " IMAGE("kernel-1", "61 62 63", ABC_HASH) IMAGE("ramdisk-1", "64 65", ABC_HASH) " };"

#define CONFIG(name, more) name " { kernel = \"kernel-1\"; memory = <0 0x4000000>; vcores = <2>; " more "};"

static struct bundle bundle;
static struct bundle_error why;
static void *blob;
static size_t blob_size;

static int blob_drop(void **state)
{
    (void)state;
    free(blob);
    blob = NULL;
    return 0;
}

// Into memory of just its size, so that the sanitizer sees what reads beyond it.
static void blob_set(const void *data, size_t size)
{
    free(blob);
    blob = aligned_alloc(8, (size + 7) & ~(size_t)7);
    memcpy(blob, data, size);
    blob_size = size;
}

static enum status open_blob(void)
{
    memset(&why, 0, sizeof(why));
    memset(&bundle, 0xa5, sizeof(bundle));
    return bundle_open(blob, blob_size, &bundle, &why);
}

static enum status open_text(const char *images, const char *configurations)
{
    char text[16384];
    snprintf(text, sizeof(text), "/dts-v1/; / { description = \"test\"; %s %s };", images, configurations);
    void *fdt = dts_text(text);
    blob_set(fdt, fdt_totalsize(fdt));
    free(fdt);
    return open_blob();
}

static enum status open_configs(const char *configs)
{
    char text[16384];
    snprintf(text, sizeof(text), "configurations { default = \"x\"; %s };", configs);
    return open_text(IMAGES, text);
}

static void assert_refused(enum status status, const char *field, const char *text)
{
    assert_int_equal(status, STATUS_INVALID);
    assert_string_equal(why.capsule, "");
    assert_string_equal(why.field, field);
    assert_non_null(strstr(why.text, text));
}

static void assert_capsule_bad(size_t index, const char *field, const char *text)
{
    const struct bundle_capsule *c = &bundle.capsules[index];
    assert_in_range(index, 0, bundle.count - 1);
    assert_int_equal(c->status, STATUS_INVALID);
    assert_string_equal(c->error.capsule, c->name);
    assert_string_equal(c->error.field, field);
    assert_non_null(strstr(c->error.text, text));
}

static void width(void **state)
{
    bool is_64 = sizeof(uintptr_t) == 8;
    (void)state;
    assert_int_equal(open_configs(is_64 ? "xlen = <64>; " CONFIG("a", "") : "xlen = <32>; " CONFIG("a", "")),
                     STATUS_OK);
    assert_refused(open_configs(is_64 ? "xlen = <32>; " CONFIG("a", "") : "xlen = <64>; " CONFIG("a", "")), "bundle",
                   "other width");
    assert_refused(open_configs(is_64 ? "xlen = <0 64>; " CONFIG("a", "") : "xlen = <0 32>; " CONFIG("a", "")),
                   "bundle", "other width");
}

// One capsule with these properties is refused; the one beside it is not.
static void assert_properties_bad(const char *properties, const char *field, const char *text)
{
    char configs[16384];
    snprintf(configs, sizeof(configs), "bad { %s }; %s", properties, CONFIG("good", ""));
    assert_int_equal(open_configs(configs), STATUS_OK);
    assert_int_equal(bundle.count, 2);
    assert_string_equal(bundle.capsules[0].name, "bad");
    assert_capsule_bad(0, field, text);
    assert_int_equal(bundle.capsules[1].status, STATUS_OK);
}

// ---- Good ones ----

static void all_is_read(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("web-1", "ramdisk = \"ramdisk-1\"; bootargs = \"console=ttyS0\"; isolation = "
                                                  "\"pmp\"; restart = \"on-crash\"; description = \"x\"; ")),
                     STATUS_OK);
    assert_int_equal(bundle.count, 1);
    const struct bundle_capsule *c = &bundle.capsules[0];
    assert_int_equal(c->status, STATUS_OK);
    assert_string_equal(c->name, "web-1");
    assert_int_equal(c->kernel.size, 3);
    assert_memory_equal(c->kernel.data, "abc", 3);
    assert_int_equal(c->ramdisk.size, 2);
    assert_memory_equal(c->ramdisk.data, "de", 2);
    assert_string_equal(c->bootargs, "console=ttyS0");
    assert_int_equal(c->memory, 0x4000000);
    assert_int_equal(c->vcores, 2);
    assert_int_equal(c->isolation, BUNDLE_ISOLATION_PMP);
    assert_int_equal(c->restart, BUNDLE_RESTART_ON_CRASH);
    assert_false(c->verified);
}

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", "")), STATUS_OK);
    const struct bundle_capsule *c = &bundle.capsules[0];
    assert_null(c->ramdisk.data);
    assert_string_equal(c->bootargs, "");
    assert_int_equal(c->isolation, BUNDLE_ISOLATION_AUTO);
    assert_int_equal(c->restart, BUNDLE_RESTART_NEVER);
    assert_int_equal(c->weight, BUNDLE_WEIGHT_DEFAULT);
    assert_true(!c->cap && !c->affinity && !c->exclusive && !c->rights);
    assert_true(!c->quota.memory && !c->quota.vcores && !c->quota.capsules);
}

static void limits(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", "weight = <1000>; cap = <6400>; affinity = <0x80000000 5>; exclusive; "
                                              "rights = <3>; quota-memory = <1 0>; quota-vcores = <0xffffffff>; "
                                              "quota-capsules = <7>; ")),
                     STATUS_OK);
    const struct bundle_capsule *c = &bundle.capsules[0];
    assert_int_equal(c->status, STATUS_OK);
    assert_int_equal(c->weight, 1000);
    assert_int_equal(c->cap, 6400);
    assert_true(c->affinity == UINT64_C(0x8000000000000005) && c->exclusive);
    assert_int_equal(c->rights, BUNDLE_RIGHT_MANAGE | BUNDLE_RIGHT_CONSOLE);
    assert_true(c->quota.memory == UINT64_C(1) << 32);
    assert_int_equal(c->quota.vcores, UINT32_MAX);
    assert_int_equal(c->quota.capsules, 7);
}

static void capsules_keep_their_order(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("z", "isolation = \"auto\"; restart = \"never\"; ")
                                      CONFIG("a", "isolation = \"gstage\"; restart = \"always\"; ")),
                     STATUS_OK);
    assert_int_equal(bundle.count, 2);
    assert_string_equal(bundle.capsules[0].name, "z");
    assert_int_equal(bundle.capsules[0].isolation, BUNDLE_ISOLATION_AUTO);
    assert_string_equal(bundle.capsules[1].name, "a");
    assert_int_equal(bundle.capsules[1].isolation, BUNDLE_ISOLATION_GSTAGE);
    assert_int_equal(bundle.capsules[1].restart, BUNDLE_RESTART_ALWAYS);
}

static void longest_of_all(void **state)
{
    (void)state;
    char config[8192], bootargs[BUNDLE_BOOTARGS_MAX];
    memset(bootargs, 'x', sizeof(bootargs));
    bootargs[BUNDLE_BOOTARGS_MAX - 1] = 0;
    snprintf(config, sizeof(config),
             "abcdefghijklmnopqrstuvwxyz-0123 { kernel = \"kernel-1\"; memory = <0x100 0>; vcores = <64>; bootargs = "
             "\"%s\"; };",
             bootargs);
    assert_int_equal(open_configs(config), STATUS_OK);
    const struct bundle_capsule *c = &bundle.capsules[0];
    assert_int_equal(c->status, STATUS_OK);
    assert_string_equal(c->name, "abcdefghijklmnopqrstuvwxyz-0123");
    assert_int_equal(c->memory, UINT64_C(1) << 40);
    assert_int_equal(c->vcores, 64);
    assert_int_equal(strlen(c->bootargs), BUNDLE_BOOTARGS_MAX - 1);
}

// ---- Bad capsules ----

#define SIZES "memory = <0 0x400000>; vcores = <1>; "
#define KERNEL "kernel = \"kernel-1\"; "

static void bad_images(void **state)
{
    (void)state;
    assert_properties_bad(SIZES, "kernel", "must be the name");
    assert_properties_bad(SIZES "kernel = <1>; ", "kernel", "must be the name");
    assert_properties_bad(SIZES "kernel = \"kernel-1\", \"x\"; ", "kernel", "must be the name");
    assert_properties_bad(SIZES "kernel; ", "kernel", "must be the name");
    assert_properties_bad(SIZES "kernel = \"kernel-2\"; ", "kernel", "holds no image");
    assert_properties_bad(SIZES KERNEL "ramdisk = \"\"; ", "ramdisk", "holds no image");
    assert_properties_bad(SIZES KERNEL "ramdisk = [61]; ", "ramdisk", "must be the name");
}

static void bad_sizes(void **state)
{
    (void)state;
    assert_properties_bad(KERNEL "vcores = <1>;", "memory", "must be a 64-bit");
    assert_properties_bad(KERNEL "vcores = <1>; memory = <0x400000>;", "memory", "must be a 64-bit");
    assert_properties_bad(KERNEL "vcores = <1>; memory = <0 0>;", "memory", "must be");
    assert_properties_bad(KERNEL "vcores = <1>; memory = <0 0x300000>;", "memory", "multiple");
    assert_properties_bad(KERNEL "memory = <0 0x400000>;", "vcores", "from 1 to 64");
    assert_properties_bad(KERNEL "memory = <0 0x400000>; vcores = <0>;", "vcores", "from 1 to 64");
    assert_properties_bad(KERNEL "memory = <0 0x400000>; vcores = <65>;", "vcores", "from 1 to 64");
    assert_properties_bad(KERNEL "memory = <0 0x400000>; vcores = <0 1>;", "vcores", "32-bit");
}

static void bad_words(void **state)
{
    (void)state;
    assert_properties_bad(SIZES KERNEL "isolation = \"none\";", "isolation", "auto, gstage or pmp");
    assert_properties_bad(SIZES KERNEL "isolation = \"\";", "isolation", "auto");
    assert_properties_bad(SIZES KERNEL "isolation;", "isolation", "auto");
    assert_properties_bad(SIZES KERNEL "restart = \"sometimes\";", "restart", "never");
    assert_properties_bad(SIZES KERNEL "restart = <1>;", "restart", "never");
    assert_properties_bad(SIZES KERNEL "bootargs = [61 62];", "bootargs", "must be a text");
}

static void bad_limits(void **state)
{
    (void)state;
    assert_properties_bad(SIZES KERNEL "weight = <0>;", "weight", "from 1 to 1000");
    assert_properties_bad(SIZES KERNEL "weight = <1001>;", "weight", "from 1 to 1000");
    assert_properties_bad(SIZES KERNEL "weight = <0 100>;", "weight", "32-bit");
    assert_properties_bad(SIZES KERNEL "weight;", "weight", "32-bit");
    assert_properties_bad(SIZES KERNEL "cap = <6401>;", "cap", "at most 6400");
    assert_properties_bad(SIZES KERNEL "cap = \"1\";", "cap", "32-bit");
    assert_properties_bad(SIZES KERNEL "rights = <4>;", "rights", "sum of 1 and 2");
    assert_properties_bad(SIZES KERNEL "quota-vcores;", "quota-vcores", "32-bit");
    assert_properties_bad(SIZES KERNEL "quota-capsules = <0 1>;", "quota-capsules", "32-bit");
    assert_properties_bad(SIZES KERNEL "quota-memory = <1>;", "quota-memory", "64-bit");
    assert_properties_bad(SIZES KERNEL "affinity = <1>;", "affinity", "64-bit");
    assert_properties_bad(SIZES KERNEL "affinity = <0 0>; exclusive;", "affinity", "not 0");
    assert_properties_bad(SIZES KERNEL "exclusive;", "affinity", "not 0");
}

#define VSOCK(properties) "device-0 { type = \"vsock\"; " properties " };"

static void sockets(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", VSOCK("groups = <0x80000001>; cid = <3>;")) CONFIG("b", VSOCK(""))),
                     STATUS_OK);
    const struct bundle_device *a = bundle.capsules[0].devices, *b = bundle.capsules[1].devices;
    assert_int_equal(bundle.capsules[0].status, STATUS_OK);
    assert_int_equal(a->kind, BUNDLE_DEVICE_VSOCK);
    assert_true(a->groups == 0x80000001u && a->cid == 3);
    assert_true(b->kind == BUNDLE_DEVICE_VSOCK && !b->groups && !b->cid);
    assert_properties_bad(SIZES KERNEL VSOCK("cid = <2>;"), "cid", "from 3 to 65535");
    assert_properties_bad(SIZES KERNEL VSOCK("cid = <65536>;"), "cid", "from 3 to 65535");
    assert_properties_bad(SIZES KERNEL VSOCK("cid = <0 7>;"), "cid", "32-bit");
    assert_properties_bad(SIZES KERNEL VSOCK("groups;"), "groups", "32-bit");
    assert_properties_bad(SIZES KERNEL "device-0 { type = \"console\"; }; device-1 { type = \"console\"; };", "device",
                          "more than one console");
    assert_properties_bad(SIZES KERNEL "device-0 { type = \"sound\"; };", "device", "net, vsock, balloon or console");
}

// Also where no capsule is on it: some may be made later.
static void switch_with_uplink(void **state)
{
    (void)state;
    struct bundle_device device = {0};
    const char *configurations = "configurations { " CONFIG("one", "") " };";
    assert_int_equal(open_text(IMAGES "switches { lan { }; };", configurations), STATUS_OK);
    assert_false(bundle.wants_uplink);
    assert_int_equal(open_text(IMAGES "switches { lan { }; wan { uplink; }; };", configurations), STATUS_OK);
    assert_true(bundle.wants_uplink);
    assert_int_equal(bundle_switch_find(&bundle, "lan", &device), STATUS_OK);
    assert_false(device.has_uplink);
    assert_int_equal(bundle_switch_find(&bundle, "wan", &device), STATUS_OK);
    assert_true(device.has_uplink && !strcmp(device.name, "wan"));
    assert_int_equal(bundle_switch_find(&bundle, "man", &device), STATUS_NOT_FOUND);
}

static void too_long_bootargs(void **state)
{
    (void)state;
    char properties[8192] = SIZES KERNEL "bootargs = \"";
    size_t length = strlen(properties);
    memset(properties + length, 'x', BUNDLE_BOOTARGS_MAX);
    strcpy(properties + length + BUNDLE_BOOTARGS_MAX, "\";");
    assert_properties_bad(properties, "bootargs", "at most 2047");
}

static void bad_names(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("Upper.Case", "") CONFIG("abcdefghijklmnopqrstuvwxyz-01234", "")
                                      CONFIG("twice", "") CONFIG("good", "")),
                     STATUS_OK);
    assert_int_equal(bundle.count, 4);
    assert_string_equal(bundle.capsules[0].name, "?pper??ase");
    assert_capsule_bad(0, "name", "1 to 31");
    assert_string_equal(bundle.capsules[1].name, "abcdefghijklmnopqrstuvwxyz-0123");
    assert_capsule_bad(1, "name", "1 to 31");
    assert_int_equal(bundle.capsules[3].status, STATUS_OK);
}

static void names_given_twice(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("one", "") CONFIG("two", "")), STATUS_OK);
    // dtc does not let two nodes have one name.
    for (char *at = blob; at < (char *)blob + blob_size - 4; at++)
        if (!memcmp(at, "two", 4))
            memcpy(at, "one", 4);
    assert_int_equal(open_blob(), STATUS_OK);
    assert_int_equal(bundle.count, 2);
    assert_int_equal(bundle.capsules[0].status, STATUS_OK);
    assert_capsule_bad(1, "name", "another capsule's");
}

static void image_that_can_not_be_used(const char *properties, const char *text)
{
    char images[1024];
    snprintf(images, sizeof(images), "images { kernel-1 { %s }; };", properties);
    assert_int_equal(open_text(images, "configurations { " CONFIG("a", "") "};"), STATUS_OK);
    assert_capsule_bad(0, "kernel", text);
}

static void images_that_can_not_be_used(void **state)
{
    (void)state;
    image_that_can_not_be_used("", "empty");
    image_that_can_not_be_used("data;", "empty");
    image_that_can_not_be_used("data-offset = <0>; data-size = <16>;", "outside");
    image_that_can_not_be_used("data-position = <0>; data-size = <16>;", "outside");
    image_that_can_not_be_used("data = [00]; compression = \"gzip\";", "compressed");
    image_that_can_not_be_used("data = [00]; arch = \"arm64\";", "architecture");
}

// ---- Bad bundles ----

static void no_bundle(void **state)
{
    (void)state;
    blob_set("abcd", 4);
    assert_refused(open_blob(), "bundle", "too small");
    char zeros[64] = {0};
    blob_set(zeros, sizeof(zeros));
    assert_refused(open_blob(), "bundle", "no FIT image");
    assert_int_equal(bundle_open((char *)blob + 4, 60, &bundle, &why), STATUS_INVALID);
    assert_refused(open_text("", ""), "bundle", "no FIT image");
    assert_refused(open_text(IMAGES, ""), "bundle", "no FIT image");
    assert_refused(open_text(IMAGES, "configurations { };"), "bundle", "no capsule");
    assert_int_equal(bundle.count, 0);
}

static void every_truncation_is_seen(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", "ramdisk = \"ramdisk-1\"; ")), STATUS_OK);
    size_t whole = blob_size;
    char *copy = malloc(whole);
    memcpy(copy, blob, whole);
    for (size_t size = 0; size < whole; size++) {
        blob_set(copy, size);
        assert_int_equal(open_blob(), STATUS_INVALID);
    }
    blob_set(copy, whole);
    assert_int_equal(open_blob(), STATUS_OK);
    free(copy);
}

// Whatever one byte is changed to, it ends in a sound answer (and no report of the sanitizers).
static void any_byte_may_be_wrong(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", "ramdisk = \"ramdisk-1\"; bootargs = \"x\"; ")), STATUS_OK);
    for (size_t at = 0; at < blob_size; at++) {
        static const uint8_t masks[] = {0x01, 0x80, 0xff};
        for (size_t i = 0; i < array_length(masks); i++) {
            uint8_t *byte = (uint8_t *)blob + at;
            *byte ^= masks[i];
            if (open_blob() == STATUS_OK)
                assert_in_range(bundle.count, 1, 2);
            else
                assert_non_null(why.text);
            *byte ^= masks[i];
        }
    }
}

static void more_capsules_than_fit(void **state)
{
    (void)state;
    char configs[16384] = "";
    for (unsigned i = 0; i < BUNDLE_CAPSULES_MAX; i++)
        sprintf(configs + strlen(configs), CONFIG("c%u", ""), i);
    assert_int_equal(open_configs(configs), STATUS_OK);
    assert_int_equal(bundle.count, BUNDLE_CAPSULES_MAX);
    assert_int_equal(bundle.capsules[BUNDLE_CAPSULES_MAX - 1].status, STATUS_OK);
    strcat(configs, CONFIG("one-more", ""));
    assert_refused(open_configs(configs), "bundle", "more than 64");
}

// ---- Verifying ----

static void good_hash(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", "")), STATUS_OK);
    assert_int_equal(bundle_verify(&bundle, &bundle.capsules[0]), STATUS_OK);
    assert_true(bundle.capsules[0].verified);
}

static void wrong_hash(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", "ramdisk = \"ramdisk-1\"; ") CONFIG("b", "")), STATUS_OK);
    assert_int_equal(bundle_verify(&bundle, &bundle.capsules[0]), STATUS_INVALID);
    assert_capsule_bad(0, "ramdisk", "damaged");
    assert_false(bundle.capsules[0].verified);
    assert_int_equal(bundle_verify(&bundle, &bundle.capsules[0]), STATUS_INVALID);
    assert_int_equal(bundle_verify(&bundle, &bundle.capsules[1]), STATUS_OK);
}

static void shared_images_are_looked_at_once(void **state)
{
    (void)state;
    assert_int_equal(open_configs(CONFIG("a", "") CONFIG("b", "")), STATUS_OK);
    assert_int_equal(bundle_verify(&bundle, &bundle.capsules[0]), STATUS_OK);
    ((char *)blob)[(const char *)bundle.capsules[0].kernel.data - (char *)blob] ^= 1; // it does not look again
    assert_int_equal(bundle_verify(&bundle, &bundle.capsules[1]), STATUS_OK);
}

static void no_hash(void **state)
{
    (void)state;
    static const char *const images[] = {
        "images { kernel-1 { data = [00]; }; };",
        "images { kernel-1 { data = [00]; hash-1 { algo = \"crc32\"; value = <1>; }; }; };",
        "images { kernel-1 { data = [00]; hash-1 { algo = \"sha256\"; value = <1>; }; }; };",
        "images { kernel-1 { data = [00]; hash-1 { algo = \"sha256\"; }; }; };",
    };
    for (size_t i = 0; i < array_length(images); i++) {
        assert_int_equal(open_text(images[i], "configurations { " CONFIG("a", "") "};"), STATUS_OK);
        assert_int_equal(bundle.capsules[0].status, STATUS_OK);
        assert_int_equal(bundle_verify(&bundle, &bundle.capsules[0]), STATUS_INVALID);
        assert_capsule_bad(0, "kernel", "no SHA-256");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, blob_drop)
    const struct CMUnitTest tests[] = {
        TEST(all_is_read),
        TEST(defaults),
        TEST(limits),
        TEST(capsules_keep_their_order),
        TEST(longest_of_all),
        TEST(width),
        TEST(bad_images),
        TEST(bad_sizes),
        TEST(bad_words),
        TEST(bad_limits),
        TEST(sockets),
        TEST(switch_with_uplink),
        TEST(too_long_bootargs),
        TEST(bad_names),
        TEST(names_given_twice),
        TEST(images_that_can_not_be_used),
        TEST(no_bundle),
        TEST(every_truncation_is_seen),
        TEST(any_byte_may_be_wrong),
        TEST(more_capsules_than_fit),
        TEST(good_hash),
        TEST(wrong_hash),
        TEST(shared_images_are_looked_at_once),
        TEST(no_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
