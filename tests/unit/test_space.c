// sources: hypervisor/isolation/space.c hypervisor/isolation/gstage/gstage.c hypervisor/isolation/gstage/sharing.c
// sources: hypervisor/isolation/gstage/gstage_table.c hypervisor/isolation/pmp/pmp_plan.c hypervisor/memory/frames.c lib/buddy.c
// width: 64 (its sizes are those of Sv39x4)
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend.h"
#include "bits.h"
#include "fake/pmp.h"
#include "fences.h"
#include "frames.h"
#include "gstage_table.h"
#include "log.h"
#include "pmp_plan.h"

#define MIB 0x100000ULL
#define GIB 0x40000000ULL
#define OWNER 7u

// The hypervisor's memory, in the arena, with just the second-stage tables that capsules of these sizes
// need. Capsules' RAM is never touched here.
static const uint64_t sizes[] = {2 * MIB, 700 * MIB, GIB + 2 * MIB, 3 * GIB + 6 * MIB};
static const struct range hypervisor = {0, 2 * MIB};
static struct range tables;

unsigned char *hpa_arena;
struct isolation_features isolation_features;
static void *table;

_Noreturn void panic(const char *format, ...)
{
    (void)format;
    mock_assert(0, "panic", __FILE__, __LINE__);
    abort();
}

unsigned long fake_csr_write(unsigned csr, unsigned long value, const char *function)
{
    (void)csr, (void)value, (void)function;
    return 0;
}

void fake_fence(struct fence fence)
{
    (void)fence;
}

void pmp_load(const struct pmp_plan *plan)
{
    (void)plan;
}

void space_fence_others(struct space *s, struct gpa page)
{
    (void)s, (void)page;
}

void space_fence_others_all(struct space *s)
{
    (void)s;
}

enum status pmp_attach(struct space *s) // as in pmp.c, which needs more of a hart than this
{
    s->plan = &s->own_plan;
    return pmp_plan_add(&s->own_plan, (struct range){s->extents[0].host.value, s->extents[0].size},
                        PMP_R | PMP_W | PMP_X, isolation_features.pmp_grain_shift);
}

static int setup(void **state)
{
    (void)state;
    hpa_arena = aligned_alloc(FRAME_SIZE, 2 * MIB);
    isolation_features =
        (struct isolation_features){.hypervisor = true, .pmp_count = 8, .pmp_grain_shift = 12, .vmid_bits = 7};
    for (size_t i = 0; i < array_length(sizes); i++)
        tables.size += gstage_table_bytes(sizes[i]);
    tables.size = align_up(tables.size, GSTAGE_ROOT_SIZE);
    tables.start = range_end(hypervisor) - tables.size;
    assert_int_equal(gstage_init(hypervisor, tables), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(hpa_arena);
    free(table);
    return 0;
}

static void ram_of(const struct range *ram, size_t count)
{
    free(table);
    table = malloc(frames_table_size(ram, count));
    frames_init(table, ram, count);
    for (size_t i = 0; i < count; i++)
        frames_release(ram[i]);
}

static void take(uint64_t start, uint64_t size)
{
    // What is allocated lowest first up to there is given back but for the part wanted.
    struct hpa at;
    assert_int_equal(frames_allocate_run(start + size - 4 * GIB, 2 * MIB, 1, NULL, 0, &at), STATUS_OK);
    assert_int_equal(at.value, 4 * GIB);
    if (start > 4 * GIB)
        frames_free(at, start - 4 * GIB, 1);
}

static bool gstage_finds(const struct space *s, uint64_t guest, struct hpa *out)
{
    struct hpa root = hpa((s->hgatp & 0xfffffffffff) << FRAME_SHIFT);
    return gstage_lookup(&gstage_sv39x4, root, gpa(guest), out);
}

// Guest RAM is whole, its frames are the capsule's, and hardware finds what software finds.
static void space_check(const struct space *s, uint64_t memory, uint64_t base)
{
    struct hpa by_software, by_hardware;
    uint16_t owner;

    assert_int_equal(space_base(s).value, base);
    for (uint64_t at = 0; at < memory; at += MIB) {
        assert_true(space_translate(s, gpa(base + at), MIB, &by_software));
        assert_int_equal(frames_state(by_software, &owner), FRAME_CAPSULE);
        assert_int_equal(owner, s->owner);
        if (s->kind == ISOLATION_GSTAGE) {
            assert_true(gstage_finds(s, base + at + 123, &by_hardware));
            assert_int_equal(by_hardware.value, by_software.value + 123);
        }
    }
    assert_false(space_translate(s, gpa(base - 1), 1, &by_software));
    assert_false(space_translate(s, gpa(base + memory), 1, &by_software));
    assert_false(space_translate(s, gpa(base + memory - 1), 2, &by_software));
    assert_false(space_translate(s, gpa(base), 0, &by_software));
    assert_false(space_translate(s, gpa(base), UINT64_MAX, &by_software));
    assert_false(space_translate(s, gpa(UINT64_MAX), 1, &by_software));
    if (s->kind == ISOLATION_GSTAGE) {
        assert_false(gstage_finds(s, base - 1, &by_hardware));
        assert_false(gstage_finds(s, base + memory, &by_hardware));
    }
}

static void create_check(enum isolation_kind kind, uint64_t memory, unsigned extents)
{
    struct space s;
    const char *why = NULL;
    uint64_t before = frames_free_bytes();

    assert_int_equal(space_create(&s, kind, memory, OWNER, &why), STATUS_OK);
    assert_int_equal(s.extent_count, extents);
    assert_int_equal(frames_free_bytes(), before - memory);
    space_check(&s, memory, kind == ISOLATION_GSTAGE ? 0x80000000 : s.extents[0].host.value);
    space_destroy(&s);
    assert_int_equal(frames_free_bytes(), before);
}

static void refused(enum isolation_kind kind, uint64_t memory, enum status status)
{
    struct space s;
    const char *why = NULL;
    uint64_t before = frames_free_bytes();

    assert_int_equal(space_create(&s, kind, memory, OWNER, &why), status);
    assert_non_null(why);
    assert_int_equal(frames_free_bytes(), before);
}

static void test_whole(void **state)
{
    (void)state;
    ram_of(&(struct range){4 * GIB, 3 * GIB}, 1);
    for (unsigned kind = ISOLATION_GSTAGE; kind <= ISOLATION_PMP; kind++) {
        create_check((enum isolation_kind)kind, 2 * MIB, 1);
        create_check((enum isolation_kind)kind, 192 * MIB, 1);
        create_check((enum isolation_kind)kind, GIB + 2 * MIB, 1);
        create_check((enum isolation_kind)kind, 3 * GIB, 1);
    }
}

static void test_refused(void **state)
{
    (void)state;
    ram_of(&(struct range){4 * GIB, GIB}, 1);
    for (unsigned kind = ISOLATION_GSTAGE; kind <= ISOLATION_PMP; kind++) {
        refused((enum isolation_kind)kind, 0, STATUS_INVALID);
        refused((enum isolation_kind)kind, MIB, STATUS_INVALID);
        refused((enum isolation_kind)kind, 2 * MIB + FRAME_SIZE, STATUS_INVALID);
        refused((enum isolation_kind)kind, GIB + 2 * MIB, STATUS_NO_MEMORY);
        refused((enum isolation_kind)kind, UINT64_MAX & ~(2 * MIB - 1), STATUS_NO_MEMORY);
    }
    isolation_features.hypervisor = false;
    refused(ISOLATION_GSTAGE, 2 * MIB, STATUS_UNSUPPORTED);
    isolation_features.hypervisor = true;
    isolation_features.pmp_count = 2;
    refused(ISOLATION_PMP, 2 * MIB, STATUS_UNSUPPORTED);
    isolation_features.pmp_count = 8;
    isolation_features.pmp_grain_shift = 22;
    refused(ISOLATION_PMP, 2 * MIB, STATUS_UNSUPPORTED);
    isolation_features.pmp_grain_shift = 12;
}

// Pieces where the back end allows them, only there.
static void test_fragmented(void **state)
{
    (void)state;
    ram_of(&(struct range){4 * GIB, GIB}, 1);
    take(4 * GIB + 300 * MIB, 2 * MIB);
    refused(ISOLATION_PMP, 800 * MIB, STATUS_NO_MEMORY);
    create_check(ISOLATION_PMP, 700 * MIB, 1);
    create_check(ISOLATION_PMP, 300 * MIB, 1);
    struct space s;
    const char *why;
    uint64_t before = frames_free_bytes();
    assert_int_equal(space_create(&s, ISOLATION_GSTAGE, 1000 * MIB, OWNER, &why), STATUS_OK);
    assert_true(s.extent_count > 1);
    space_check(&s, 1000 * MIB, 0x80000000);
    // Contiguous for the guest, not for us: what crosses pieces is not one range.
    struct hpa out;
    uint64_t seam = s.extents[1].guest.value;
    assert_false(space_translate(&s, gpa(seam - 1), 2, &out));
    assert_int_equal(space_run(&s, gpa(seam - 1), &out), 1);
    assert_int_equal(space_run(&s, gpa(seam), &out), s.extents[1].size);
    space_destroy(&s);
    assert_int_equal(frames_free_bytes(), before);
}

// Every second large page is taken: more pieces than there is room for.
static void test_too_many_pieces(void **state)
{
    (void)state;
    ram_of(&(struct range){4 * GIB, GIB}, 1);
    struct hpa all;
    assert_int_equal(frames_allocate_run(GIB, 2 * MIB, 1, NULL, 0, &all), STATUS_OK);
    for (uint64_t at = 0; at < GIB; at += 4 * MIB)
        frames_free(hpa(all.value + at), 2 * MIB, 1);
    refused(ISOLATION_GSTAGE, 2 * (SPACE_EXTENTS + 1) * MIB, STATUS_NO_MEMORY);
    create_check(ISOLATION_GSTAGE, 2 * SPACE_EXTENTS * MIB, SPACE_EXTENTS);
    refused(ISOLATION_PMP, 4 * MIB, STATUS_NO_MEMORY);
}

// Under pmp a capsule's RAM is never where its devices are.
static void test_device_windows(void **state)
{
    (void)state;
    ram_of(&(struct range){0, 512 * MIB}, 1);
    const struct range windows[] = {{0x100000, 0x1000}, {0x0c000000, 0x4000000}, {0x10000000, 0x10000}};
    struct space spaces[32];
    unsigned count = 0;
    const char *why;
    while (space_create(&spaces[count], ISOLATION_PMP, 26 * MIB, (uint16_t)(OWNER + count), &why) == STATUS_OK) {
        for (unsigned i = 0; i < array_length(windows); i++)
            assert_false(range_overlaps(
                windows[i], (struct range){spaces[count].extents[0].host.value, spaces[count].extents[0].size}));
        count++;
    }
    assert_true(count > 10);
    while (count)
        space_destroy(&spaces[--count]);
    assert_int_equal(frames_free_bytes(), 512 * MIB);
}

static void test_plans(void **state)
{
    (void)state;
    const char *why;
    struct space s;
    ram_of(&(struct range){4 * GIB, GIB}, 1);
    assert_int_equal(space_create(&s, ISOLATION_PMP, 6 * MIB, OWNER, &why), STATUS_OK);
    struct fake_pmp pmp = {{0}, {0}};
    for (unsigned i = 1; i < s.plan->count; i++) {
        pmp.address[i] = s.plan->address[i];
        pmp.config[i] = s.plan->config[i];
    }
    assert_int_equal(fake_pmp_rights(&pmp, s.extents[0].host.value), 7);
    assert_int_equal(fake_pmp_rights(&pmp, s.extents[0].host.value + 6 * MIB), 0);
    assert_int_equal(fake_pmp_rights(&pmp, s.extents[0].host.value - 1), 0);
    space_destroy(&s);

    assert_int_equal(space_create(&s, ISOLATION_GSTAGE, 6 * MIB, OWNER, &why), STATUS_OK);
    for (unsigned i = 1; i < s.plan->count; i++) {
        pmp.address[i] = s.plan->address[i];
        pmp.config[i] = s.plan->config[i];
    }
    assert_int_equal(fake_pmp_rights(&pmp, hypervisor.start), 0);
    assert_int_equal(fake_pmp_rights(&pmp, tables.start - 1), 0);
    assert_int_equal(fake_pmp_rights(&pmp, tables.start), PMP_R);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(tables) - 1), PMP_R);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(hypervisor)), 7);
    // The hypervisor's memory grows by what lies behind it.
    gstage_protect_up_to(range_end(hypervisor) + 4 * MIB);
    for (unsigned i = 1; i < s.plan->count; i++)
        pmp.address[i] = s.plan->address[i];
    assert_int_equal(fake_pmp_rights(&pmp, tables.start), PMP_R);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(hypervisor)), 0);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(hypervisor) + 4 * MIB - 1), 0);
    assert_int_equal(fake_pmp_rights(&pmp, range_end(hypervisor) + 4 * MIB), 7);
    space_destroy(&s);
    assert_int_equal(gstage_init(hypervisor, tables), STATUS_OK);
}

// VMIDs are the owners, as far as they go; 0 is nobody's own.
static void test_vmids(void **state)
{
    (void)state;
    const char *why;
    struct space s;
    ram_of(&(struct range){4 * GIB, GIB}, 1);
    for (unsigned bits = 0; bits <= 14; bits++) {
        isolation_features.vmid_bits = bits;
        for (unsigned owner = 1; owner < 20000; owner = owner * 2 + 1) {
            assert_int_equal(space_create(&s, ISOLATION_GSTAGE, 2 * MIB, (uint16_t)owner, &why), STATUS_OK);
            assert_int_equal(s.vmid, owner < 1u << bits ? owner : 0);
            assert_int_equal(s.hgatp >> 44 & 0x3fff, s.vmid);
            assert_int_equal(s.hgatp >> 60, 8);
            space_destroy(&s);
        }
    }
    isolation_features.vmid_bits = 7;
}

// As many capsules as the tables were reckoned for, a thousand times over.
static void test_tables_suffice(void **state)
{
    (void)state;
    const char *why;
    struct space spaces[4];
    ram_of((struct range[]){{4 * GIB + 2 * MIB, 3 * GIB}, {8 * GIB + 2 * MIB, 4 * GIB}}, 2);
    for (unsigned round = 0; round < 1000; round++) {
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(
                space_create(&spaces[i], ISOLATION_GSTAGE, sizes[(i + round) % 4], (uint16_t)(OWNER + i), &why),
                STATUS_OK);
        for (unsigned i = 0; i < 4; i++)
            space_destroy(&spaces[(i + round / 4) % 4]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_fragmented),     cmocka_unit_test(test_too_many_pieces),
        cmocka_unit_test(test_device_windows), cmocka_unit_test(test_plans),
        cmocka_unit_test(test_vmids),          cmocka_unit_test(test_tables_suffice),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
