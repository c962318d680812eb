#include "bundle.h"

#include <bearssl_hash.h>
#include <libfdt.h>
#include <string.h>

#include "bits.h"

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

// Where reading stands.
struct reader {
    const void *fdt;
    int images; // the node that holds them
    int node;   // the capsule's
    struct bundle_capsule *capsule;
};

// ---- Errors ----

static enum status bundle_fail(struct bundle_error *why, const char *field, const char *text)
{
    *why = (struct bundle_error){.field = field, .text = text};
    return STATUS_INVALID;
}

// Always false, so that reading stops.
static bool capsule_fail(struct bundle_capsule *capsule, const char *field, const char *text)
{
    capsule->status = STATUS_INVALID;
    memcpy(capsule->error.capsule, capsule->name, sizeof(capsule->name));
    capsule->error.field = field;
    capsule->error.text = text;
    return false;
}

// ---- Properties ----

// The whole property as one string; null if it is missing or does not end where it should.
static const char *string_read(const void *fdt, int node, const char *name)
{
    int length;
    const char *text = fdt_getprop(fdt, node, name, &length);
    return text && length > 0 && !memchr(text, 0, (size_t)length - 1) && !text[length - 1] ? text : NULL;
}

static bool property_present(const void *fdt, int node, const char *name)
{
    return fdt_getprop(fdt, node, name, NULL) != NULL;
}

// Null if the property is missing or has another size.
static const void *sized_read(const void *fdt, int node, const char *name, int size)
{
    int length;
    const void *data = fdt_getprop(fdt, node, name, &length);
    return data && length == size ? data : NULL;
}

// Which of `words`, each with its zero, an empty one at the end; negative if none.
static int word_find(const char *words, const char *text, size_t length)
{
    for (int index = 0; *words; index++, words += strlen(words) + 1)
        if (strlen(words) == length && !memcmp(words, text, length))
            return index;
    return -1;
}

bool bundle_isolation_parse(const char *text, size_t length, enum bundle_isolation *isolation)
{
    int word = word_find("auto\0gstage\0pmp\0", text, length);
    if (word >= 0)
        *isolation = (enum bundle_isolation)word;
    return word >= 0;
}

// ---- Images ----

static const uint8_t *hash_find(const void *fdt, int image)
{
    int node;
    fdt_for_each_subnode(node, fdt, image)
    {
        const char *algorithm = string_read(fdt, node, "algo");
        if (algorithm && !strcmp(algorithm, "sha256"))
            return sized_read(fdt, node, "value", br_sha256_SIZE);
    }
    return NULL;
}

// Null if the image can be used.
static const char *image_check(const void *fdt, int node)
{
    const char *compression = string_read(fdt, node, "compression");
    const char *arch = string_read(fdt, node, "arch");
    if (property_present(fdt, node, "data-offset") || property_present(fdt, node, "data-position"))
        return "its image lies outside the bundle's tree: pack it with 'dio pack', or mkimage without -E";
    if (compression && strcmp(compression, "none"))
        return "its image is compressed: pack it with 'dio pack', which decompresses";
    if (arch && strcmp(arch, "riscv"))
        return "its image is for another architecture than riscv";
    return NULL;
}

// The image that property `field` of the capsule names.
static bool image_read(const struct reader *r, const char *field, struct bundle_image *image)
{
    const char *name = string_read(r->fdt, r->node, field);
    if (!name)
        return capsule_fail(r->capsule, field, "is no text: give the name of an image");
    int node = fdt_subnode_offset(r->fdt, r->images, name);
    if (node < 0)
        return capsule_fail(r->capsule, field, "names an image that the bundle does not hold");
    const char *problem = image_check(r->fdt, node);
    if (problem)
        return capsule_fail(r->capsule, field, problem);
    int length;
    image->data = fdt_getprop(r->fdt, node, "data", &length);
    if (!image->data || length <= 0)
        return capsule_fail(r->capsule, field, "its image is empty or has no data");
    image->size = (size_t)length;
    image->sha256 = hash_find(r->fdt, node);
    return true;
}

static bool images_read(const struct reader *r)
{
    if (!property_present(r->fdt, r->node, "kernel"))
        return capsule_fail(r->capsule, "kernel", "is missing: every capsule needs one");
    return image_read(r, "kernel", &r->capsule->kernel) &&
           (!property_present(r->fdt, r->node, "ramdisk") || image_read(r, "ramdisk", &r->capsule->ramdisk));
}

// ---- Capsules ----

static bool bootargs_read(const struct reader *r)
{
    if (!property_present(r->fdt, r->node, "bootargs"))
        return true;
    const char *text = string_read(r->fdt, r->node, "bootargs");
    if (!text)
        return capsule_fail(r->capsule, "bootargs", "is no text");
    if (strlen(text) >= BUNDLE_BOOTARGS_MAX)
        return capsule_fail(r->capsule, "bootargs", "is longer than 2047 characters");
    r->capsule->bootargs = text;
    return true;
}

static bool memory_read(const struct reader *r)
{
    const void *data = sized_read(r->fdt, r->node, "memory", sizeof(uint64_t));
    if (!data)
        return capsule_fail(r->capsule, "memory", "is missing or no 64-bit number of bytes");
    r->capsule->memory = fdt64_ld(data);
    if (!r->capsule->memory)
        return capsule_fail(r->capsule, "memory", "is zero: a capsule needs memory");
    if (!is_aligned(r->capsule->memory, BUNDLE_MEMORY_UNIT))
        return capsule_fail(r->capsule, "memory", "is no multiple of 2 MiB (RV64) or 4 MiB (RV32)");
    return true;
}

static bool vcores_read(const struct reader *r)
{
    const void *data = sized_read(r->fdt, r->node, "vcores", sizeof(uint32_t));
    if (!data)
        return capsule_fail(r->capsule, "vcores", "is missing or no 32-bit number");
    r->capsule->vcores = fdt32_ld(data);
    if (!r->capsule->vcores || r->capsule->vcores > BUNDLE_VCORES_MAX)
        return capsule_fail(r->capsule, "vcores", "must be from 1 to 64");
    return true;
}

// Missing means the default.
static bool policies_read(const struct reader *r)
{
    struct bundle_capsule *c = r->capsule;
    const char *isolation = string_read(r->fdt, r->node, "isolation");
    if (property_present(r->fdt, r->node, "isolation") &&
        (!isolation || !bundle_isolation_parse(isolation, strlen(isolation), &c->isolation)))
        return capsule_fail(c, "isolation", "must be auto, gstage or pmp");
    const char *restart = string_read(r->fdt, r->node, "restart");
    if (!property_present(r->fdt, r->node, "restart"))
        return true;
    int word = restart ? word_find("never\0on-crash\0always\0", restart, strlen(restart)) : -1;
    if (word < 0)
        return capsule_fail(c, "restart", "must be never, on-crash or always");
    c->restart = (enum bundle_restart)word;
    return true;
}

// Takes over the name, or as much of it as can be shown.
static bool name_read(const struct reader *r)
{
    int length;
    const char *name = fdt_get_name(r->fdt, r->node, &length);
    bool good = name && length > 0 && length < CAPSULE_NAME_SIZE;
    for (int i = 0; name && i < length && i < CAPSULE_NAME_SIZE - 1; i++) {
        good = good && is_name_char(name[i]);
        r->capsule->name[i] = is_name_char(name[i]) ? name[i] : '?';
    }
    return good || capsule_fail(r->capsule, "name", "must be 1 to 31 characters from a-z, 0-9 and -");
}

static bool name_is_new(const struct reader *r, const struct bundle *bundle)
{
    for (const struct bundle_capsule *other = bundle->capsules; other != r->capsule; other++)
        if (!strcmp(other->name, r->capsule->name))
            return capsule_fail(r->capsule, "name", "is another capsule's already: give each its own");
    return true;
}

static void capsule_read(const struct reader *r, const struct bundle *bundle)
{
    *r->capsule = (struct bundle_capsule){.status = STATUS_OK, .bootargs = ""};
    if (name_read(r) && name_is_new(r, bundle) && images_read(r) && bootargs_read(r) && memory_read(r) &&
        vcores_read(r))
        (void)policies_read(r);
}

static enum status capsules_read(struct reader *r, int configurations, struct bundle *bundle, struct bundle_error *why)
{
    fdt_for_each_subnode(r->node, r->fdt, configurations)
    {
        if (bundle->count == BUNDLE_CAPSULES_MAX)
            return bundle_fail(why, "configurations", "there are more than 64 capsules in the bundle");
        r->capsule = &bundle->capsules[bundle->count];
        capsule_read(r, bundle);
        bundle->count++;
    }
    return bundle->count ? STATUS_OK : bundle_fail(why, "configurations", "there is no capsule in the bundle");
}

// ---- The bundle ----

static const char *blob_check(const void *blob, size_t size)
{
    if (size < sizeof(struct fdt_header) || (uintptr_t)blob % 8)
        return "is too small to be one, or lies at an address that is no multiple of 8";
    if (fdt_magic(blob) != FDT_MAGIC)
        return "is no FIT image: make it with 'dio pack'";
    if (fdt_totalsize(blob) > size)
        return "is cut short: the loader must pass all of it in linux,initrd-start/end";
    if (fdt_off_dt_struct(blob) % 4 || fdt_off_mem_rsvmap(blob) % 8 || fdt_check_full(blob, size))
        return "is damaged: make it anew with 'dio pack'";
    return NULL;
}

enum status bundle_open(const void *blob, size_t size, struct bundle *bundle, struct bundle_error *why)
{
    bundle->count = 0;
    const char *problem = blob_check(blob, size);
    if (problem)
        return bundle_fail(why, "bundle", problem);
    struct reader r = {.fdt = blob, .images = fdt_path_offset(blob, "/images")};
    int configurations = fdt_path_offset(blob, "/configurations");
    if (r.images < 0)
        return bundle_fail(why, "images", "the node is missing: this is a device tree, but no FIT image");
    if (configurations < 0)
        return bundle_fail(why, "configurations", "the node is missing: the bundle describes no capsule");
    return capsules_read(&r, configurations, bundle, why);
}

// ---- Verifying ----

static bool image_known_good(const struct bundle *bundle, const struct bundle_image *image)
{
    for (size_t i = 0; i < bundle->count; i++) {
        const struct bundle_capsule *c = &bundle->capsules[i];
        if (c->verified && (c->kernel.data == image->data || c->ramdisk.data == image->data))
            return true;
    }
    return false;
}

static bool image_verify(const struct bundle *bundle, struct bundle_capsule *capsule, const char *field,
                         const struct bundle_image *image)
{
    if (!image->data || image_known_good(bundle, image))
        return true;
    if (!image->sha256)
        return capsule_fail(capsule, field, "its image has no SHA-256 hash to check: pack it with 'dio pack'");
    uint8_t hash[br_sha256_SIZE];
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, image->data, image->size);
    br_sha256_out(&context, hash);
    return !memcmp(hash, image->sha256, sizeof(hash)) ||
           capsule_fail(capsule, field,
                        "its image does not have the SHA-256 hash that the bundle gives: it is damaged");
}

enum status bundle_verify(struct bundle *bundle, struct bundle_capsule *capsule)
{
    if (capsule->status != STATUS_OK)
        return capsule->status;
    capsule->verified = image_verify(bundle, capsule, "kernel", &capsule->kernel) &&
                        image_verify(bundle, capsule, "ramdisk", &capsule->ramdisk);
    return capsule->status;
}
