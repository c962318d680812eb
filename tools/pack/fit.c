#include "fit.h"

#include <elf.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Images start on a page boundary of the bundle, so that a loader can map or move whole pages.
#define FIT_ALIGN 4096u

struct kind_words {
    const char *type;
    const char *os;
};

static const struct kind_words words[] = {
    [IMAGE_KERNEL] = {"kernel", "linux"},
    [IMAGE_RAMDISK] = {"ramdisk", "linux"},
    [IMAGE_DISK] = {"filesystem", "linux"},
};

// Room was made for all; anything but success is a mistake of ours.
static void check(int result)
{
    if (result < 0)
        report_fatal((struct place){"pack", 0}, "the bundle can't be written: %s", fdt_strerror(result));
}

// A padding property so long that the value of the property after it is aligned. A property is tag,
// length and name, 4 bytes each, then its value in multiples of 4.
static void padding_add(void *fdt)
{
    static const uint8_t zeros[FIT_ALIGN];
    size_t end = fdt_off_dt_struct(fdt) + fdt_size_dt_struct(fdt);
    size_t length = (FIT_ALIGN - (end + 2 * 12) % FIT_ALIGN) % FIT_ALIGN;
    check(fdt_property(fdt, "padding", zeros, (int)length));
}

static void image_add(void *fdt, const struct image *image)
{
    const char *slash = strrchr(image->path, '/');
    check(fdt_begin_node(fdt, image->name));
    check(fdt_property_string(fdt, "description", slash ? slash + 1 : image->path));
    check(fdt_property_string(fdt, "type", words[image->kind].type));
    check(fdt_property_string(fdt, "arch", "riscv"));
    check(fdt_property_string(fdt, "os", words[image->kind].os));
    check(fdt_property_string(fdt, "compression", "none"));
    if (image->kind == IMAGE_KERNEL) {
        // FIT wants them; where a kernel goes is for the capsule's memory to say.
        check(fdt_property_u32(fdt, "load", 0));
        check(fdt_property_u32(fdt, "entry", 0));
    }
    padding_add(fdt);
    check(fdt_property(fdt, "data", image->data, (int)image->size));
    check(fdt_begin_node(fdt, "hash-1"));
    check(fdt_property_string(fdt, "algo", "sha256"));
    check(fdt_property(fdt, "value", image->sha256, IMAGE_HASH_SIZE));
    check(fdt_end_node(fdt));
    check(fdt_end_node(fdt));
}

static const char *or_default(const struct text *text, const char *otherwise)
{
    return text->value ? text->value : otherwise;
}

static void limits_add(void *fdt, const struct manifest_capsule *manifest)
{
    check(fdt_property_u32(fdt, "weight", (uint32_t)manifest->weight.value));
    if (manifest->cap.value)
        check(fdt_property_u32(fdt, "cap", (uint32_t)manifest->cap.value));
    if (manifest->affinity.value)
        check(fdt_property_u64(fdt, "affinity", manifest->affinity.value));
    if (manifest->exclusive.value)
        check(fdt_property(fdt, "exclusive", "", 0));
    if (manifest->rights.value)
        check(fdt_property_u32(fdt, "rights", (uint32_t)manifest->rights.value));
    if (manifest->quota.memory.value)
        check(fdt_property_u64(fdt, "quota-memory", manifest->quota.memory.value));
    if (manifest->quota.vcores.value)
        check(fdt_property_u32(fdt, "quota-vcores", (uint32_t)manifest->quota.vcores.value));
    if (manifest->quota.capsules.value)
        check(fdt_property_u32(fdt, "quota-capsules", (uint32_t)manifest->quota.capsules.value));
}

static const char *type_of(const struct manifest_device *device)
{
    return device->disk.value         ? "disk"
           : device->host_disk.value  ? "host-disk"
           : device->net.value        ? "net"
           : device->vsock.place.line ? "vsock"
           : device->balloon.value    ? "balloon"
           : device->console.value    ? "console"
                                      : "rng";
}

static void net_add(void *fdt, const struct manifest_device *device)
{
    check(fdt_property_string(fdt, "switch", device->net.value));
    check(fdt_property(fdt, "mac-address", device->address, sizeof device->address));
    if (device->isolated.value)
        check(fdt_property(fdt, "isolated", "", 0));
    if (device->any_address.value)
        check(fdt_property(fdt, "any-address", "", 0));
}

static void device_add(void *fdt, size_t number, const struct manifest_device *device, const struct image *disk)
{
    char name[16];
    snprintf(name, sizeof name, "device-%zu", number);
    check(fdt_begin_node(fdt, name));
    check(fdt_property_string(fdt, "type", type_of(device)));
    if (device->net.value)
        net_add(fdt, device);
    if (device->vsock.value)
        check(fdt_property_u32(fdt, "groups", (uint32_t)device->vsock.value));
    if (device->cid.value)
        check(fdt_property_u32(fdt, "cid", (uint32_t)device->cid.value));
    if (device->host_disk.value)
        check(fdt_property_string(fdt, "name", device->host_disk.value));
    if (device->readonly.value)
        check(fdt_property(fdt, "read-only", "", 0));
    if (disk)
        check(fdt_property_string(fdt, "image", disk->name));
    if (device->overlay.value)
        check(fdt_property_u64(fdt, "overlay", device->overlay.value));
    if (device->serial.value)
        check(fdt_property_string(fdt, "serial", device->serial.value));
    if (device->iops.value || device->packets.value)
        check(fdt_property_u64(fdt, "requests-per-second", device->iops.value | device->packets.value));
    if (device->bandwidth.value)
        check(fdt_property_u64(fdt, "bytes-per-second", device->bandwidth.value));
    check(fdt_end_node(fdt));
}

static void capsule_add(void *fdt, const struct fit_capsule *capsule)
{
    const struct manifest_capsule *manifest = capsule->manifest;
    check(fdt_begin_node(fdt, manifest->name.value));
    check(fdt_property_string(fdt, "description", "Diosix capsule"));
    check(fdt_property_string(fdt, "kernel", capsule->kernel->name));
    if (capsule->initrd)
        check(fdt_property_string(fdt, "ramdisk", capsule->initrd->name));
    check(fdt_property_string(fdt, "bootargs", or_default(&manifest->cmdline, "")));
    check(fdt_property_u64(fdt, "memory", manifest->memory.value));
    check(fdt_property_u32(fdt, "vcores", (uint32_t)manifest->vcores.value));
    check(fdt_property_string(fdt, "isolation", or_default(&manifest->isolation, "auto")));
    check(fdt_property_string(fdt, "restart", or_default(&manifest->restart, "never")));
    limits_add(fdt, manifest);
    for (size_t i = 0; i < manifest->devices.count; i++)
        device_add(fdt, i, &manifest->devices.items[i], capsule->disks[i]);
    check(fdt_end_node(fdt));
}

static void switch_add(void *fdt, const struct manifest_switch *from)
{
    char ports[(MANIFEST_FORWARD_LENGTH + 1) * MANIFEST_FORWARDS_MAX + 1] = "";
    size_t length = 0;
    check(fdt_begin_node(fdt, from->name.value));
    if (from->uplink.value)
        check(fdt_property(fdt, "uplink", "", 0));
    for (size_t i = 0; i < from->forward.count; i++)
        length +=
            (size_t)snprintf(ports + length, sizeof ports - length, "%s%s", i ? " " : "", from->forward.words[i].value);
    if (length)
        check(fdt_property_string(fdt, "forward", ports));
    check(fdt_end_node(fdt));
}

static void switches_add(void *fdt, const struct switches *switches)
{
    if (!switches->count)
        return;
    check(fdt_begin_node(fdt, "switches"));
    for (size_t i = 0; i < switches->count; i++) {
        switch_add(fdt, &switches->items[i]);
    }
    check(fdt_end_node(fdt));
}

// What the tree can't exceed. Its lengths are signed 32-bit numbers.
static size_t size_bound(const struct fit *fit)
{
    size_t size = 65536 + fit->count * (8192 + MANIFEST_CMDLINE_MAX);
    for (size_t i = 0; i < fit->images->count; i++) {
        size += fit->images->images[i].size + 2 * FIT_ALIGN;
        if (size > INT32_MAX)
            report_fatal((struct place){"pack", 0}, "the images have more than 2 GiB together: use smaller ones");
    }
    return size;
}

void *fit_build(const struct fit *fit, size_t *size)
{
    size_t bound = size_bound(fit);
    void *fdt = report_allocate(bound);
    check(fdt_create(fdt, (int)bound));
    check(fdt_finish_reservemap(fdt));
    check(fdt_begin_node(fdt, ""));
    check(fdt_property_string(fdt, "description", "Diosix bundle"));
    // A constant, as the same input is to give the same bundle.
    check(fdt_property_u32(fdt, "timestamp", 0));
    check(fdt_property_u32(fdt, "#address-cells", 1));
    check(fdt_begin_node(fdt, "images"));
    for (size_t i = 0; i < fit->images->count; i++)
        image_add(fdt, &fit->images->images[i]);
    check(fdt_end_node(fdt));
    switches_add(fdt, fit->switches);
    check(fdt_begin_node(fdt, "configurations"));
    check(fdt_property_string(fdt, "default", fit->capsules[0].manifest->name.value));
    check(fdt_property_string(fdt, "terminal", or_default(fit->terminal, fit->capsules[0].manifest->name.value)));
    check(fdt_property_u32(fdt, "xlen", fit->width->elf_class == ELFCLASS64 ? 64 : 32));
    for (size_t i = 0; i < fit->count; i++)
        capsule_add(fdt, &fit->capsules[i]);
    check(fdt_end_node(fdt));
    check(fdt_end_node(fdt));
    check(fdt_finish(fdt));
    *size = fdt_totalsize(fdt);
    return fdt;
}
