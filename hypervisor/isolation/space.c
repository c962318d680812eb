// Capsule RAM: whole if the machine can, in pieces where the back end allows it.
#include "isolation.h"

#include <string.h>

#include "backend.h"
#include "bits.h"
#include "frames.h"

// RAM of a capsule starts here under gstage, as on QEMU's virt.
#define GUEST_RAM_BASE 0x80000000ULL

// Capsule RAM stays clear of these under pmp, where a guest's device addresses are host addresses:
// finisher and generation id, PLIC, UART and virtio slots (see guest/devices.h).
static const struct range device_windows[] = {{0x00100000, 0x2000}, {0x0c000000, 0x4000000}, {0x10000000, 0x10000}};

static uint64_t piece_align(uint64_t size)
{
    return size >= GSTAGE_GIGA ? GSTAGE_GIGA : GSTAGE_MEGA;
}

static void pieces_free(struct space *s)
{
    for (unsigned i = 0; i < s->extent_count; i++)
        frames_free(s->extents[i].host, s->extents[i].size, s->owner);
    s->extent_count = 0;
    s->extents[0].size = 0; // see space_run_first()
}

// Largest pieces first, halved as memory gets scarce.
static bool pieces_take(struct space *s, uint64_t memory)
{
    uint64_t done = 0, piece = memory;

    while (done < memory && s->extent_count < SPACE_EXTENTS) {
        struct extent *e = &s->extents[s->extent_count];
        if (piece > memory - done)
            piece = memory - done;
        if (frames_allocate_run(piece, piece_align(piece), s->owner, NULL, 0, &e->host) == STATUS_OK ||
            frames_allocate_run(piece, GSTAGE_MEGA, s->owner, NULL, 0, &e->host) == STATUS_OK) {
            e->guest = gpa(GUEST_RAM_BASE + done);
            e->size = piece;
            done += piece;
            s->extent_count++;
        } else if (piece > GSTAGE_MEGA) {
            piece = align_up(piece / 2, GSTAGE_MEGA);
        } else {
            break;
        }
    }
    return done == memory;
}

static enum status create_gstage(struct space *s, uint64_t memory, const char **why)
{
    if (!isolation_features.hypervisor) {
        *why = "isolation gstage needs the H extension, which the harts lack; use pmp or auto";
        return STATUS_UNSUPPORTED;
    }
    if (!pieces_take(s, memory)) {
        pieces_free(s);
        *why = "not enough free memory, even in pieces";
        return STATUS_NO_MEMORY;
    }
    enum status status = gstage_attach(s);
    if (status != STATUS_OK) {
        pieces_free(s);
        *why = "no second-stage tables left";
    }
    return status;
}

static enum status create_pmp(struct space *s, uint64_t memory, const char **why)
{
    struct extent *e = &s->extents[0];

    if (isolation_features.pmp_count < PMP_ENTRIES_NEEDED) {
        *why = "isolation pmp needs physical memory protection, which the harts lack";
        return STATUS_UNSUPPORTED;
    }
    if (frames_allocate_run(memory, GSTAGE_MEGA, s->owner, device_windows, array_length(device_windows), &e->host) !=
        STATUS_OK) {
        *why = "no contiguous range of that size is free, and isolation pmp needs one";
        return STATUS_NO_MEMORY;
    }
    e->guest = gpa(e->host.value);
    e->size = memory;
    s->extent_count = 1;
    enum status status = pmp_attach(s);
    if (status != STATUS_OK) {
        pieces_free(s);
        *why = "physical memory protection can't express the range";
    }
    return status;
}

uint32_t space_serial_next(void)
{
    static _Atomic uint32_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

enum status space_create(struct space *s, enum isolation_kind kind, uint64_t memory, uint16_t owner, const char **why)
{
    *s = (struct space){
        .kind = kind, .serial = space_serial_next(), .owner = owner, .size = memory, .own_bytes = memory};
    if (memory == 0 || !is_aligned(memory, GSTAGE_MEGA)) {
        *why = "the memory's size is not a multiple of a large page";
        return STATUS_INVALID;
    }
    return kind == ISOLATION_GSTAGE ? create_gstage(s, memory, why) : create_pmp(s, memory, why);
}

void space_destroy(struct space *s)
{
    if (s->forked) {
        while (gstage_release_step(s)) {
        }
        return;
    }
    if (s->kind == ISOLATION_GSTAGE && s->hgatp)
        gstage_detach(s);
    pieces_free(s);
}

#define STEP_BYTES (256u << 10)

bool space_release_step(struct space *s)
{
    if (s->forked)
        return gstage_release_step(s);
    if (s->extent_count == 0) {
        space_destroy(s);
        return false;
    }
    struct extent *e = &s->extents[s->extent_count - 1];
    uint64_t part = e->size < STEP_BYTES ? e->size : STEP_BYTES;
    struct hpa end = hpa(e->host.value + e->size - part);
    memset(hpa_pointer(end), 0, part);
    frames_free(end, part, s->owner);
    e->size -= part;
    if (e->size == 0)
        s->extent_count--;
    return true;
}

uint64_t space_run_extents(const struct space *s, struct gpa a, struct hpa *out)
{
    for (unsigned i = 0; i < s->extent_count; i++) {
        const struct extent *e = &s->extents[i];
        if (a.value >= e->guest.value && a.value - e->guest.value < e->size) {
            uint64_t offset = a.value - e->guest.value;
            *out = hpa(e->host.value + offset);
            return e->size - offset;
        }
    }
    return 0;
}

uint64_t space_run(const struct space *s, struct gpa a, struct hpa *out)
{
    return unlikely(s->forked) ? gstage_run_at(s, a, out) : space_run_extents(s, a, out);
}

uint64_t space_private_bytes(const struct space *s)
{
    return s->own_bytes + s->tables.bytes;
}

unsigned long space_visitors(struct space *s)
{
    return atomic_load(&s->visitors);
}

void space_forget(struct space *s)
{
    for (unsigned i = 0; i < HARTS_MAX; i++)
        atomic_store_explicit(&s->resident[i], 0, memory_order_relaxed);
}

bool space_translate(const struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    return space_run(s, a, out) >= size && size > 0;
}

enum status space_translate_writable(struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    uint64_t run;

    if (likely(!s->forked))
        return space_run_extents(s, a, out) >= size && size > 0 ? STATUS_OK : STATUS_NOT_FOUND;
    enum status status = space_run_writable(s, a, out, &run);
    if (status == STATUS_OK && (run < size || size == 0))
        status = STATUS_NOT_FOUND;
    return status;
}
