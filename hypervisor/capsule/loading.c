// Bringing a capsule's images into its memory, in steps short enough that guests on the same hart don't feel
// them.
#include <string.h>

#include "capsule_state.h"
#include "devices.h"
#include "guest_tree.h"
#include "log.h"

#define STEP_BYTES (256u << 10)

// Where step by step copies lead: guest memory, piece by piece of host memory.
static uint64_t copy_part(struct space *s, uint64_t guest, const uint8_t *from, uint64_t size)
{
    struct hpa host;
    uint64_t run = space_run(s, gpa(guest), &host);

    CHECK(run > 0); // image_place checked that all lies in RAM
    if (size > run)
        size = run;
    if (size > STEP_BYTES)
        size = STEP_BYTES;
    if (from)
        memcpy(hpa_pointer(host), from, size);
    else
        memset(hpa_pointer(host), 0, size);
    return size;
}

// What there is to copy as piece n: the kernel's pieces, the zeros after each, then the ramdisk.
static bool piece_at(const struct capsule_state *s, unsigned n, uint64_t *guest, const uint8_t **from, uint64_t *size)
{
    const uint8_t *kernel = s->plan.kernel.data;

    if (n < 2 * s->image.piece_count) {
        const struct image_piece *p = &s->image.pieces[n / 2];
        bool zeros = n & 1;
        *guest = p->load + (zeros ? p->size : 0);
        *from = zeros ? NULL : kernel + p->offset;
        *size = zeros ? p->memory_size - p->size : p->size;
        if (zeros && s->image.kind == IMAGE_LINUX)
            *size = 0; // Linux clears its own bss
        return true;
    }
    *guest = s->layout.initrd.value;
    *from = s->plan.ramdisk.data;
    *size = s->plan.ramdisk.size;
    return n == 2 * s->image.piece_count;
}

bool load_step(struct capsule_state *s)
{
    uint64_t guest, size;
    const uint8_t *from;

    if (!piece_at(s, s->progress.piece, &guest, &from, &size))
        return false;
    if (s->progress.done < size)
        s->progress.done += copy_part(&s->capsule.space, guest + s->progress.done,
                                      from ? from + s->progress.done : NULL, size - s->progress.done);
    if (s->progress.done >= size)
        s->progress = (struct progress){.piece = s->progress.piece + 1};
    return true;
}

bool clear_step(struct capsule_state *s)
{
    const struct space *space = &s->capsule.space;

    if (s->progress.piece == space->extent_count)
        return false;
    const struct extent *e = &space->extents[s->progress.piece];
    s->progress.done +=
        copy_part(&s->capsule.space, e->guest.value + s->progress.done, NULL, e->size - s->progress.done);
    if (s->progress.done >= e->size)
        s->progress = (struct progress){.piece = s->progress.piece + 1};
    return true;
}

static unsigned slots_used(const struct capsule *c)
{
    unsigned used = 0;

    for (unsigned i = 0; i < VIRTIO_SLOTS; i++)
        used |= c->virtio[i] ? 1u << i : 0;
    return used;
}

void tree_write(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;
    uint8_t seed[GUEST_TREE_SEED_SIZE];
    struct hpa host;
    struct guest_tree tree = {
        .name = c->name,
        .ram_base = space_base(&c->space),
        .ram_size = c->space.size,
        .vcores = c->vcore_count,
        .isa = &machine_facts.guest_isa,
        .mmu_type = machine_facts.mmu_type,
        .timebase_hz = machine_facts.timebase_hz,
        .cbom_size = machine_facts.cbom_size,
        .cbop_size = machine_facts.cbop_size,
        .cboz_size = machine_facts.cboz_size,
        .initrd_start = s->layout.initrd,
        .initrd_end = gpa(s->layout.initrd.value + s->plan.ramdisk.size),
        .bootargs = s->plan.bootargs,
        .rng_seed = seed,
        .uart = gpa(UART_BASE),
        .plic = gpa(PLIC_BASE),
        .finisher = gpa(FINISHER_BASE),
        .generation = gpa(GENERATION_BASE),
        .terminal = may_keep_terminal(s),
        .plic_sources = VPLIC_SOURCES,
        .virtio = gpa(VIRTIO_BASE),
        .virtio_slots = slots_used(c),
    };

    entropy_draw(seed, sizeof(seed));
    bool ok = space_translate(&c->space, s->layout.tree, GUEST_TREE_SIZE(c->vcore_count), &host);
    CHECK(ok);
    enum status status = guest_tree_build(&tree, hpa_pointer(host), GUEST_TREE_SIZE(c->vcore_count));
    CHECK(status == STATUS_OK);
}
