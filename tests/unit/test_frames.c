// sources: hypervisor/memory/frames.c lib/buddy.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frames.h"
#include "log.h"

#define MIB 0x100000ull
#define GIB (1024 * MIB)
#define BASE 0x80000000ull

unsigned char *hpa_arena;
static void *table;

// A panic ends the call that broke the rules; the tests expect it by name.
_Noreturn void panic(const char *format, ...)
{
    (void)format;
    mock_assert(0, "panic", __FILE__, __LINE__);
    abort();
}

// After a panic the allocator's lock stays taken, until this starts afresh.
static void start(const struct range *ram, size_t count)
{
    size_t size = frames_table_size(ram, count);
    free(table);
    table = malloc(size);
    memset(table, 0xa5, size);
    frames_init(table, ram, count);
}

static void start_one(uint64_t size)
{
    const struct range ram = {BASE, size};
    start(&ram, 1);
    frames_release(ram);
}

static int teardown(void **state)
{
    (void)state;
    free(table);
    table = NULL;
    return 0;
}

static struct hpa allocate(unsigned order, uint16_t owner)
{
    struct hpa out = hpa(1);
    assert_int_equal(frames_allocate(order, owner, &out), STATUS_OK);
    assert_int_equal(out.value & (((uint64_t)FRAME_SIZE << order) - 1), 0);
    return out;
}

static struct hpa allocate_run(uint64_t bytes, uint64_t align, uint16_t owner)
{
    struct hpa out = hpa(1);
    assert_int_equal(frames_allocate_run(bytes, align, owner, NULL, 0, &out), STATUS_OK);
    return out;
}

static void assert_state(uint64_t address, enum frame_state state, uint16_t owner)
{
    uint16_t actual = 0xffff;
    assert_int_equal(frames_state(hpa(address), &actual), state);
    assert_int_equal(actual, owner);
    assert_int_equal(frames_state(hpa(address), NULL), state);
}

static void test_table_size(void **state)
{
    (void)state;
    const struct range ram[] = {{BASE, GIB}, {8 * GIB, 2 * MIB}};
    const size_t lists = 3 * (FRAMES_ORDER_MAX + 1) * 8; // the heads of the free lists
    assert_in_range(frames_table_size(ram, 0), lists, lists + 64);
    assert_in_range(frames_table_size(ram, 1), GIB / 512 + lists, GIB / 512 + lists + 64);
    assert_in_range(frames_table_size(ram, 2), GIB / 512 + 4096 + lists, GIB / 512 + 4096 + lists + 64);
    const struct range odd = {BASE, 3 * FRAME_SIZE};
    assert_in_range(frames_table_size(&odd, 1), 3 * 8 + lists, 3 * 8 + lists + 64);
}

static void test_all_reserved_at_first(void **state)
{
    (void)state;
    const struct range ram[] = {{BASE, 16 * MIB}, {BASE + GIB, 4 * MIB}};
    start(ram, 2);
    assert_int_equal(frames_total_bytes(), 20 * MIB);
    assert_int_equal(frames_free_bytes(), 0);
    assert_int_equal(frames_largest_free(), 0);
    assert_state(BASE, FRAME_RESERVED, 0);
    assert_state(BASE + 16 * MIB - 1, FRAME_RESERVED, 0);
    assert_state(BASE + 16 * MIB, FRAME_ABSENT, 0);
    assert_state(BASE - 1, FRAME_ABSENT, 0);
    assert_state(BASE + GIB, FRAME_RESERVED, 0);
    assert_state(BASE + GIB + 4 * MIB, FRAME_ABSENT, 0);
    assert_state(0, FRAME_ABSENT, 0);
    assert_state(UINT64_MAX, FRAME_ABSENT, 0);
    struct hpa out;
    assert_int_equal(frames_allocate(0, 1, &out), STATUS_NO_MEMORY);
    assert_int_equal(frames_allocate_run(2 * MIB, 2 * MIB, 1, NULL, 0, &out), STATUS_NO_MEMORY);
}

static void test_unaligned_ram_is_cut(void **state)
{
    (void)state;
    const struct range ram[] = {{BASE + 100, 3 * FRAME_SIZE}, {BASE + MIB + 1, FRAME_SIZE}, {BASE + 2 * MIB, 0}};
    start(ram, 3);
    assert_int_equal(frames_total_bytes(), 2 * FRAME_SIZE);
    assert_state(BASE, FRAME_ABSENT, 0);
    assert_state(BASE + FRAME_SIZE, FRAME_RESERVED, 0);
    assert_state(BASE + 2 * FRAME_SIZE, FRAME_RESERVED, 0);
    assert_state(BASE + 3 * FRAME_SIZE, FRAME_ABSENT, 0);
    assert_state(BASE + MIB, FRAME_ABSENT, 0);
}

static void test_release_cuts_to_whole_pages_and_ram(void **state)
{
    (void)state;
    const struct range ram[] = {{BASE, 16 * MIB}, {BASE + 32 * MIB, 16 * MIB}};
    start(ram, 2);
    frames_release((struct range){BASE + 1, 2 * FRAME_SIZE});
    assert_int_equal(frames_free_bytes(), FRAME_SIZE);
    assert_state(BASE, FRAME_RESERVED, 0);
    assert_state(BASE + FRAME_SIZE, FRAME_FREE, 0);
    assert_state(BASE + 2 * FRAME_SIZE, FRAME_RESERVED, 0);
    frames_release((struct range){BASE + 4 * FRAME_SIZE, 10});
    frames_release((struct range){BASE, 0});
    frames_release((struct range){0, BASE});
    assert_int_equal(frames_free_bytes(), FRAME_SIZE);
    frames_release((struct range){BASE + 8 * MIB, GIB});
    assert_int_equal(frames_free_bytes(), FRAME_SIZE + 24 * MIB);
    assert_int_equal(frames_largest_free(), 16 * MIB);
}

static void test_orders(void **state)
{
    (void)state;
    start_one(4 * GIB);
    for (unsigned order = 0; order <= FRAMES_ORDER_MAX; order++) {
        uint64_t before = frames_free_bytes();
        struct hpa block = allocate(order, 3);
        uint64_t size = (uint64_t)FRAME_SIZE << order;
        assert_int_equal(frames_free_bytes(), before - size);
        assert_state(block.value, FRAME_CAPSULE, 3);
        assert_state(block.value + size - 1, FRAME_CAPSULE, 3);
        frames_free(block, size, 3);
        assert_int_equal(frames_free_bytes(), before);
        assert_state(block.value, FRAME_FREE, 0);
    }
    struct hpa out = hpa(5);
    assert_int_equal(frames_allocate(FRAMES_ORDER_MAX + 1, 1, &out), STATUS_INVALID);
    assert_int_equal(frames_allocate(~0u, 1, &out), STATUS_INVALID);
    assert_int_equal(out.value, 5);
    assert_int_equal(frames_largest_free(), 4 * GIB);
}

static void test_owner_zero_is_the_hypervisor(void **state)
{
    (void)state;
    start_one(16 * MIB);
    struct hpa ours = allocate(0, 0), theirs = allocate(0, 65535);
    assert_state(ours.value, FRAME_HYPERVISOR, 0);
    assert_state(theirs.value, FRAME_CAPSULE, 65535);
    frames_free(ours, FRAME_SIZE, 0);
    frames_free(theirs, FRAME_SIZE, 65535);
    assert_int_equal(frames_free_bytes(), 16 * MIB);
}

static void test_exhaustion_and_recovery(void **state)
{
    (void)state;
    start_one(MIB);
    static struct hpa all[256];
    for (size_t i = 0; i < 256; i++)
        all[i] = allocate(0, 1);
    struct hpa out;
    assert_int_equal(frames_allocate(0, 1, &out), STATUS_NO_MEMORY);
    assert_int_equal(frames_free_bytes(), 0);
    for (size_t i = 0; i < 256; i++)
        frames_free(all[i * 37 % 256], FRAME_SIZE, 1);
    assert_int_equal(frames_free_bytes(), MIB);
    assert_int_equal(allocate(8, 1).value, BASE);
}

static void test_small_blocks_gather_at_the_top(void **state)
{
    (void)state;
    start_one(64 * MIB);
    for (unsigned i = 1; i <= 512; i++)
        assert_int_equal(allocate(0, 0).value, BASE + 64 * MIB - i * FRAME_SIZE);
    assert_int_equal(frames_largest_free(), 62 * MIB);
    assert_int_equal(allocate_run(62 * MIB, 2 * MIB, 1).value, BASE);
}

static void test_runs_of_any_size(void **state)
{
    (void)state;
    start_one(GIB);
    for (uint64_t size = 2 * MIB; size <= GIB; size += 26 * MIB) {
        struct hpa run = allocate_run(size, 2 * MIB, 9);
        assert_int_equal(run.value, BASE);
        assert_int_equal(frames_free_bytes(), GIB - size);
        assert_int_equal(frames_largest_free(), GIB - size);
        assert_state(BASE, FRAME_CAPSULE, 9);
        assert_state(BASE + size - 1, FRAME_CAPSULE, 9);
        if (size < GIB)
            assert_state(BASE + size, FRAME_FREE, 0);
        frames_free(run, size, 9);
        assert_int_equal(frames_largest_free(), GIB);
    }
}

static void test_run_bad_arguments(void **state)
{
    (void)state;
    start_one(16 * MIB);
    struct hpa out;
    assert_int_equal(frames_allocate_run(0, 2 * MIB, 1, NULL, 0, &out), STATUS_INVALID);
    assert_int_equal(frames_allocate_run(3 * MIB, 2 * MIB, 1, NULL, 0, &out), STATUS_INVALID);
    assert_int_equal(frames_allocate_run(2 * MIB + 4096, 2 * MIB, 1, NULL, 0, &out), STATUS_INVALID);
    assert_int_equal(frames_allocate_run(2 * MIB, 0, 1, NULL, 0, &out), STATUS_INVALID);
    assert_int_equal(frames_allocate_run(2 * MIB, MIB, 1, NULL, 0, &out), STATUS_INVALID);
    assert_int_equal(frames_allocate_run(2 * MIB, 6 * MIB, 1, NULL, 0, &out), STATUS_INVALID);
    assert_int_equal(frames_allocate_run(18 * MIB, 2 * MIB, 1, NULL, 0, &out), STATUS_NO_MEMORY);
    assert_int_equal(frames_allocate_run(~(2 * MIB - 1), 2 * MIB, 1, NULL, 0, &out), STATUS_NO_MEMORY);
    assert_int_equal(frames_allocate_run(2 * MIB, 1ull << 63, 1, NULL, 0, &out), STATUS_NO_MEMORY);
    assert_int_equal(frames_free_bytes(), 16 * MIB);
}

static void test_run_alignment_and_first_fit(void **state)
{
    (void)state;
    start_one(64 * MIB);
    assert_int_equal(allocate_run(2 * MIB, 2 * MIB, 1).value, BASE);
    assert_int_equal(allocate_run(4 * MIB, 4 * MIB, 1).value, BASE + 4 * MIB);
    assert_int_equal(allocate_run(2 * MIB, 2 * MIB, 1).value, BASE + 2 * MIB);
    assert_int_equal(allocate_run(6 * MIB, 16 * MIB, 1).value, BASE + 16 * MIB);
    assert_int_equal(allocate_run(8 * MIB, 2 * MIB, 1).value, BASE + 8 * MIB);
    frames_free(hpa(BASE + 4 * MIB), 4 * MIB, 1);
    assert_int_equal(allocate_run(6 * MIB, 2 * MIB, 1).value, BASE + 22 * MIB);
    assert_int_equal(allocate_run(4 * MIB, 2 * MIB, 1).value, BASE + 4 * MIB);
}

static void test_run_crosses_block_borders(void **state)
{
    (void)state;
    // Blocks of 2, 4, 8, ... MiB follow each other here.
    const struct range ram = {BASE + 2 * MIB, 126 * MIB};
    start(&ram, 1);
    frames_release(ram);
    assert_int_equal(frames_largest_free(), 126 * MIB);
    struct hpa run = allocate_run(126 * MIB, 2 * MIB, 1);
    assert_int_equal(run.value, BASE + 2 * MIB);
    frames_free(run, 126 * MIB, 1);
    assert_int_equal(allocate_run(62 * MIB, 64 * MIB, 1).value, BASE + 64 * MIB);
}

static void test_run_needs_one_piece(void **state)
{
    (void)state;
    start_one(16 * MIB);
    struct hpa run = allocate_run(16 * MIB, 2 * MIB, 1);
    frames_free(hpa(run.value + 2 * MIB), 4 * MIB, 1);
    frames_free(hpa(run.value + 8 * MIB), 6 * MIB, 1);
    struct hpa out;
    assert_int_equal(frames_largest_free(), 6 * MIB);
    assert_int_equal(frames_allocate_run(8 * MIB, 2 * MIB, 1, NULL, 0, &out), STATUS_NO_MEMORY);
    assert_int_equal(allocate_run(6 * MIB, 2 * MIB, 1).value, BASE + 8 * MIB);
    assert_int_equal(allocate_run(4 * MIB, 2 * MIB, 1).value, BASE + 2 * MIB);
    assert_int_equal(frames_free_bytes(), 0);
}

static void test_run_avoids_windows(void **state)
{
    (void)state;
    start_one(64 * MIB);
    const struct range avoid[] = {
        {BASE + 20 * MIB, MIB}, {BASE, 1}, {BASE + 8 * MIB - 1, 1}, {0, MIB}, {BASE + 11 * MIB, 0}};
    struct hpa out;
    assert_int_equal(frames_allocate_run(6 * MIB, 2 * MIB, 1, avoid, 5, &out), STATUS_OK);
    assert_int_equal(out.value, BASE + 8 * MIB);
    assert_int_equal(frames_allocate_run(4 * MIB, 2 * MIB, 1, avoid, 5, &out), STATUS_OK);
    assert_int_equal(out.value, BASE + 2 * MIB);
    assert_int_equal(frames_allocate_run(16 * MIB, 16 * MIB, 1, avoid, 5, &out), STATUS_OK);
    assert_int_equal(out.value, BASE + 32 * MIB);
    assert_int_equal(frames_allocate_run(44 * MIB, 2 * MIB, 1, avoid, 5, &out), STATUS_NO_MEMORY);
    const struct range everything = {0, 64 * GIB};
    assert_int_equal(frames_allocate_run(2 * MIB, 2 * MIB, 1, &everything, 1, &out), STATUS_NO_MEMORY);
}

static void test_several_ranges(void **state)
{
    (void)state;
    const struct range ram[] = {{64 * GIB, 32 * MIB}, {BASE, 16 * MIB}, {BASE + 16 * MIB, 16 * MIB}};
    start(ram, 3);
    frames_release((struct range){0, 128 * GIB});
    assert_int_equal(frames_free_bytes(), 64 * MIB);
    assert_int_equal(allocate_run(32 * MIB, 2 * MIB, 1).value, 64 * GIB);
    struct hpa out;
    // Ranges that touch are two all the same: no block and no run crosses their border.
    assert_int_equal(frames_allocate_run(18 * MIB, 2 * MIB, 1, NULL, 0, &out), STATUS_NO_MEMORY);
    assert_int_equal(allocate_run(16 * MIB, 2 * MIB, 1).value, BASE);
    assert_int_equal(allocate(12, 1).value, BASE + 16 * MIB);
    assert_int_equal(frames_free_bytes(), 0);
    frames_free(hpa(64 * GIB), 32 * MIB, 1);
    frames_free(hpa(BASE), 16 * MIB, 1);
    frames_free(hpa(BASE + 16 * MIB), 16 * MIB, 1);
    assert_int_equal(frames_free_bytes(), 64 * MIB);
}

static void test_free_in_parts(void **state)
{
    (void)state;
    start_one(16 * MIB);
    struct hpa run = allocate_run(8 * MIB, 2 * MIB, 4);
    frames_free(hpa(run.value + 5 * FRAME_SIZE), 3 * FRAME_SIZE, 4);
    assert_int_equal(frames_free_bytes(), 8 * MIB + 3 * FRAME_SIZE);
    assert_state(run.value + 4 * FRAME_SIZE, FRAME_CAPSULE, 4);
    assert_state(run.value + 5 * FRAME_SIZE, FRAME_FREE, 0);
    assert_state(run.value + 8 * FRAME_SIZE, FRAME_CAPSULE, 4);
    frames_free(run, 0, 4);
    frames_free(run, 5 * FRAME_SIZE, 4);
    frames_free(hpa(run.value + 8 * FRAME_SIZE), 8 * MIB - 8 * FRAME_SIZE, 4);
    assert_int_equal(frames_free_bytes(), 16 * MIB);
    assert_int_equal(frames_largest_free(), 16 * MIB);
}

static void test_hypervisor_range(void **state)
{
    (void)state;
    const struct range ram = {BASE, 64 * MIB}, zone = {BASE + 5 * FRAME_SIZE, 3 * MIB};
    start(&ram, 1);
    frames_set_hypervisor_range(zone, 0);
    frames_release(ram);
    assert_int_equal(frames_free_bytes(), 64 * MIB);
    assert_int_equal(frames_largest_free(), 60 * MIB);
    static struct hpa all[3 * 256];
    struct hpa out;
    for (size_t i = 0; i < array_length(all); i++) {
        all[i] = allocate(0, 0);
        assert_true(range_contains(zone, all[i].value, FRAME_SIZE));
    }
    assert_int_equal(frames_allocate(0, 0, &out), STATUS_NO_MEMORY);
    struct hpa run = allocate_run(60 * MIB, 2 * MIB, 1);
    while (frames_allocate(0, 2, &out) == STATUS_OK)
        assert_false(range_contains(zone, out.value, FRAME_SIZE));
    assert_int_equal(frames_free_bytes(), 0);
    for (size_t i = 0; i < array_length(all); i++)
        frames_free(all[i], FRAME_SIZE, 0);
    assert_int_equal(frames_free_bytes(), 3 * MIB);
    assert_int_equal(frames_allocate(0, 1, &out), STATUS_NO_MEMORY);
    frames_free(run, 60 * MIB, 1);
    assert_int_equal(frames_largest_free(), 60 * MIB);
    assert_int_equal(frames_allocate_run(2 * MIB, 2 * MIB, 0, NULL, 0, &out), STATUS_NO_MEMORY);
}

// In functions of their own: what lives across the longjmp() of a caught panic could be clobbered.
#define APART static __attribute__((noinline)) void

APART free_panics(struct hpa start, uint64_t bytes, uint16_t owner)
{
    expect_assert_failure(frames_free(start, bytes, owner));
}

APART release_panics(struct range range)
{
    expect_assert_failure(frames_release(range));
}
APART zone_panics(struct range zone)
{
    expect_assert_failure(frames_set_hypervisor_range(zone, 0));
}

static void test_free_by_another_panics(void **state)
{
    (void)state;
    start_one(16 * MIB);
    struct hpa block = allocate(3, 7);
    free_panics(block, 8 * FRAME_SIZE, 6);
    start_one(16 * MIB);
    block = allocate(3, 7);
    free_panics(block, 8 * FRAME_SIZE, 0);
    start_one(16 * MIB);
    block = allocate(3, 7);
    allocate(3, 7);
    free_panics(block, 9 * FRAME_SIZE, 7); // beyond the end of the RAM
}

static void test_free_twice_panics(void **state)
{
    (void)state;
    start_one(16 * MIB);
    struct hpa block = allocate(0, 7);
    frames_free(block, FRAME_SIZE, 7);
    free_panics(block, FRAME_SIZE, 7);
}

static void test_free_of_what_is_not_given_panics(void **state)
{
    (void)state;
    const uint64_t bad[][2] = {
        {BASE, FRAME_SIZE},               // FREE
        {0, FRAME_SIZE},                  // ABSENT
        {BASE + 16 * MIB, FRAME_SIZE},    // ABSENT
        {BASE + 12 * MIB, FRAME_SIZE},    // RESERVED
        {BASE + 1, FRAME_SIZE},           // not a frame
        {BASE, FRAME_SIZE / 2},           // not frames
        {BASE, 1ull << 44},               // too long
        {BASE, ~(uint64_t)FRAME_SIZE + 1} // wraps
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        const struct range ram = {BASE, 16 * MIB};
        start(&ram, 1);
        frames_release((struct range){BASE, 8 * MIB});
        free_panics(hpa(bad[i][0]), bad[i][1], 0);
    }
}

static void test_release_twice_panics(void **state)
{
    (void)state;
    start_one(16 * MIB);
    release_panics((struct range){BASE + MIB, FRAME_SIZE});
    start_one(16 * MIB);
    allocate(12, 1);
    release_panics((struct range){BASE + MIB, FRAME_SIZE});
}

static void test_bad_hypervisor_range_panics(void **state)
{
    (void)state;
    const struct range ram = {BASE, 16 * MIB};
    const struct range bad[] = {{BASE, 0}, {BASE + 1, FRAME_SIZE}, {0, FRAME_SIZE}, {BASE + 15 * MIB, 2 * MIB}};
    for (size_t i = 0; i < array_length(bad); i++) {
        start(&ram, 1);
        zone_panics(bad[i]);
    }
}

static void test_too_many_ranges_panic(void **state)
{
    (void)state;
    struct range ram[FRAMES_RANGES_MAX + 1];
    for (size_t i = 0; i < array_length(ram); i++)
        ram[i] = (struct range){BASE + i * MIB, FRAME_SIZE};
    start(ram, FRAMES_RANGES_MAX);
    assert_int_equal(frames_total_bytes(), FRAMES_RANGES_MAX * FRAME_SIZE);
    expect_assert_failure(start(ram, FRAMES_RANGES_MAX + 1));
}

// One byte per frame: what the allocator should think of it.
#define MODEL_FRAMES 8192
static struct {
    uint8_t state;
    uint16_t owner;
} model[MODEL_FRAMES];

static struct grant {
    uint64_t start, bytes;
    uint16_t owner;
} grants[256];
static size_t grant_count;

static void model_set(uint64_t start, uint64_t bytes, enum frame_state from, enum frame_state to, uint16_t owner)
{
    for (uint64_t i = (start - BASE) / FRAME_SIZE; i < (start - BASE + bytes) / FRAME_SIZE; i++) {
        assert_int_equal(model[i].state, from);
        model[i].state = (uint8_t)to;
        model[i].owner = owner;
    }
}

static bool model_has_free(uint64_t frames, uint64_t align)
{
    for (uint64_t i = 0; i + frames <= MODEL_FRAMES; i += align) {
        uint64_t n = 0;
        while (n < frames && model[i + n].state == FRAME_FREE)
            n++;
        if (n == frames)
            return true;
    }
    return false;
}

static void model_check(void)
{
    uint64_t free_frames = 0;
    for (uint64_t i = 0; i < MODEL_FRAMES; i++) {
        free_frames += model[i].state == FRAME_FREE;
        assert_state(BASE + i * FRAME_SIZE, model[i].state, model[i].owner);
    }
    assert_int_equal(frames_free_bytes(), free_frames * FRAME_SIZE);
}

static void grant_add(uint64_t start, uint64_t bytes, uint16_t owner)
{
    model_set(start, bytes, FRAME_FREE, owner ? FRAME_CAPSULE : FRAME_HYPERVISOR, owner);
    grants[grant_count++] = (struct grant){start, bytes, owner};
}

static void random_allocate(void)
{
    unsigned order = (unsigned)(rand() % 12);
    uint16_t owner = (uint16_t)(rand() % 5);
    struct hpa out;
    bool possible = model_has_free(1u << order, 1u << order);
    assert_int_equal(frames_allocate(order, owner, &out), possible ? STATUS_OK : STATUS_NO_MEMORY);
    if (possible)
        grant_add(out.value, (uint64_t)FRAME_SIZE << order, owner);
}

static void random_allocate_run(void)
{
    uint64_t bytes = (uint64_t)(1 + rand() % 6) * 2 * MIB, align = 2 * MIB << rand() % 3;
    uint16_t owner = (uint16_t)(rand() % 5);
    struct hpa out;
    bool possible = model_has_free(bytes / FRAME_SIZE, align / FRAME_SIZE);
    assert_int_equal(frames_allocate_run(bytes, align, owner, NULL, 0, &out), possible ? STATUS_OK : STATUS_NO_MEMORY);
    if (possible) {
        assert_int_equal(out.value % align, 0);
        grant_add(out.value, bytes, owner);
    }
}

// The whole of a grant, or a part, which leaves up to two pieces.
static void random_free(void)
{
    size_t i = (size_t)rand() % grant_count;
    struct grant g = grants[i];
    uint64_t count = g.bytes / FRAME_SIZE, first = 0;
    grants[i] = grants[--grant_count];
    if (rand() % 3 == 0) {
        first = (uint64_t)rand() % count;
        count = 1 + (uint64_t)rand() % (count - first);
    }
    uint64_t start = g.start + first * FRAME_SIZE, bytes = count * FRAME_SIZE;
    frames_free(hpa(start), bytes, g.owner);
    model_set(start, bytes, g.owner ? FRAME_CAPSULE : FRAME_HYPERVISOR, FRAME_FREE, 0);
    if (first)
        grants[grant_count++] = (struct grant){g.start, start - g.start, g.owner};
    if (start + bytes < g.start + g.bytes)
        grants[grant_count++] = (struct grant){start + bytes, g.start + g.bytes - start - bytes, g.owner};
}

static void test_random_against_model(void **state)
{
    (void)state;
    srand(7);
    start_one(MODEL_FRAMES * FRAME_SIZE);
    memset(model, 0, sizeof(model));
    grant_count = 0;
    model_set(BASE, MODEL_FRAMES * FRAME_SIZE, FRAME_RESERVED, FRAME_FREE, 0);
    for (unsigned step = 0; step < 20000 / FEWER; step++) {
        if (grant_count && (rand() % 2 || grant_count > array_length(grants) - 3))
            random_free();
        else if (rand() % 4)
            random_allocate();
        else
            random_allocate_run();
        if (step % 256 == 0)
            model_check();
    }
    model_check();
    while (grant_count)
        random_free();
    model_check();
    assert_int_equal(frames_largest_free(), MODEL_FRAMES * FRAME_SIZE);
}

// --- the hypervisor's range grows ---------------------------------------------------------------------------

static void start_zone(uint64_t ram_size, struct range zone, uint64_t room)
{
    const struct range ram = {BASE, ram_size};
    start(&ram, 1);
    frames_set_hypervisor_range(zone, room);
    frames_release(ram);
}

static void test_zone_grows(void **state)
{
    (void)state;
    struct range zone = {BASE + 5 * FRAME_SIZE, 2 * MIB - 5 * FRAME_SIZE}, grown;
    start_zone(64 * MIB, zone, 0);
    struct hpa out;
    assert_int_equal(frames_hypervisor_free_bytes(), zone.size);
    while (frames_allocate(0, 0, &out) == STATUS_OK)
        assert_true(range_contains(zone, out.value, FRAME_SIZE));
    assert_int_equal(frames_hypervisor_free_bytes(), 0);
    assert_false(frames_hypervisor_has(0));
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(frames_grow_hypervisor_range(2 * MIB, &grown), STATUS_OK);
        assert_int_equal(grown.start, zone.start);
        assert_int_equal(grown.size, zone.size + i * 2 * MIB);
        assert_int_equal(frames_hypervisor_free_bytes(), i * 2 * MIB);
        assert_true(frames_hypervisor_has(9));
        assert_false(frames_hypervisor_has(11));
    }
    assert_true(frames_hypervisor_has(10));
    assert_int_equal(frames_largest_free(), 56 * MIB);
    // As one piece: neighbours within the range are merged.
    assert_true(range_contains(grown, allocate(10, 0).value, 4 * MIB));
    assert_int_equal(allocate_run(56 * MIB, 2 * MIB, 1).value, BASE + 8 * MIB);
    assert_int_equal(frames_grow_hypervisor_range(2 * MIB, &grown), STATUS_NO_MEMORY);
    frames_free(hpa(BASE + 10 * MIB), 54 * MIB, 1);
    assert_int_equal(frames_grow_hypervisor_range(2 * MIB, &grown), STATUS_NO_MEMORY);
    frames_free(hpa(BASE + 8 * MIB), 2 * MIB - FRAME_SIZE, 1);
    assert_int_equal(frames_grow_hypervisor_range(2 * MIB, &grown), STATUS_NO_MEMORY);
    frames_free(hpa(BASE + 10 * MIB - FRAME_SIZE), FRAME_SIZE, 1);
    assert_int_equal(frames_grow_hypervisor_range(2 * MIB, &grown), STATUS_OK);
    assert_int_equal(frames_grow_hypervisor_range(56 * MIB, &grown), STATUS_NO_MEMORY); // beyond the RAM
    assert_int_equal(frames_grow_hypervisor_range(54 * MIB, &grown), STATUS_OK);
    assert_int_equal(grown.size, 64 * MIB - 5 * FRAME_SIZE);
}

static void test_room_is_taken_last(void **state)
{
    (void)state;
    const struct range zone = {BASE, 2 * MIB}, room = {BASE + 2 * MIB, 16 * MIB};
    struct range grown;
    start_zone(64 * MIB, zone, room.size);
    assert_int_equal(frames_largest_free(), 62 * MIB);
    assert_int_equal(allocate_run(62 * MIB, 2 * MIB, 1).value, BASE + 2 * MIB);
    frames_free(hpa(BASE + 2 * MIB), 62 * MIB, 1);
    assert_int_equal(allocate_run(40 * MIB, 2 * MIB, 1).value, range_end(room));
    for (unsigned i = 0; i < 6 * 256; i++)
        assert_false(range_contains(room, allocate(0, 1).value, FRAME_SIZE));
    assert_true(range_contains(room, allocate(0, 1).value, FRAME_SIZE));
    assert_int_equal(frames_grow_hypervisor_range(14 * MIB, &grown), STATUS_OK);
    assert_int_equal(frames_grow_hypervisor_range(2 * MIB, &grown), STATUS_NO_MEMORY);
    // The room is only as long as there is RAM.
    start_zone(64 * MIB, zone, GIB);
    assert_int_equal(allocate_run(62 * MIB, 2 * MIB, 1).value, BASE + 2 * MIB);
}

// --- sharing ----------------------------------------------------------------------------------------------------

static void share(struct hpa start_at, uint64_t bytes, uint16_t owner)
{
    unsigned work = 0;
    assert_int_equal(frames_share(start_at, bytes, owner, &work), STATUS_OK);
    assert_true(work > 0);
}

static void test_share_and_claim(void **state)
{
    (void)state;
    start_one(16 * MIB);
    struct hpa run = allocate_run(8 * MIB, 2 * MIB, 1);
    uint64_t done;
    share(run, 8 * MIB, 1);
    assert_state(run.value, FRAME_SHARED, 0);
    assert_int_equal(frames_references(run), 2);
    share(run, 2 * MIB, 1);
    assert_int_equal(frames_references(run), 3);
    assert_int_equal(frames_references(hpa(run.value + 2 * MIB)), 2);
    assert_false(frames_claim(run, 8 * MIB, 1));
    assert_false(frames_unshare(hpa(run.value + 4 * MIB), 4 * MIB, 1, &done));
    assert_int_equal(done, 4 * MIB);
    assert_true(frames_claim(hpa(run.value + 4 * MIB), 4 * MIB, 2));
    assert_state(run.value + 4 * MIB, FRAME_CAPSULE, 2);
    assert_false(frames_claim(hpa(run.value + 2 * MIB), 2 * MIB + FRAME_SIZE, 2));
    // A part of a block: the rest stays as it is.
    struct hpa page = hpa(run.value + 3 * MIB);
    assert_false(frames_unshare(page, FRAME_SIZE, 1, &done));
    assert_int_equal(done, FRAME_SIZE);
    assert_true(frames_unshare(page, FRAME_SIZE, 2, &done));
    assert_state(page.value, FRAME_CAPSULE, 2);
    assert_int_equal(frames_references(hpa(page.value + FRAME_SIZE)), 2);
    assert_int_equal(frames_references(hpa(page.value - 1)), 2);
    assert_true(frames_unshare(page, FRAME_SIZE, 2, &done));
    frames_free(page, FRAME_SIZE, 2);
    assert_int_equal(frames_references(page), 0);
}

static void test_references_are_bounded(void **state)
{
    (void)state;
    start_one(4 * MIB);
    struct hpa block = allocate(1, 1);
    unsigned work = 0;
    for (unsigned i = 2; i < FRAMES_REFERENCES_MAX; i++)
        share(block, FRAME_SIZE, 1);
    assert_int_equal(frames_share(block, 2 * FRAME_SIZE, 1, &work), STATUS_OK);
    assert_int_equal(frames_references(block), FRAMES_REFERENCES_MAX);
    assert_int_equal(work, 2);
    assert_int_equal(frames_share(block, 2 * FRAME_SIZE, 1, &work), STATUS_NO_MEMORY);
    assert_int_equal(frames_references(hpa(block.value + FRAME_SIZE)), 2); // all or nothing
    assert_int_equal(frames_references(block), FRAMES_REFERENCES_MAX);
}

APART share_panics(struct hpa at, uint64_t bytes, uint16_t owner)
{
    unsigned work;
    expect_assert_failure((void)!frames_share(at, bytes, owner, &work));
}

APART unshare_panics(struct hpa at, uint64_t bytes, uint16_t owner)
{
    uint64_t done;
    expect_assert_failure((void)!frames_unshare(at, bytes, owner, &done));
}

APART claim_panics(struct hpa at, uint64_t bytes, uint16_t owner)
{
    expect_assert_failure((void)!frames_claim(at, bytes, owner));
}

static void test_illegal_sharing_panics(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        start_one(16 * MIB);
        struct hpa theirs = allocate(0, 2), ours = allocate(0, 0), shared = allocate(0, 1);
        const struct hpa bad[] = {theirs, ours, hpa(BASE), hpa(0), hpa(shared.value + 1), hpa(BASE + 16 * MIB)};
        share(shared, FRAME_SIZE, 1);
        share_panics(bad[i], FRAME_SIZE, 1);
        frames_init(table, &(struct range){BASE, 16 * MIB}, 1); // lets go of the lock
        unshare_panics(bad[i], FRAME_SIZE, 1);
        frames_init(table, &(struct range){BASE, 16 * MIB}, 1);
        claim_panics(bad[i], FRAME_SIZE, 1);
    }
    start_one(16 * MIB);
    struct hpa shared = allocate(0, 1);
    share(shared, FRAME_SIZE, 1);
    free_panics(shared, FRAME_SIZE, 1);
}

// Who has a reference to each frame, as bits, and whether it was shared since it was given out.
#define SHARERS 5u
static struct {
    uint8_t owners;
    bool shared;
} holds[MODEL_FRAMES];

static unsigned holders(uint64_t i)
{
    return (unsigned)__builtin_popcount(holds[i].owners);
}

static void holds_check(void)
{
    uint64_t free_frames = 0;
    for (uint64_t i = 0; i < MODEL_FRAMES; i++) {
        unsigned n = holders(i);
        uint16_t owner = n && !holds[i].shared ? (uint16_t)(1 + __builtin_ctz(holds[i].owners)) : 0;
        free_frames += !n;
        assert_state(BASE + i * FRAME_SIZE, !n ? FRAME_FREE : holds[i].shared ? FRAME_SHARED : FRAME_CAPSULE, owner);
        assert_int_equal(frames_references(hpa(BASE + i * FRAME_SIZE)), n);
    }
    assert_int_equal(frames_free_bytes(), free_frames * FRAME_SIZE);
}

// The frames from 'i' on, at most some, that the owner holds.
static uint64_t held_run(uint64_t i, unsigned owner)
{
    uint64_t n = 0, most = 1u << rand() % 12;
    while (n < most && i + n < MODEL_FRAMES && holds[i + n].owners >> owner & 1)
        n++;
    return n;
}

static void holds_share(uint64_t i, uint64_t n, unsigned owner)
{
    unsigned other = (unsigned)rand() % SHARERS, work = 0;
    for (uint64_t k = 0; k < n; k++)
        if (holds[i + k].owners >> other & 1)
            n = k;
    if (!n)
        return;
    assert_int_equal(frames_share(hpa(BASE + i * FRAME_SIZE), n * FRAME_SIZE, (uint16_t)(owner + 1), &work), STATUS_OK);
    for (uint64_t k = 0; k < n; k++) {
        holds[i + k].owners |= (uint8_t)(1u << other);
        holds[i + k].shared = true;
    }
}

static void holds_claim(uint64_t i, uint64_t n, unsigned owner)
{
    bool alone = true;
    for (uint64_t k = 0; k < n; k++)
        alone = alone && holders(i + k) == 1;
    assert_int_equal(frames_claim(hpa(BASE + i * FRAME_SIZE), n * FRAME_SIZE, (uint16_t)(owner + 1)), alone);
    for (uint64_t k = 0; k < n && alone; k++)
        holds[i + k].shared = false;
}

static void holds_drop(uint64_t i, uint64_t n, unsigned owner)
{
    while (n) {
        uint64_t bytes;
        struct hpa at = hpa(BASE + i * FRAME_SIZE);
        bool alone = frames_unshare(at, n * FRAME_SIZE, (uint16_t)(owner + 1), &bytes);
        assert_in_range(bytes, FRAME_SIZE, n * FRAME_SIZE);
        if (alone)
            frames_free(at, bytes, (uint16_t)(owner + 1));
        for (uint64_t end = i + bytes / FRAME_SIZE; i < end; i++, n--) {
            assert_int_equal(alone, holders(i) == 1);
            holds[i].owners &= (uint8_t) ~(1u << owner);
            holds[i].shared = holds[i].shared && holds[i].owners;
        }
    }
}

static void holds_step(void)
{
    uint64_t i = (uint64_t)rand() % MODEL_FRAMES;
    unsigned owner = (unsigned)rand() % SHARERS, order = (unsigned)rand() % 11;
    struct hpa out;
    uint64_t n = held_run(i, owner);

    switch (n ? rand() % 4 : 4) {
    case 0:
    case 1:
        holds_share(i, n, owner);
        break;
    case 2:
        holds_claim(i, n, owner);
        break;
    case 3:
        holds_drop(i, n, owner);
        break;
    default:
        if (frames_allocate(order, (uint16_t)(owner + 1), &out) == STATUS_OK)
            for (uint64_t k = 0; k < 1u << order; k++)
                holds[(out.value - BASE) / FRAME_SIZE + k].owners = (uint8_t)(1u << owner);
    }
}

static void test_random_sharing(void **state)
{
    (void)state;
    srand(11);
    start_one(MODEL_FRAMES * FRAME_SIZE);
    memset(holds, 0, sizeof(holds));
    for (unsigned step = 0; step < 30000 / FEWER; step++) {
        holds_step();
        if (step % 512 == 0)
            holds_check();
    }
    for (unsigned owner = 0; owner < SHARERS; owner++)
        for (uint64_t i = 0; i < MODEL_FRAMES; i++)
            if (holds[i].owners >> owner & 1)
                holds_drop(i, held_run(i, owner), owner);
    holds_check();
    assert_int_equal(frames_largest_free(), MODEL_FRAMES * FRAME_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_table_size, teardown),
        cmocka_unit_test_teardown(test_all_reserved_at_first, teardown),
        cmocka_unit_test_teardown(test_unaligned_ram_is_cut, teardown),
        cmocka_unit_test_teardown(test_release_cuts_to_whole_pages_and_ram, teardown),
        cmocka_unit_test_teardown(test_orders, teardown),
        cmocka_unit_test_teardown(test_owner_zero_is_the_hypervisor, teardown),
        cmocka_unit_test_teardown(test_exhaustion_and_recovery, teardown),
        cmocka_unit_test_teardown(test_small_blocks_gather_at_the_top, teardown),
        cmocka_unit_test_teardown(test_runs_of_any_size, teardown),
        cmocka_unit_test_teardown(test_run_bad_arguments, teardown),
        cmocka_unit_test_teardown(test_run_alignment_and_first_fit, teardown),
        cmocka_unit_test_teardown(test_run_crosses_block_borders, teardown),
        cmocka_unit_test_teardown(test_run_needs_one_piece, teardown),
        cmocka_unit_test_teardown(test_run_avoids_windows, teardown),
        cmocka_unit_test_teardown(test_several_ranges, teardown),
        cmocka_unit_test_teardown(test_free_in_parts, teardown),
        cmocka_unit_test_teardown(test_hypervisor_range, teardown),
        cmocka_unit_test_teardown(test_free_by_another_panics, teardown),
        cmocka_unit_test_teardown(test_free_twice_panics, teardown),
        cmocka_unit_test_teardown(test_free_of_what_is_not_given_panics, teardown),
        cmocka_unit_test_teardown(test_release_twice_panics, teardown),
        cmocka_unit_test_teardown(test_bad_hypervisor_range_panics, teardown),
        cmocka_unit_test_teardown(test_too_many_ranges_panic, teardown),
        cmocka_unit_test_teardown(test_random_against_model, teardown),
        cmocka_unit_test_teardown(test_zone_grows, teardown),
        cmocka_unit_test_teardown(test_room_is_taken_last, teardown),
        cmocka_unit_test_teardown(test_share_and_claim, teardown),
        cmocka_unit_test_teardown(test_references_are_bounded, teardown),
        cmocka_unit_test_teardown(test_illegal_sharing_panics, teardown),
        cmocka_unit_test_teardown(test_random_sharing, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
