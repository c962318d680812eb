// sources: hypervisor/capsule/guest_tree.c lib/isa.c libfdt
//
// Guest trees of any capsule, into buffers of any size: what comes out is a sound tree, or an error.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "guest_tree.h"

// The input is read from its front; zeros when it is used up.
struct input {
    const uint8_t *data;
    size_t size;
};

static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t value = 0;
    for (; bytes && in->size; bytes--, in->data++, in->size--)
        value = value << 8 | *in->data;
    return value;
}

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static const uint8_t seed[GUEST_TREE_SEED_SIZE];
    struct isa isa = {.xlen = take(&in, 1) & 1 ? 32 : 64};
    for (unsigned i = 0; i < ISA_COUNT; i++)
        if (take(&in, 1) & 1)
            isa_add(&isa, (enum isa_extension)i);
    struct guest_tree tree = {
        .name = "fuzz",
        .ram_base = gpa(take(&in, 8)),
        .ram_size = take(&in, 8),
        .vcores = (unsigned)take(&in, 1) % (GUEST_TREE_VCORES_MAX + 2),
        .isa = &isa,
        .mmu_type = "riscv,sv39",
        .timebase_hz = (uint32_t)take(&in, 4),
        .cbom_size = (uint32_t)take(&in, 4),
        .initrd_start = gpa(take(&in, 8)),
        .initrd_end = gpa(take(&in, 8)),
        .bootargs = "quiet",
        .rng_seed = seed,
        .uart = gpa(take(&in, 8)),
        .plic = gpa(take(&in, 8)),
        .finisher = gpa(take(&in, 8)),
        .plic_sources = (uint32_t)take(&in, 4),
    };
    size_t room = take(&in, 3) % (GUEST_TREE_SIZE(GUEST_TREE_VCORES_MAX) + 1);
    void *buffer = aligned_alloc(8, (room + 7) & ~(size_t)7);
    enum status status = guest_tree_build(&tree, buffer, room);
    if (status == STATUS_OK)
        check(fdt_totalsize(buffer) <= room && !fdt_check_full(buffer, fdt_totalsize(buffer)));
    else
        check(status == STATUS_INVALID || room < GUEST_TREE_SIZE(tree.vcores));
    free(buffer);
    return 0;
}
