#include "manifest.h"

#include "networks.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define OVERLAY_UNIT 4096u
#define LABEL_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#define length_of(array) (sizeof(array) / sizeof((array)[0]))

// RV32 reaches 4 GiB without translation, and RAM starts at 2 GiB.
static const struct width widths[] = {
    {"rv64", 2 * MIB, 1024 * GIB, 2, 2 * MIB},
    {"rv32", 4 * MIB, 2 * GIB, 1, 4 * MIB},
};

const struct width *width_find(const char *name)
{
    for (size_t i = 0; i < length_of(widths); i++)
        if (strcmp(widths[i].name, name) == 0)
            return &widths[i];
    return NULL;
}

struct reader {
    const char *path;
    const struct width *width;
    yaml_document_t document;
    char *groups[MANIFEST_GROUPS_MAX]; // of sockets, by their names
    size_t group_count;
};

typedef void key_read(struct reader *reader, const yaml_node_t *node, void *value);

// A key, where its value goes, and who reads it.
struct key {
    const char *name; // null: the last
    size_t offset;
    key_read *read;
    bool is_required;
};

// The keys of a mapping.
struct keys {
    const struct key *first;
    const char *of;   // what they describe
    const char *help; // which there are
};

static struct place place_of(const struct reader *reader, const yaml_node_t *node)
{
    return (struct place){reader->path, node->start_mark.line + 1};
}

static yaml_node_t *node_at(struct reader *reader, int index)
{
    return yaml_document_get_node(&reader->document, index);
}

static const char *scalar(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

// A scalar's text; null, and an error, for a list, a mapping, or text with a zero byte in it.
static const char *text_at(struct reader *reader, const yaml_node_t *node)
{
    if (node->type == YAML_SCALAR_NODE && strlen(scalar(node)) == node->data.scalar.length)
        return scalar(node);
    report_error(place_of(reader, node), "a single value is expected here");
    return NULL;
}

static void text_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct text *text = value;
    const char *from = text_at(reader, node);
    text->place = place_of(reader, node);
    text->value = from ? strdup(from) : NULL;
}

static void name_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct text *name = value;
    text_read(reader, node, value);
    if (!name->value)
        return;
    size_t length = strlen(name->value);
    if (length < 1 || length > MANIFEST_NAME_MAX ||
        strspn(name->value, "abcdefghijklmnopqrstuvwxyz0123456789-") != length)
        report_error(name->place, "name '%s': must be 1 to %d of the characters a-z, 0-9 and -", name->value,
                     MANIFEST_NAME_MAX);
}

static void cmdline_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct text *cmdline = value;
    text_read(reader, node, value);
    if (cmdline->value && strlen(cmdline->value) > MANIFEST_CMDLINE_MAX)
        report_error(cmdline->place, "cmdline has %zu bytes: at most %d are possible", strlen(cmdline->value),
                     MANIFEST_CMDLINE_MAX);
}

// Relative paths are relative to the manifest.
static void path_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct text *path = value;
    text_read(reader, node, value);
    if (!path->value)
        return;
    if (!*path->value) {
        report_error(path->place, "an empty path: name a file, or leave the key out");
        path->value = NULL;
    } else if (*path->value != '/') {
        char *manifest = strdup(reader->path), *full = NULL;
        if (!manifest || asprintf(&full, "%s/%s", dirname(manifest), path->value) < 0)
            report_fatal(path->place, "out of memory");
        path->value = full;
    }
}

// One of a few words: `list` holds them, with a comma and a space between.
static void word_read(struct reader *reader, const yaml_node_t *node, struct text *word, const char *key,
                      const char *list)
{
    text_read(reader, node, word);
    if (!word->value)
        return;
    size_t length = strlen(word->value);
    for (const char *at = list; *at; at += strcspn(at, ","), at += strspn(at, ", "))
        if (strcspn(at, ",") == length && strncmp(at, word->value, length) == 0)
            return;
    report_error(word->place, "%s '%s': must be one of %s", key, word->value, list);
}

static void isolation_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    word_read(reader, node, value, "isolation", "auto, gstage, pmp");
}

static void restart_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    word_read(reader, node, value, "restart", "never, on-crash, always");
}

// Decimal digits only; what follows them goes to `rest`. False if there are none or too many.
static bool digits_parse(const char *text, uint64_t *value, const char **rest)
{
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length > 18)
        return false;
    *value = strtoull(text, NULL, 10);
    *rest = text + length;
    return true;
}

// A number of some range; what is wrong leaves the value as it was.
static void range_read(struct reader *reader, const yaml_node_t *node, struct number *number, const char *key,
                       uint64_t least, uint64_t most)
{
    const char *text = text_at(reader, node), *rest = "";
    uint64_t value = 0;
    number->place = place_of(reader, node);
    if (!text)
        return;
    if (!digits_parse(text, &value, &rest) || *rest || value < least || value > most)
        report_error(number->place, "%s '%s': must be a number from %llu to %llu", key, text, (unsigned long long)least,
                     (unsigned long long)most);
    else
        number->value = value;
}

static void vcores_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "vcores", 1, MANIFEST_VCORES_MAX);
}

static void weight_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "weight", 1, MANIFEST_WEIGHT_MAX);
}

static void cap_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "cap", 0, MANIFEST_CAP_MAX);
}

static void flag_read(struct reader *reader, const yaml_node_t *node, struct number *flag, const char *key)
{
    struct text word = {0};
    word_read(reader, node, &word, key, "true, false");
    flag->place = word.place;
    flag->value = word.value && strcmp(word.value, "true") == 0;
    free(word.value);
}

static void exclusive_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    flag_read(reader, node, value, "exclusive");
}

static void readonly_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    flag_read(reader, node, value, "readonly");
}

// The nodes of a list; none, and an error, if it is no list.
static const yaml_node_item_t *list_of(struct reader *reader, const yaml_node_t *node, const char *key,
                                       const yaml_node_item_t **end)
{
    if (node->type == YAML_SEQUENCE_NODE) {
        *end = node->data.sequence.items.top;
        return node->data.sequence.items.start;
    }
    report_error(place_of(reader, node), "%s: must be a list in brackets: `[...]`", key);
    return *end = NULL;
}

static void affinity_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct number *affinity = value;
    const yaml_node_item_t *end, *item = list_of(reader, node, "affinity", &end);
    size_t errors = report_count();
    affinity->place = place_of(reader, node);
    for (; item < end; item++) {
        struct number hart = {0};
        range_read(reader, node_at(reader, *item), &hart, "affinity: hart", 0, MANIFEST_HARTS_MAX - 1);
        affinity->value |= (uint64_t)1 << hart.value;
    }
    if (!affinity->value && report_count() == errors)
        report_error(affinity->place, "affinity: an empty list: name harts, or leave the key out");
}

static void rights_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct number *rights = value;
    const yaml_node_item_t *end, *item = list_of(reader, node, "rights", &end);
    rights->place = place_of(reader, node);
    for (; item < end; item++) {
        struct text word = {0};
        word_read(reader, node_at(reader, *item), &word, "rights:", "manage, console");
        if (word.value)
            rights->value |= strcmp(word.value, "manage") == 0 ? MANIFEST_RIGHT_MANAGE : MANIFEST_RIGHT_CONSOLE;
        free(word.value);
    }
}

// Bytes from `256M`; false if it is no size. Can't overflow what digits_parse admits but by the shift.
static bool size_parse(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMG";
    const char *rest, *unit;
    if (!digits_parse(text, bytes, &rest))
        return false;
    if (!*rest)
        return true;
    unit = strchr(units, *rest);
    if (!unit || rest[1])
        return false;
    unsigned shift = 10 * (unsigned)(unit - units + 1);
    if (*bytes > UINT64_MAX >> shift)
        *bytes = UINT64_MAX;
    else
        *bytes <<= shift;
    return true;
}

// What is wrong is not kept: nothing more is said about it.
static void memory_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct number *memory = value;
    const struct width *width = reader->width;
    const char *text = text_at(reader, node);
    uint64_t bytes = 0;
    memory->place = place_of(reader, node);
    if (!text)
        return;
    if (!size_parse(text, &bytes))
        report_error(memory->place, "memory '%s': must be a size like 256M or 1G", text);
    else if (bytes == 0)
        report_error(memory->place, "memory '%s': a capsule needs some, 128M for a small Linux", text);
    else if (bytes > width->memory_max)
        report_error(memory->place, "memory '%s': too much, at most %lluG are possible on %s", text,
                     (unsigned long long)(width->memory_max / GIB), width->name);
    else if (bytes < width->memory_unit && text[strlen(text) - 1] <= '9')
        report_error(memory->place, "memory '%s': are bytes, write %sM for MiB", text, text);
    else if (bytes % width->memory_unit)
        report_error(memory->place, "memory '%s': must be a multiple of %lluM on %s", text,
                     (unsigned long long)(width->memory_unit / MIB), width->name);
    else
        memory->value = bytes;
}

static void quota_memory_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct number *memory = value;
    const char *text = text_at(reader, node);
    uint64_t bytes = 0;
    memory->place = place_of(reader, node);
    if (text && !size_parse(text, &bytes))
        report_error(memory->place, "quota: memory '%s': must be a size like 256M or 1G", text);
    else
        memory->value = bytes;
}

static void quota_vcores_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "quota: vcores", 0, UINT32_MAX);
}

static void quota_capsules_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "quota: capsules", 0, UINT32_MAX);
}

static const struct key quota_keys[] = {
    {"memory", offsetof(struct quota, memory), quota_memory_read, false},
    {"vcores", offsetof(struct quota, vcores), quota_vcores_read, false},
    {"capsules", offsetof(struct quota, capsules), quota_capsules_read, false},
    {0},
};

static void mapping_read(struct reader *reader, const yaml_node_t *node, const struct keys *keys, void *values);

static void quota_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    static const struct keys quota = {quota_keys, "quota", "a quota has memory, vcores and capsules"};
    if (node->type == YAML_MAPPING_NODE)
        mapping_read(reader, node, &quota, value);
    else
        report_error(place_of(reader, node), "quota: must be `memory: ...`, `vcores: ...`, `capsules: ...`");
}

// How much of a disk may be changed.
static void overlay_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct number *overlay = value;
    const char *text = text_at(reader, node);
    uint64_t bytes = 0;
    overlay->place = place_of(reader, node);
    if (!text)
        return;
    if (!size_parse(text, &bytes) || bytes > reader->width->memory_max || bytes < OVERLAY_UNIT)
        report_error(overlay->place, "overlay '%s': must be a size like 64M: what of the disk may be changed", text);
    else
        overlay->value = bytes / OVERLAY_UNIT * OVERLAY_UNIT;
}

static bool is_label(const char *text, int most)
{
    int length = (int)strlen(text);
    return length >= 1 && length <= most && (int)strspn(text, LABEL_CHARACTERS) == length;
}

// A word of such characters as disks and partitions have in their names.
static void label_read(struct reader *reader, const yaml_node_t *node, struct text *label, const char *key, int most)
{
    text_read(reader, node, label);
    if (label->value && !is_label(label->value, most))
        report_error(label->place, "%s '%s': must be 1 to %d of the characters a-z, A-Z, 0-9, -, _ and .", key,
                     label->value, most);
}

static void serial_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    label_read(reader, node, value, "serial", MANIFEST_SERIAL_MAX);
}

static void host_disk_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct text *name = value;
    text_read(reader, node, value);
    if (!name->value)
        return;
    if (strncmp(name->value, "label=", 6) == 0
            ? !is_label(name->value + 6, MANIFEST_DISK_LABEL_MAX)
            : !is_label(name->value + 5 * (strncmp(name->value, "name=", 5) == 0), MANIFEST_DISK_NAME_MAX))
        report_error(name->place,
                     "host-disk '%s': must be 1 to %d of the characters a-z, A-Z, 0-9, -, _ and ., with or without "
                     "`name=` before them, or `label=` and up to %d of them",
                     name->value, MANIFEST_DISK_NAME_MAX, MANIFEST_DISK_LABEL_MAX);
}

// A device that is there or not.
static void plain_read(struct reader *reader, const yaml_node_t *node, struct number *device, const char *key)
{
    device->place = place_of(reader, node);
    device->value = 1;
    if (node->type != YAML_SCALAR_NODE || strcmp(scalar(node), "") != 0)
        report_error(device->place, "%s: has nothing to be set: write `- %s`", key, key);
}

static void rng_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    plain_read(reader, node, value, "rng");
}

static void balloon_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    plain_read(reader, node, value, "balloon");
}

static void console_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    plain_read(reader, node, value, "console");
}

static void mac_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct text *mac = value;
    unsigned byte[6];
    int end = 0;
    text_read(reader, node, value);
    if (!mac->value)
        return;
    if (sscanf(mac->value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5],
               &end) != 6 ||
        mac->value[end] || strlen(mac->value) != 17 || byte[0] & 1)
        report_error(mac->place, "mac '%s': must be six bytes like 52:54:00:12:34:56, the first of them even",
                     mac->value);
    struct manifest_device *device = (struct manifest_device *)((char *)value - offsetof(struct manifest_device, mac));
    for (size_t i = 0; i < 6; i++)
        device->address[i] = (uint8_t)byte[i];
}

static void isolated_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    flag_read(reader, node, value, "isolated");
}

static void any_address_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    flag_read(reader, node, value, "any-address");
}

static void iops_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "iops", 1, UINT32_MAX);
}

static void packets_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "packets", 1, UINT32_MAX);
}

static void bandwidth_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct number *bandwidth = value;
    const char *text = text_at(reader, node);
    uint64_t bytes = 0;
    bandwidth->place = place_of(reader, node);
    if (text && (!size_parse(text, &bytes) || !bytes))
        report_error(bandwidth->place, "bandwidth '%s': must be a size like 8M: bytes in a second", text);
    else
        bandwidth->value = bytes;
}

// The group's number; a new one if it was not named before.
static size_t group_find(struct reader *reader, struct text *name)
{
    size_t n = 0;
    while (n < reader->group_count && strcmp(reader->groups[n], name->value) != 0)
        n++;
    if (n == MANIFEST_GROUPS_MAX) {
        report_error(name->place, "vsock: group '%s': there can be no more than %d groups", name->value,
                     MANIFEST_GROUPS_MAX);
        return 0;
    }
    if (n < reader->group_count)
        free(name->value);
    else
        reader->groups[reader->group_count++] = name->value;
    return n;
}

static void group_read(struct reader *reader, const yaml_node_t *node, struct number *vsock)
{
    struct text name = {0};
    name_read(reader, node, &name);
    if (name.value)
        vsock->value |= (uint64_t)1 << group_find(reader, &name);
}

// Nothing, a group, or a list of them.
static void vsock_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct number *vsock = value;
    vsock->place = place_of(reader, node);
    if (node->type == YAML_SCALAR_NODE && strcmp(scalar(node), "") == 0)
        return;
    if (node->type == YAML_SCALAR_NODE) {
        group_read(reader, node, vsock);
        return;
    }
    const yaml_node_item_t *end, *item = list_of(reader, node, "vsock", &end);
    for (; item < end; item++)
        group_read(reader, node_at(reader, *item), vsock);
}

static void cid_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    range_read(reader, node, value, "cid", MANIFEST_CID_LEAST, MANIFEST_CID_MAX);
}

static const struct key device_keys[] = {
    {"rng", offsetof(struct manifest_device, rng), rng_read, false},
    {"balloon", offsetof(struct manifest_device, balloon), balloon_read, false},
    {"console", offsetof(struct manifest_device, console), console_read, false},
    {"disk", offsetof(struct manifest_device, disk), path_read, false},
    {"host-disk", offsetof(struct manifest_device, host_disk), host_disk_read, false},
    {"readonly", offsetof(struct manifest_device, readonly), readonly_read, false},
    {"overlay", offsetof(struct manifest_device, overlay), overlay_read, false},
    {"serial", offsetof(struct manifest_device, serial), serial_read, false},
    {"net", offsetof(struct manifest_device, net), name_read, false},
    {"mac", offsetof(struct manifest_device, mac), mac_read, false},
    {"isolated", offsetof(struct manifest_device, isolated), isolated_read, false},
    {"any-address", offsetof(struct manifest_device, any_address), any_address_read, false},
    {"iops", offsetof(struct manifest_device, iops), iops_read, false},
    {"packets", offsetof(struct manifest_device, packets), packets_read, false},
    {"bandwidth", offsetof(struct manifest_device, bandwidth), bandwidth_read, false},
    {"vsock", offsetof(struct manifest_device, vsock), vsock_read, false},
    {"cid", offsetof(struct manifest_device, cid), cid_read, false},
    {0},
};

static void only_net_check(const struct manifest_device *device)
{
    if (device->mac.place.line)
        report_error(device->mac.place, "mac: only a `net` has one");
    else if (device->isolated.place.line)
        report_error(device->isolated.place, "isolated: only a `net` is");
    else if (device->any_address.place.line)
        report_error(device->any_address.place, "any-address: only for a `net`");
    else if (device->packets.place.line)
        report_error(device->packets.place, "packets: only of a `net`; of a disk it is `iops`");
}

static void rates_check(const struct manifest_device *device, bool is_disk)
{
    if (!is_disk && device->iops.place.line)
        report_error(device->iops.place, "iops: only of a disk; of a `net` it is `packets`");
    else if (!is_disk && !device->net.place.line && device->bandwidth.place.line)
        report_error(device->bandwidth.place, "bandwidth: only of a disk or a `net`");
}

static void device_check(const struct manifest_device *device)
{
    size_t disk = device->disk.place.line, host_disk = device->host_disk.place.line, net = device->net.place.line;
    size_t vsock = device->vsock.place.line;
    int plain = (device->rng.place.line != 0) + (device->balloon.place.line != 0) + (device->console.place.line != 0);
    if (plain + (disk != 0) + (host_disk != 0) + (net != 0) + (vsock != 0) != 1)
        report_error(device->place, "a device is one of `rng`, `balloon`, `console`, `disk: PATH`, `host-disk: NAME`, "
                                    "`net: SWITCH` and `vsock`");
    else if (!vsock && device->cid.place.line)
        report_error(device->cid.place, "cid: only a `vsock` has one");
    else if (!disk && device->overlay.place.line)
        report_error(device->overlay.place, "overlay: only a `disk` has one");
    else if (!disk && device->serial.place.line)
        report_error(device->serial.place, "serial: only a `disk` can be given one");
    else if (!host_disk && device->readonly.place.line)
        report_error(device->readonly.place, "readonly: only for a `host-disk`; a `disk` is, without `overlay`");
    else if (!net)
        only_net_check(device);
    rates_check(device, disk || host_disk);
}

// What needs no more than its name may be written as a word.
static void device_read(struct reader *reader, const yaml_node_t *node, struct manifest_device *device)
{
    static const struct keys keys = {device_keys, "device",
                                     "a device has rng, or balloon, or console, or disk, overlay and serial, or "
                                     "host-disk and readonly, or net, mac, isolated, any-address and packets, "
                                     "or vsock and cid; disks have iops, and they and net have bandwidth"};
    size_t errors = report_count();
    device->place = place_of(reader, node);
    const char *word = node->type == YAML_SCALAR_NODE ? scalar(node) : "";
    if (strcmp(word, "rng") == 0)
        device->rng = (struct number){1, device->place};
    else if (strcmp(word, "balloon") == 0)
        device->balloon = (struct number){1, device->place};
    else if (strcmp(word, "console") == 0)
        device->console = (struct number){1, device->place};
    else if (strcmp(word, "vsock") == 0)
        device->vsock.place = device->place;
    else if (node->type == YAML_MAPPING_NODE)
        mapping_read(reader, node, &keys, device);
    else
        report_error(device->place,
                     "devices: each is `rng`, `balloon`, `console`, `disk: PATH`, `host-disk: NAME`, `net: SWITCH` or "
                     "`vsock`");
    if (report_count() == errors)
        device_check(device);
}

static void devices_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct devices *devices = value;
    const yaml_node_item_t *end, *item = list_of(reader, node, "devices", &end);
    size_t consoles = 0, balloons = 0;
    for (; item < end; item++) {
        const yaml_node_t *at = node_at(reader, *item);
        if (devices->count == MANIFEST_DEVICES_MAX) {
            report_error(place_of(reader, at), "devices: more than %d: leave some out", MANIFEST_DEVICES_MAX);
            break;
        }
        struct manifest_device *device = &devices->items[devices->count++];
        device_read(reader, at, device);
        if (device->console.value && consoles++)
            report_error(device->place, "devices: more than one `console`: a capsule has one terminal");
        if (device->balloon.value && balloons++)
            report_error(device->place, "devices: more than one `balloon`: all of a capsule's memory can be in one");
    }
}

static const struct key capsule_keys[] = {
    {"name", offsetof(struct manifest_capsule, name), name_read, true},
    {"kernel", offsetof(struct manifest_capsule, kernel), path_read, true},
    {"initrd", offsetof(struct manifest_capsule, initrd), path_read, false},
    {"cmdline", offsetof(struct manifest_capsule, cmdline), cmdline_read, false},
    {"memory", offsetof(struct manifest_capsule, memory), memory_read, true},
    {"vcores", offsetof(struct manifest_capsule, vcores), vcores_read, false},
    {"isolation", offsetof(struct manifest_capsule, isolation), isolation_read, false},
    {"restart", offsetof(struct manifest_capsule, restart), restart_read, false},
    {"weight", offsetof(struct manifest_capsule, weight), weight_read, false},
    {"cap", offsetof(struct manifest_capsule, cap), cap_read, false},
    {"affinity", offsetof(struct manifest_capsule, affinity), affinity_read, false},
    {"exclusive", offsetof(struct manifest_capsule, exclusive), exclusive_read, false},
    {"rights", offsetof(struct manifest_capsule, rights), rights_read, false},
    {"quota", offsetof(struct manifest_capsule, quota), quota_read, false},
    {"devices", offsetof(struct manifest_capsule, devices), devices_read, false},
    {0},
};

static void pair_read(struct reader *reader, const yaml_node_pair_t *pair, const struct keys *keys, void *values,
                      unsigned *seen)
{
    const yaml_node_t *node = node_at(reader, pair->key);
    const char *name = text_at(reader, node);
    const struct key *key = keys->first;
    if (!name)
        return;
    while (key->name && strcmp(key->name, name) != 0)
        key++;
    unsigned bit = 1u << (key - keys->first);
    if (!key->name)
        report_error(place_of(reader, node), "unknown key '%s': %s", name, keys->help);
    else if (*seen & bit)
        report_error(place_of(reader, node), "'%s' is given twice for this %s: keep one", name, keys->of);
    else {
        *seen |= bit;
        key->read(reader, node_at(reader, pair->value), (char *)values + key->offset);
    }
}

static void mapping_read(struct reader *reader, const yaml_node_t *node, const struct keys *keys, void *values)
{
    unsigned seen = 0;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
        pair_read(reader, pair, keys, values, &seen);
    for (const struct key *key = keys->first; key->name; key++)
        if (key->is_required && !(seen & (1u << (key - keys->first))))
            report_error(place_of(reader, node), "this %s has no '%s': add it", keys->of, key->name);
}

static void capsule_read(struct reader *reader, const yaml_node_t *node, struct manifest_capsule *capsule)
{
    static const struct keys keys = {capsule_keys, "capsule",
                                     "a capsule has name, kernel, initrd, cmdline, memory, vcores, isolation, "
                                     "restart, weight, cap, affinity, exclusive, rights, quota and devices"};
    capsule->place = place_of(reader, node);
    capsule->vcores.value = 1;
    capsule->weight.value = MANIFEST_WEIGHT_DEFAULT;
    if (node->type != YAML_MAPPING_NODE) {
        report_error(capsule->place, "a capsule is expected here: `name: ...`, `kernel: ...`, `memory: ...`");
        return;
    }
    mapping_read(reader, node, &keys, capsule);
    if (capsule->exclusive.value && !capsule->affinity.place.line)
        report_error(capsule->exclusive.place, "exclusive: which harts? Add `affinity: [...]`");
}

static void names_check(const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct text *one = &manifest->capsules[i].name, *other = &manifest->capsules[j].name;
            if (one->value && other->value && strcmp(one->value, other->value) == 0) {
                report_error(one->place, "name '%s' is taken by the capsule in line %zu: choose another", one->value,
                             other->place.line);
                break;
            }
        }
}

static void capsules_read(struct reader *reader, const yaml_node_t *list, struct manifest *manifest)
{
    if (list->type != YAML_SEQUENCE_NODE || list->data.sequence.items.start == list->data.sequence.items.top) {
        report_error(place_of(reader, list), "'capsules' must be a list of at least one capsule: `- name: ...`");
        return;
    }
    for (const yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
        const yaml_node_t *node = node_at(reader, *item);
        if (manifest->count == MANIFEST_CAPSULES_MAX) {
            report_error(place_of(reader, node), "more than %d capsules: leave some out", MANIFEST_CAPSULES_MAX);
            break;
        }
        capsule_read(reader, node, &manifest->capsules[manifest->count++]);
    }
    names_check(manifest);
}

static void uplink_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    flag_read(reader, node, value, "uplink");
}

static bool port_parse(const char *text, const char **rest)
{
    uint64_t port = 0;
    return digits_parse(text, &port, rest) && port >= 1 && port <= 65535;
}

// 2222:22, or 2222:10.0.2.16:22.
static bool forward_is_good(const char *text)
{
    const char *rest;
    if (strlen(text) > MANIFEST_FORWARD_LENGTH || !port_parse(text, &rest) || *rest++ != ':')
        return false;
    const char *colon = strchr(rest, ':');
    if (colon && strspn(rest, "0123456789.") != (size_t)(colon - rest))
        return false;
    return port_parse(colon ? colon + 1 : rest, &rest) && !*rest;
}

static void forward_read(struct reader *reader, const yaml_node_t *node, void *value)
{
    struct forward *forward = value;
    const yaml_node_item_t *end, *item = list_of(reader, node, "forward", &end);
    for (; item < end; item++) {
        struct text word = {0};
        text_read(reader, node_at(reader, *item), &word);
        if (forward->count == MANIFEST_FORWARDS_MAX)
            report_fatal(word.place, "forward: more than %d: leave some out", MANIFEST_FORWARDS_MAX);
        forward->words[forward->count++] = word;
        if (word.value && !forward_is_good(word.value))
            report_error(word.place, "forward '%s': must be like \"2222:22\" or \"2222:10.0.2.16:22\"", word.value);
    }
}

static const struct key switch_keys[] = {
    {"name", offsetof(struct manifest_switch, name), name_read, true},
    {"uplink", offsetof(struct manifest_switch, uplink), uplink_read, false},
    {"forward", offsetof(struct manifest_switch, forward), forward_read, false},
    {0},
};

// One that has nothing but its name may be written as a word.
static void switch_read(struct reader *reader, const yaml_node_t *node, struct switches *switches)
{
    static const struct keys keys = {switch_keys, "switch", "a switch has name, uplink and forward"};
    struct manifest_switch *new = &switches->items[switches->count];
    if (node->type == YAML_MAPPING_NODE)
        mapping_read(reader, node, &keys, new);
    else
        name_read(reader, node, &new->name);
    for (size_t i = 0; i < switches->count; i++)
        if (new->name.value &&
            switches->items[i].name.value &&strcmp(new->name.value, switches->items[i].name.value) == 0)
            report_error(new->name.place, "switch '%s' is there already: keep one", new->name.value);
    for (size_t i = 0; i < switches->count; i++)
        if (new->uplink.value && switches->items[i].uplink.value)
            report_error(new->uplink.place, "uplink: switch '%s' has it already: there is but one",
                         switches->items[i].name.value);
    if (new->forward.count && !new->uplink.value)
        report_error(new->forward.words[0].place, "forward: only a switch with an uplink can: add `uplink: true`");
    switches->count++;
}

static void switches_read(struct reader *reader, const yaml_node_t *node, struct switches *switches)
{
    const yaml_node_item_t *end, *item = list_of(reader, node, "switches", &end);
    for (; item < end; item++) {
        const yaml_node_t *at = node_at(reader, *item);
        if (switches->count == MANIFEST_SWITCHES_MAX) {
            report_error(place_of(reader, at), "switches: more than %d: leave some out", MANIFEST_SWITCHES_MAX);
            break;
        }
        switch_read(reader, at, switches);
    }
}

static void top_pair_read(struct reader *reader, const yaml_node_pair_t *pair, struct manifest *manifest)
{
    const yaml_node_t *key = node_at(reader, pair->key), *value = node_at(reader, pair->value);
    const char *name = text_at(reader, key);
    if (!name)
        return;
    bool is_capsules = strcmp(name, "capsules") == 0, is_switches = strcmp(name, "switches") == 0;
    if (!is_capsules && !is_switches && strcmp(name, "terminal") != 0) {
        report_error(place_of(reader, key),
                     "unknown key '%s': there are only 'capsules', 'switches' and 'terminal' here", name);
        return;
    }
    struct place *place = is_capsules   ? &manifest->place
                          : is_switches ? &manifest->switches.place
                                        : &manifest->terminal.place;
    if (place->line)
        report_error(place_of(reader, key), "'%s' is given twice: make it one", name);
    else if (is_capsules)
        capsules_read(reader, value, manifest);
    else if (is_switches)
        switches_read(reader, value, &manifest->switches);
    else
        text_read(reader, value, &manifest->terminal);
    *place = place_of(reader, key);
}

static void top_read(struct reader *reader, struct manifest *manifest)
{
    const yaml_node_t *top = yaml_document_get_root_node(&reader->document);
    if (!top || top->type != YAML_MAPPING_NODE)
        report_fatal((struct place){reader->path, 1}, "a manifest starts with `capsules:` and lists them below");
    for (const yaml_node_pair_t *pair = top->data.mapping.pairs.start; pair < top->data.mapping.pairs.top; pair++)
        top_pair_read(reader, pair, manifest);
    if (!manifest->place.line)
        report_error(place_of(reader, top), "there is no 'capsules' here: a manifest lists them below that key");
    networks_complete(manifest);
}

static void document_load(struct reader *reader, yaml_parser_t *parser)
{
    if (yaml_parser_load(parser, &reader->document))
        return;
    size_t line = parser->problem_mark.line ? parser->problem_mark.line : parser->context_mark.line;
    report_fatal((struct place){reader->path, line + 1}, "is no YAML: %s%s%s", parser->context ? parser->context : "",
                 parser->context ? ", " : "", parser->problem ? parser->problem : "unreadable");
}

// What comes after a line of `---` or `...` would be left out in silence.
static void rest_refuse(struct reader *reader, yaml_parser_t *parser)
{
    document_load(reader, parser);
    const yaml_node_t *rest = yaml_document_get_root_node(&reader->document);
    if (rest)
        report_error(place_of(reader, rest), "a second document: a manifest is one, without `---` between its parts");
    yaml_document_delete(&reader->document);
}

void manifest_read(const char *path, const struct width *width, struct manifest *manifest)
{
    struct reader reader = {.path = path, .width = width};
    struct place file = {path, 0};
    yaml_parser_t parser;
    FILE *input = fopen(path, "rb");
    if (!input)
        report_fatal(file, "can't be read: %s", strerror(errno));
    int first = getc(input);
    if (first == EOF && ferror(input)) // a folder
        report_fatal(file, "can't be read: %s", strerror(errno));
    ungetc(first, input);
    if (!yaml_parser_initialize(&parser))
        report_fatal(file, "out of memory");
    yaml_parser_set_input_file(&parser, input);
    document_load(&reader, &parser);
    top_read(&reader, manifest);
    yaml_document_delete(&reader.document);
    rest_refuse(&reader, &parser);
    yaml_parser_delete(&parser);
    fclose(input);
}
