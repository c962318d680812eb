// sources: hypervisor/capsule/bundle.c hypervisor/capsule/image.c libfdt bearssl
//
// Bundles, and the kernels in them. The input's first byte says how it is meant: as a whole bundle, as a
// kernel, or as changes to a good bundle, because chance does not come upon a whole one.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "bundle.h"
#include "image.h"

enum { GOOD_SIZE = 4096 };

static void hash_node(void *fdt)
{
    static const uint8_t hash[32];
    fdt_begin_node(fdt, "hash-1");
    fdt_property_string(fdt, "algo", "sha256");
    fdt_property(fdt, "value", hash, sizeof(hash));
    fdt_end_node(fdt);
}

static void image_node(void *fdt, const char *name, const char *data)
{
    fdt_begin_node(fdt, name);
    fdt_property_string(fdt, "arch", "riscv");
    fdt_property_string(fdt, "compression", "none");
    fdt_property_string(fdt, "data", data);
    hash_node(fdt);
    fdt_end_node(fdt);
}

static void capsule_node(void *fdt, const char *name)
{
    fdt_begin_node(fdt, name);
    fdt_property_string(fdt, "kernel", "kernel-1");
    fdt_property_string(fdt, "ramdisk", "ramdisk-1");
    fdt_property_string(fdt, "bootargs", "console=ttyS0");
    fdt_property_u64(fdt, "memory", 0x8000000);
    fdt_property_u32(fdt, "vcores", 2);
    fdt_property_string(fdt, "isolation", "gstage");
    fdt_property_string(fdt, "restart", "on-crash");
    fdt_property_u32(fdt, "weight", 200);
    fdt_property_u32(fdt, "cap", 50);
    fdt_property_u64(fdt, "affinity", 3);
    fdt_property(fdt, "exclusive", "", 0);
    fdt_property_u32(fdt, "rights", 1);
    fdt_property_u64(fdt, "quota-memory", 0x8000000);
    fdt_end_node(fdt);
}

static size_t good_bundle(void *fdt)
{
    fdt_create(fdt, GOOD_SIZE);
    fdt_finish_reservemap(fdt);
    fdt_begin_node(fdt, "");
    fdt_begin_node(fdt, "images");
    image_node(fdt, "kernel-1", "some kernel");
    image_node(fdt, "ramdisk-1", "some ramdisk");
    fdt_end_node(fdt);
    fdt_begin_node(fdt, "configurations");
    capsule_node(fdt, "one");
    capsule_node(fdt, "two");
    fdt_end_node(fdt);
    fdt_end_node(fdt);
    fdt_finish(fdt);
    return fdt_totalsize(fdt);
}

// Three bytes a change: where (little-endian), and what.
static void changes_apply(uint8_t *data, size_t size, const uint8_t *changes, size_t length)
{
    for (; length >= 3; changes += 3, length -= 3)
        data[(changes[0] | (size_t)changes[1] << 8) % size] = changes[2];
}

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void kernel_try(const void *data, size_t size, unsigned xlen, uint64_t initrd_size)
{
    struct image image;
    struct image_error why = {0};
    struct image_layout layout;
    struct image_request request = {xlen, {0x80000000}, 0x8000000, 0x10000, initrd_size};
    struct range ram = {request.ram_base.value, request.ram_size};
    if (image_open(data, size, xlen, &image, &why) != STATUS_OK ||
        image_place(&image, &request, &layout, &why) != STATUS_OK) {
        check(why.text != NULL);
        return;
    }
    bool entry_found = false;
    for (size_t i = 0; i < image.piece_count; i++) {
        const struct image_piece *p = &image.pieces[i];
        check(range_contains((struct range){0, size}, p->offset, p->size) && p->size <= p->memory_size);
        check(range_contains(ram, p->load, p->memory_size));
        check(!i || p->load >= p[-1].load + p[-1].memory_size);
        check(!range_overlaps((struct range){p->load, p->memory_size}, (struct range){layout.tree.value, 0x10000}));
        check(
            !range_overlaps((struct range){p->load, p->memory_size}, (struct range){layout.initrd.value, initrd_size}));
        entry_found = entry_found || range_contains((struct range){p->load, p->memory_size}, layout.entry.value, 1);
    }
    check(entry_found);
}

static void bundle_try(const void *data, size_t size)
{
    static struct bundle bundle;
    struct bundle_error why = {.field = NULL};
    if (bundle_open(data, size, &bundle, &why) != STATUS_OK) {
        check(why.field && why.text);
        return;
    }
    for (size_t i = 0; i < bundle.count; i++) {
        struct bundle_capsule *c = &bundle.capsules[i];
        check(c->status == STATUS_OK || (c->error.field && c->error.text));
        if (c->status != STATUS_OK)
            continue;
        check(strlen(c->name) < CAPSULE_NAME_SIZE && strlen(c->bootargs) < BUNDLE_BOOTARGS_MAX);
        check(c->weight >= 1 && c->weight <= BUNDLE_WEIGHT_MAX && c->cap <= BUNDLE_CAP_MAX && c->rights < 4);
        check(c->affinity || !c->exclusive);
        kernel_try(c->kernel.data, c->kernel.size, 64, c->ramdisk.size);
        (void)bundle_verify(&bundle, c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    uint8_t *copy = aligned_alloc(8, (GOOD_SIZE + size + 7) & ~(size_t)7);
    if (*data % 4 == 0) {
        memcpy(copy, data + 1, size - 1);
        bundle_try(copy, size - 1);
    } else if (*data % 4 == 1) {
        memcpy(copy, data + 1, size - 1);
        kernel_try(copy, size - 1, *data & 4 ? 32 : 64, *data & 8 ? 0x300000 : 0);
    } else {
        size_t whole = good_bundle(copy);
        changes_apply(copy, whole, data + 1, size - 1);
        bundle_try(copy, whole);
    }
    free(copy);
    return 0;
}
