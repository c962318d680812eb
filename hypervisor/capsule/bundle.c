#include "bundle.h"

#include <bearssl_hash.h>
#include <libfdt.h>
#include <string.h>

#include "bits.h"

// The tree's format since 2007. libfdt need not know older ones.
#define FDT_VERSION 17u

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
static __attribute__((noinline)) bool capsule_fail(struct bundle_capsule *capsule, const char *field, const char *text)
{
    capsule->status = STATUS_INVALID;
    memcpy(capsule->error.capsule, capsule->name, sizeof(capsule->name));
    capsule->error.field = field;
    capsule->error.text = text;
    return false;
}

// ---- Properties ----

// The whole property as one string; null if it does not end where it should.
static const char *string_or(const void *fdt, int node, const char *name, const char *otherwise)
{
    int length;
    const char *text = fdt_getprop(fdt, node, name, &length);
    if (!text)
        return otherwise;
    return length > 0 && strnlen(text, (size_t)length) == (size_t)length - 1 ? text : NULL;
}

// The whole property as one number of so many bytes; 0 if it is missing or has another size.
static uint64_t number_read(const struct reader *r, const char *name, int bytes)
{
    int length;
    const uint8_t *data = fdt_getprop(r->fdt, r->node, name, &length);
    uint64_t value = 0;
    for (int i = 0; data && length == bytes && i < bytes; i++)
        value = value << 8 | data[i];
    return value;
}

// The same for what may be missing. False if it has another size.
static bool number_or(const struct reader *r, const char *name, int bytes, uint64_t *value)
{
    int length;
    bool given = fdt_getprop(r->fdt, r->node, name, &length);
    if (given)
        *value = number_read(r, name, bytes);
    return !given || length == bytes;
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
        const char *algorithm = string_or(fdt, node, "algo", NULL);
        if (!algorithm || strcmp(algorithm, "sha256"))
            continue;
        int length;
        const uint8_t *hash = fdt_getprop(fdt, node, "value", &length);
        return hash && length == br_sha256_SIZE ? hash : NULL;
    }
    return NULL;
}

static bool string_is(const void *fdt, int node, const char *name, const char *expected)
{
    const char *text = string_or(fdt, node, name, expected);
    return text && !strcmp(text, expected);
}

// Null if the image can be used.
static const char *image_read_at(const struct reader *r, int node, struct bundle_image *image)
{
    if (!string_is(r->fdt, node, "compression", "none"))
        return "the image is compressed: 'dio pack' decompresses";
    if (!string_is(r->fdt, node, "arch", "riscv"))
        return "the image is for another architecture";
    int length;
    image->data = fdt_getprop(r->fdt, node, "data", &length);
    if (!image->data || length <= 0)
        return "the image is empty or lies outside the bundle's tree: pack it with 'dio pack'";
    image->size = (size_t)length;
    image->node = node;
    return NULL;
}

static const char *image_read(const struct reader *r, const char *name, struct bundle_image *image)
{
    int node = fdt_subnode_offset(r->fdt, r->images, name);
    return node < 0 ? "the bundle holds no image of this name" : image_read_at(r, node, image);
}

enum status bundle_image_find(const struct bundle *bundle, const char *name, struct bundle_image *image)
{
    struct reader r = {.fdt = bundle->blob, .images = bundle->images};
    return image_read(&r, name, image) ? STATUS_NOT_FOUND : STATUS_OK;
}

enum status bundle_image_at(const struct bundle *bundle, unsigned n, const char **name, struct bundle_image *image,
                            bool *is_kernel)
{
    struct reader r = {.fdt = bundle->blob, .images = bundle->images};
    int node;

    fdt_for_each_subnode(node, r.fdt, r.images)
    {
        // What can't be used is passed over.
        if (image_read_at(&r, node, image) || n--)
            continue;
        *name = fdt_get_name(r.fdt, node, NULL);
        *is_kernel = string_or(r.fdt, node, "type", NULL) && string_is(r.fdt, node, "type", "kernel");
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

// The image that property `field` of the capsule names; none if it is missing and not needed.
static bool image_find(const struct reader *r, const char *field, const char *otherwise, struct bundle_image *image)
{
    const char *name = string_or(r->fdt, r->node, field, otherwise);
    if (name && name == otherwise)
        return true;
    const char *problem = name ? image_read(r, name, image) : "must be the name of an image";
    return !problem || capsule_fail(r->capsule, field, problem);
}

// ---- Capsules ----

static bool bootargs_read(const struct reader *r)
{
    const char *text = string_or(r->fdt, r->node, "bootargs", "");
    if (!text || strlen(text) >= BUNDLE_BOOTARGS_MAX)
        return capsule_fail(r->capsule, "bootargs", "must be a text of at most 2047 characters");
    r->capsule->bootargs = text;
    return true;
}

static bool sizes_read(const struct reader *r)
{
    struct bundle_capsule *c = r->capsule;
    c->memory = number_read(r, "memory", sizeof(uint64_t));
    if (!c->memory || !is_aligned(c->memory, BUNDLE_MEMORY_UNIT))
        return capsule_fail(c, "memory", "must be a 64-bit number, a multiple of 2 MiB (RV64) or 4 MiB (RV32)");
    c->vcores = (uint32_t)number_read(r, "vcores", sizeof(uint32_t));
    if (!c->vcores || c->vcores > BUNDLE_VCORES_MAX)
        return capsule_fail(c, "vcores", "must be a 32-bit number from 1 to 64");
    return true;
}

static bool policies_read(const struct reader *r)
{
    struct bundle_capsule *c = r->capsule;
    const char *isolation = string_or(r->fdt, r->node, "isolation", "auto");
    const char *restart = string_or(r->fdt, r->node, "restart", "never");
    if (!isolation || !bundle_isolation_parse(isolation, strlen(isolation), &c->isolation))
        return capsule_fail(c, "isolation", "must be auto, gstage or pmp");
    int word = restart ? word_find("never\0on-crash\0always\0", restart, strlen(restart)) : -1;
    if (word < 0)
        return capsule_fail(c, "restart", "must be never, on-crash or always");
    c->restart = (enum bundle_restart)word;
    return true;
}

struct number {
    char name[16];
    uint16_t offset; // in struct bundle_capsule
    uint16_t otherwise;
    uint32_t least, most;
    const char *text;
};

#define OFFSET(member) offsetof(struct bundle_capsule, member)
#define ANY "must be a 32-bit number"
static const struct number numbers[] = {
    {"weight", OFFSET(weight), BUNDLE_WEIGHT_DEFAULT, 1, BUNDLE_WEIGHT_MAX, "must be a 32-bit number from 1 to 1000"},
    {"cap", OFFSET(cap), 0, 0, BUNDLE_CAP_MAX, "must be a 32-bit number, at most 6400"},
    {"rights", OFFSET(rights), 0, 0, BUNDLE_RIGHT_MANAGE | BUNDLE_RIGHT_CONSOLE, "must be a sum of 1 and 2"},
    {"quota-vcores", OFFSET(quota.vcores), 0, 0, UINT32_MAX, ANY},
    {"quota-capsules", OFFSET(quota.capsules), 0, 0, UINT32_MAX, ANY},
};

static bool limits_read(const struct reader *r)
{
    struct bundle_capsule *c = r->capsule;
    for (size_t i = 0; i < array_length(numbers); i++) {
        const struct number *n = &numbers[i];
        uint64_t value = n->otherwise;
        if (!number_or(r, n->name, sizeof(uint32_t), &value) || value < n->least || value > n->most)
            return capsule_fail(c, n->name, n->text);
        *(uint32_t *)((char *)c + n->offset) = (uint32_t)value;
    }
    if (!number_or(r, "quota-memory", sizeof(uint64_t), &c->quota.memory))
        return capsule_fail(c, "quota-memory", "must be a 64-bit number");
    c->exclusive = fdt_getprop(r->fdt, r->node, "exclusive", NULL);
    if (!number_or(r, "affinity", sizeof(uint64_t), &c->affinity) || (c->exclusive && !c->affinity))
        return capsule_fail(c, "affinity", "must be a 64-bit number, and not 0 with 'exclusive'");
    return true;
}

// ---- Devices ----

#define DISK_UNIT 512u

static bool disk_read(const struct reader *r, int node, struct bundle_device *device)
{
    struct reader at = {.fdt = r->fdt, .images = r->images, .node = node, .capsule = r->capsule};
    const char *serial = string_or(r->fdt, node, "serial", "");

    if (!image_find(&at, "image", NULL, &device->image))
        return false;
    if (device->image.size % DISK_UNIT)
        return capsule_fail(r->capsule, "image", "a disk is a multiple of 512 bytes long");
    if (!serial || strlen(serial) > BUNDLE_SERIAL_MAX)
        return capsule_fail(r->capsule, "serial", "must be a text of at most 20 characters");
    device->serial = serial;
    return number_or(&at, "overlay", sizeof(uint64_t), &device->overlay) ||
           capsule_fail(r->capsule, "overlay", "must be a 64-bit number");
}

static bool host_disk_read(const struct reader *r, int node, struct bundle_device *device)
{
    device->name = string_or(r->fdt, node, "name", NULL);
    device->is_readonly = fdt_getprop(r->fdt, node, "read-only", NULL);
    r->capsule->wants_host_disk = true;
    return (device->name && *device->name && strlen(device->name) <= BUNDLE_DISK_NAME_MAX) ||
           capsule_fail(r->capsule, "name", "must be a text of at most 41 characters");
}

static bool switch_find(const void *fdt, const char *name, struct bundle_device *device)
{
    int at = fdt_path_offset(fdt, "/switches");

    if (at < 0 || (at = fdt_subnode_offset(fdt, at, name)) < 0)
        return false;
    device->name = fdt_get_name(fdt, at, NULL);
    device->has_uplink = fdt_getprop(fdt, at, "uplink", NULL);
    return true;
}

// Its switch is one that the bundle describes: a slip in its name would part what is to be together.
static bool net_read(const struct reader *r, int node, struct bundle_device *device)
{
    int length;
    const uint8_t *address = fdt_getprop(r->fdt, node, "mac-address", &length);
    const char *name = string_or(r->fdt, node, "switch", NULL);

    if (!name || !switch_find(r->fdt, name, device))
        return capsule_fail(r->capsule, "switch", "must be the name of one in the bundle");
    if (!address || length != sizeof(device->address) || address[0] & 1)
        return capsule_fail(r->capsule, "mac-address", "must be six bytes, and no group's");
    memcpy(device->address, address, sizeof(device->address));
    device->is_isolated = fdt_getprop(r->fdt, node, "isolated", NULL);
    device->is_open = fdt_getprop(r->fdt, node, "any-address", NULL);
    return true;
}

static bool rate_read(const struct reader *r, int node, struct bundle_device *device)
{
    struct reader at = {.fdt = r->fdt, .node = node};

    if (!number_or(&at, "requests-per-second", sizeof(uint64_t), &device->rate.requests))
        return capsule_fail(r->capsule, "requests-per-second", "must be a 64-bit number");
    return number_or(&at, "bytes-per-second", sizeof(uint64_t), &device->rate.bytes) ||
           capsule_fail(r->capsule, "bytes-per-second", "must be a 64-bit number");
}

static bool vsock_read(const struct reader *r, int node, struct bundle_device *device)
{
    struct reader at = {.fdt = r->fdt, .node = node};
    uint64_t cid = 0, groups = 0;

    if (!number_or(&at, "groups", sizeof(uint32_t), &groups))
        return capsule_fail(r->capsule, "groups", "must be a 32-bit number");
    if (!number_or(&at, "cid", sizeof(uint32_t), &cid) || (cid && cid < BUNDLE_CID_LEAST) || cid > BUNDLE_CID_MAX)
        return capsule_fail(r->capsule, "cid", "must be a 32-bit number from 3 to 65535");
    device->cid = (uint32_t)cid;
    device->groups = (uint32_t)groups;
    return true;
}

static bool device_read(const struct reader *r, int node, struct bundle_device *device)
{
    const char *type = string_or(r->fdt, node, "type", NULL);
    int word = type ? word_find("rng\0disk\0host-disk\0net\0vsock\0balloon\0console\0", type, strlen(type)) : -1;

    if (word < 0)
        return capsule_fail(r->capsule, "device",
                            "its type must be rng, disk, host-disk, net, vsock, balloon or console");
    device->kind = (enum bundle_device_kind)(BUNDLE_DEVICE_RNG + word);
    device->serial = "";
    if (!rate_read(r, node, device))
        return false;
    if (device->kind == BUNDLE_DEVICE_DISK)
        return disk_read(r, node, device);
    if (device->kind == BUNDLE_DEVICE_NET)
        return net_read(r, node, device);
    if (device->kind == BUNDLE_DEVICE_VSOCK)
        return vsock_read(r, node, device);
    return device->kind != BUNDLE_DEVICE_HOST_DISK || host_disk_read(r, node, device);
}

enum status bundle_disk_find(const struct bundle *bundle, const char *name, struct bundle_device *device)
{
    enum status status = bundle_image_find(bundle, name, &device->image);

    if (status != STATUS_OK || device->image.size % DISK_UNIT)
        return STATUS_NOT_FOUND;
    device->serial = fdt_get_name(bundle->blob, device->image.node, NULL);
    return STATUS_OK;
}

enum status bundle_switch_find(const struct bundle *bundle, const char *name, struct bundle_device *device)
{
    return switch_find(bundle->blob, name, device) ? STATUS_OK : STATUS_NOT_FOUND;
}

// Nodes below the capsule's, each "device-N", in the order of its slots.
static bool devices_read(const struct reader *r)
{
    unsigned count = 0, consoles = 0;
    int node;

    fdt_for_each_subnode(node, r->fdt, r->node)
    {
        const char *name = fdt_get_name(r->fdt, node, NULL);
        if (!name || strncmp(name, "device", 6)) // others' tools put signatures there
            continue;
        if (count == BUNDLE_DEVICES_MAX)
            return capsule_fail(r->capsule, "device", "there are more than 8");
        struct bundle_device *device = &r->capsule->devices[count++];
        if (!device_read(r, node, device))
            return false;
        if (device->kind == BUNDLE_DEVICE_CONSOLE && consoles++)
            return capsule_fail(r->capsule, "device", "there is more than one console");
    }
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
            return capsule_fail(r->capsule, "name", "is another capsule's, too");
    return true;
}

static void capsule_read(const struct reader *r, const struct bundle *bundle)
{
    struct bundle_capsule *c = r->capsule;
    memset(c, 0, sizeof(*c));
    c->bootargs = "";
    (void)(name_read(r) && name_is_new(r, bundle) && image_find(r, "kernel", NULL, &c->kernel) &&
           image_find(r, "ramdisk", "", &c->ramdisk) && bootargs_read(r) && sizes_read(r) && policies_read(r) &&
           limits_read(r) && devices_read(r));
}

static enum status capsules_read(struct reader *r, int configurations, struct bundle *bundle, struct bundle_error *why)
{
    fdt_for_each_subnode(r->node, r->fdt, configurations)
    {
        if (bundle->count == BUNDLE_CAPSULES_MAX)
            return bundle_fail(why, "bundle", "holds more than 64 capsules");
        r->capsule = &bundle->capsules[bundle->count];
        capsule_read(r, bundle);
        bundle->count++;
    }
    return bundle->count ? STATUS_OK : bundle_fail(why, "bundle", "holds no capsule");
}

// ---- The bundle ----

static const char *blob_check(const void *blob, size_t size)
{
    if (size < sizeof(struct fdt_header) || (uintptr_t)blob % 8)
        return "is too small, or not at a multiple of 8";
    if (fdt_magic(blob) != FDT_MAGIC)
        return "is no FIT image: make it with 'dio pack'";
    if (fdt_totalsize(blob) > size)
        return "is cut short: load all of it";
    // libfdt is built to assume the version.
    if (fdt_version(blob) < FDT_VERSION || fdt_last_comp_version(blob) > FDT_VERSION || fdt_off_dt_struct(blob) % 4 ||
        fdt_off_mem_rsvmap(blob) % 8 || fdt_check_full(blob, size))
        return "is damaged: make it anew with 'dio pack'";
    return NULL;
}

// Also for switches that no capsule is on yet: others are made at run time.
static bool has_uplink(const void *fdt)
{
    int parent = fdt_path_offset(fdt, "/switches"), node;

    if (parent < 0)
        return false;
    fdt_for_each_subnode(node, fdt, parent)
    {
        if (fdt_getprop(fdt, node, "uplink", NULL))
            return true;
    }
    return false;
}

enum status bundle_open(const void *blob, size_t size, struct bundle *bundle, struct bundle_error *why)
{
    bundle->count = 0;
    const char *problem = blob_check(blob, size);
    if (problem)
        return bundle_fail(why, "bundle", problem);
    struct reader r = {.fdt = blob, .images = fdt_path_offset(blob, "/images")};
    int configurations = fdt_path_offset(blob, "/configurations");
    if (r.images < 0 || configurations < 0)
        return bundle_fail(why, "bundle", "has no images or configurations: this is no FIT image");
    r.node = configurations;
    uint64_t own = 8 * sizeof(uintptr_t), xlen = own;
    if (!number_or(&r, "xlen", sizeof(uint32_t), &xlen) || xlen != own) // or its kernels would hang in silence
        return bundle_fail(why, "bundle", "is for harts of the other width: see 'dio pack --arch'");
    bundle->blob = blob;
    bundle->images = r.images;
    bundle->wants_uplink = has_uplink(blob);
    return capsules_read(&r, configurations, bundle, why);
}

// ---- Verifying ----

static bool image_known_good(const struct bundle *bundle, const struct bundle_image *image)
{
    for (size_t i = 0; i < bundle->count; i++) {
        const struct bundle_capsule *c = &bundle->capsules[i];
        bool is_its = c->kernel.data == image->data || c->ramdisk.data == image->data;
        for (unsigned n = 0; n < BUNDLE_DEVICES_MAX; n++)
            is_its = is_its || c->devices[n].image.data == image->data;
        if (c->verified && is_its)
            return true;
    }
    return false;
}

static bool image_verify(const struct bundle *bundle, struct bundle_capsule *capsule, const char *field,
                         const struct bundle_image *image)
{
    if (!image->data || image_known_good(bundle, image))
        return true;
    const uint8_t *expected = hash_find(bundle->blob, image->node);
    if (!expected)
        return capsule_fail(capsule, field, "the image has no SHA-256 hash: pack it with 'dio pack'");
    uint8_t hash[br_sha256_SIZE];
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, image->data, image->size);
    br_sha256_out(&context, hash);
    return !memcmp(hash, expected, sizeof(hash)) ||
           capsule_fail(capsule, field, "the image is damaged: its SHA-256 hash is another");
}

enum status bundle_verify(struct bundle *bundle, struct bundle_capsule *capsule)
{
    if (capsule->status != STATUS_OK)
        return capsule->status;
    capsule->verified = image_verify(bundle, capsule, "kernel", &capsule->kernel) &&
                        image_verify(bundle, capsule, "ramdisk", &capsule->ramdisk);
    for (unsigned i = 0; i < BUNDLE_DEVICES_MAX && capsule->verified; i++)
        capsule->verified = image_verify(bundle, capsule, "image", &capsule->devices[i].image);
    return capsule->status;
}
