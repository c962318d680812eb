// sources: hypervisor/isolation/gstage/gstage_table.c hypervisor/isolation/pmp/pmp_plan.c hypervisor/memory/frames.c lib/buddy.c
// wrap: frames_allocate
//
// Copy on write against a model: what each capsule should find in each of its pages, whatever is forked,
// written and given back in whatever order, with memory that runs out at any time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "backend.h"
#include "bits.h"
#include "fences.h"
#include "frames.h"
#include "gstage.h"
#include "log.h"
#include "pmp_plan.h"

#include "../../hypervisor/isolation/gstage/gstage.c"
#include "../../hypervisor/isolation/gstage/sharing.c"
#include "../../hypervisor/isolation/space.c"

#define MIB 0x100000ULL
#define GIB 0x40000000ULL
#define ARENA ((size_t)(4 * GIB) ? (size_t)(4 * GIB) : (size_t)(768 * MIB)) // what pointers reach; not touched, mostly
#define ZONE (8 * MIB)
#define BASE 0x80000000ULL
#define CAPSULES 6u
#define CAPSULE_SIZE (2 * GSTAGE_MEGA)
#define PAGES (CAPSULE_SIZE / FRAME_SIZE)
#define WORDS (FRAME_SIZE / 8)

unsigned char *hpa_arena;
struct isolation_features isolation_features;
static void *table;
static uint64_t ram_size, free_at_start;

static struct space spaces[CAPSULES];
static bool alive[CAPSULES];
static uint64_t model[CAPSULES][PAGES]; // what each page holds in its first and last word

_Noreturn void panic(const char *format, ...)
{
    fail_msg("panic: %s", format);
    abort();
}

unsigned long fake_csr_write(unsigned csr, unsigned long value, const char *function)
{
    (void)csr, (void)value, (void)function;
    return 0;
}

void pmp_load(const struct pmp_plan *plan)
{
    (void)plan;
}
enum status pmp_attach(struct space *s)
{
    return s->plan = &s->own_plan, STATUS_OK;
}

// --- memory that fails -----------------------------------------------------------------------------

static int allocations_left = -1; // until one fails; negative: none does

enum status __real_frames_allocate(unsigned order, uint16_t owner, struct hpa *out);
enum status __wrap_frames_allocate(unsigned order, uint16_t owner, struct hpa *out)
{
    if (allocations_left == 0)
        return STATUS_NO_MEMORY;
    if (allocations_left > 0)
        allocations_left--;
    return __real_frames_allocate(order, owner, out);
}

static int setup(void **state)
{
    (void)state;
    hpa_arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(hpa_arena, MAP_FAILED);
    isolation_features =
        (struct isolation_features){.hypervisor = true, .pmp_count = 8, .pmp_grain_shift = 12, .vmid_bits = 7};
    return 0;
}

// RAM behind the zone, and a pool for just a few tables, so that most come from general memory.
static void machine(uint64_t size)
{
    const struct range ram = {0, ZONE + size};
    free(table);
    table = malloc(frames_table_size(&ram, 1));
    frames_init(table, &ram, 1);
    frames_set_hypervisor_range((struct range){0, ZONE}, 0);
    frames_release((struct range){ZONE, size});
    assert_int_equal(gstage_init((struct range){0, ZONE}, (struct range){ZONE - 32 * 1024, 32 * 1024}), STATUS_OK);
    ram_size = size;
    free_at_start = frames_free_bytes();
    memset(alive, 0, sizeof(alive));
    allocations_left = -1;
    blank = hpa(0);
}

// --- harts ------------------------------------------------------------------------------------------------

static unsigned fenced_pages;
static void (*meanwhile)(void); // what others do while a hart waits for the fence
static bool fence_is_for_current;
static struct gstage_leaf writing; // what a write has found that faults
static struct hpa writing_frame;
static unsigned writing_references;

void fake_fence(struct fence fence)
{
    fence_is_for_current = fence_is_for_current || (fence.kind == FENCE_HFENCE_GVMA && fence.by_address && fence.by_id);
}

static void others_go_on(void)
{
    fenced_pages++;
    if (!meanwhile)
        return;
    void (*act)(void) = meanwhile;
    int left = allocations_left;
    meanwhile = NULL;
    allocations_left = -1;
    act();
    allocations_left = left;
    meanwhile = act;
}

void space_fence_others(struct space *s, struct gpa page)
{
    struct gstage_leaf leaf;

    assert_int_equal(s->lock.next, s->lock.serving);
    assert_true(leaf_find(s, page, &leaf));
    // Harts may still read what is to be given up: it isn't yet.
    if (leaf.rights == GSTAGE_FRESH && writing.rights == GSTAGE_SHARED)
        assert_int_equal(frames_references(writing_frame), writing_references);
    writing.rights = GSTAGE_OWN;
    others_go_on();
}

void space_fence_others_all(struct space *s)
{
    assert_int_equal(s->lock.next, s->lock.serving);
    writing.rights = GSTAGE_OWN;
    fence_is_for_current = true;
    others_go_on();
}

// --- guests ----------------------------------------------------------------------------------------------

static uint64_t *page_at(const struct gstage_leaf *leaf, uint64_t page)
{
    return hpa_pointer(hpa(leaf->host.value + (page * FRAME_SIZE & (leaf->size - 1))));
}

static void guest_check(unsigned c, uint64_t page)
{
    struct gstage_leaf leaf;
    assert_true(leaf_find(&spaces[c], gpa(BASE + page * FRAME_SIZE), &leaf));
    const uint64_t *words = page_at(&leaf, page);
    if (words[0] != model[c][page] || words[WORDS - 1] != model[c][page])
        fail_msg("capsule %u page %u: %llx, not %llx", c, (unsigned)page, (unsigned long long)words[0],
                 (unsigned long long)model[c][page]);
}

// As a hart would do it: the fault, and again. False if memory ran out.
static bool guest_write(unsigned c, uint64_t page, uint64_t value)
{
    struct gpa a = gpa(BASE + page * FRAME_SIZE + 8);
    struct gstage_leaf leaf;
    enum status status = STATUS_OK;

    assert_true(leaf_find(&spaces[c], a, &leaf));
    if (leaf.rights != GSTAGE_OWN) {
        fence_is_for_current = false;
        writing = leaf;
        writing_frame = hpa(leaf.host.value + (page * FRAME_SIZE & (leaf.size - 1)));
        writing_references = frames_references(writing_frame);
        do { // again, if pages went back meanwhile
            status = space_write_fault(&spaces[c], a);
            writing.rights = GSTAGE_OWN;
            assert_true(leaf_find(&spaces[c], a, &leaf));
        } while (status == STATUS_OK && leaf.rights == GSTAGE_FRESH);
    }
    if (status == STATUS_NO_MEMORY)
        return false;
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(leaf.rights, GSTAGE_OWN);
    uint64_t *words = page_at(&leaf, page);
    model[c][page] = words[0] = words[WORDS - 1] = value;
    return true;
}

static void create(unsigned c)
{
    const char *why;
    assert_int_equal(space_create(&spaces[c], ISOLATION_GSTAGE, CAPSULE_SIZE, (uint16_t)(c + 1), &why), STATUS_OK);
    memset(model[c], 0, sizeof(model[c]));
    alive[c] = true;
    assert_int_equal(space_private_bytes(&spaces[c]), CAPSULE_SIZE + spaces[c].tables.bytes);
}

static enum status fork_into(unsigned child, unsigned parent)
{
    const char *why = NULL;
    uint64_t progress = 0;
    memset((void *)spaces[parent].resident, 3, sizeof(spaces[parent].resident));
    enum status status = space_fork_begin(&spaces[child], &spaces[parent], (uint16_t)(child + 1), &why);
    if (status != STATUS_OK) {
        assert_non_null(why);
        return status;
    }
    while (status == STATUS_OK && progress < spaces[parent].size) {
        status = space_fork_step(&spaces[child], &spaces[parent], &progress);
        for (unsigned i = 0; i < HARTS_MAX; i++)
            assert_int_equal(spaces[parent].resident[i], 0);
    }
    if (status != STATUS_OK) {
        space_destroy(&spaces[child]);
        return status;
    }
    assert_int_equal(progress, spaces[parent].size);
    assert_int_equal(spaces[child].own_bytes, 0);
    assert_int_equal(spaces[parent].own_bytes, 0);
    memcpy(model[child], model[parent], sizeof(model[child]));
    alive[child] = true;
    return STATUS_OK;
}

static void release(unsigned c)
{
    unsigned steps = 0;
    while (space_release_step(&spaces[c]))
        assert_true(steps++ < 100000);
    assert_false(space_release_step(&spaces[c]));
    space_destroy(&spaces[c]);
    alive[c] = false;
}

// --- what holds at any time ---------------------------------------------------------------------------------

static unsigned references[(ZONE + 64 * MIB) / FRAME_SIZE];

static void space_count(unsigned c)
{
    struct gstage_leaf leaf;
    struct hpa host;
    uint16_t owner;
    uint64_t own = 0;

    for (uint64_t page = 0; page < PAGES; page++) {
        struct gpa a = gpa(BASE + page * FRAME_SIZE);
        assert_true(leaf_find(&spaces[c], a, &leaf));
        guest_check(c, page);
        assert_true(space_translate(&spaces[c], a, FRAME_SIZE, &host));
        assert_ptr_equal(hpa_pointer(host), page_at(&leaf, page));
        if (is_blank(&leaf))
            continue;
        assert_int_equal(frames_state(host, &owner), leaf.rights == GSTAGE_SHARED ? FRAME_SHARED : FRAME_CAPSULE);
        assert_int_equal(owner, leaf.rights == GSTAGE_SHARED ? 0 : c + 1);
        references[host.value / FRAME_SIZE]++;
        own += leaf.rights == GSTAGE_SHARED ? 0 : FRAME_SIZE;
    }
    assert_int_equal(spaces[c].own_bytes, own);
    assert_int_equal(space_private_bytes(&spaces[c]), own + spaces[c].tables.bytes);
    assert_false(leaf_find(&spaces[c], gpa(BASE - 1), &leaf));
    assert_false(leaf_find(&spaces[c], gpa(BASE + CAPSULE_SIZE), &leaf));
}

static void machine_check(void)
{
    uint64_t tables = 0, used = blank.value ? FRAME_SIZE : 0;

    memset(references, 0, sizeof(references));
    for (unsigned c = 0; c < CAPSULES; c++)
        if (alive[c]) {
            space_count(c);
            tables += spaces[c].tables.bytes;
        }
    for (uint64_t i = ZONE / FRAME_SIZE; i < (ZONE + ram_size) / FRAME_SIZE; i++)
        if (references[i]) {
            used += FRAME_SIZE;
            assert_int_equal(frames_references(hpa(i * FRAME_SIZE)), references[i]);
        }
    assert_int_equal(frames_free_bytes(), free_at_start - used - tables);
}

// Nobody is left, and nothing of them.
static void emptiness_check(void)
{
    if (blank.value)
        frames_free(blank, FRAME_SIZE, BLANK_OWNER);
    blank = hpa(0);
    assert_int_equal(frames_free_bytes(), free_at_start);
    assert_int_equal(frames_largest_free(), align_down(free_at_start, FRAMES_RUN_UNIT));
    const uint64_t *words = hpa_pointer(hpa(ZONE));
    for (uint64_t i = 0; i < ram_size / 8; i++)
        if (words[i])
            fail_msg("0x%llx was not scrubbed", (unsigned long long)(ZONE + i * 8));
}

// --- one thing after the other --------------------------------------------------------------------------------

static void test_fork_and_write(void **state)
{
    (void)state;
    machine(32 * MIB);
    create(0);
    for (uint64_t page = 0; page < PAGES; page += 7)
        assert_true(guest_write(0, page, page + 1));
    assert_int_equal(fenced_pages, 0);
    assert_int_equal(fork_into(1, 0), STATUS_OK);
    machine_check();
    assert_int_equal(frames_references(hpa(ZONE)), 2);
    assert_true(guest_write(1, 7, 100)); // the child's own, and fenced
    assert_int_equal(fenced_pages, 1);
    assert_true(fence_is_for_current);
    assert_true(guest_write(0, 14, 200));
    machine_check();
    assert_int_equal(spaces[0].own_bytes, FRAME_SIZE);
    assert_int_equal(spaces[1].own_bytes, FRAME_SIZE);
    // The parent's page 7 has nobody else any more: no copy, no fence.
    uint64_t free_before = frames_free_bytes();
    assert_true(guest_write(0, 7, 300));
    assert_int_equal(frames_free_bytes(), free_before);
    assert_int_equal(fenced_pages, 2);
    machine_check();
    release(0);
    machine_check();
    release(1);
    emptiness_check();
}

static void test_large_pages_come_back(void **state)
{
    (void)state;
    struct gstage_leaf leaf;
    machine(32 * MIB);
    create(0);
    assert_int_equal(fork_into(1, 0), STATUS_OK);
    release(1);
    fenced_pages = 0;
    assert_true(guest_write(0, 5, 1));
    assert_true(leaf_find(&spaces[0], gpa(BASE), &leaf));
    assert_int_equal(leaf.size, GSTAGE_MEGA);
    assert_int_equal(leaf.rights, GSTAGE_OWN);
    assert_int_equal(spaces[0].own_bytes, GSTAGE_MEGA);
    assert_int_equal(fenced_pages, 0);
    release(0);
    emptiness_check();
}

static void test_generations(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 24; order++) {
        machine(40 * MIB);
        create(0);
        for (unsigned c = 1; c < 4; c++) {
            for (uint64_t page = c; page < PAGES; page += 50)
                assert_true(guest_write(c - 1, page, page << 8 | c));
            assert_int_equal(fork_into(c, c - 1), STATUS_OK);
            for (uint64_t page = 0; page < PAGES; page += 111)
                assert_true(guest_write(c / 2, page, page << 8 | c | 128));
        }
        machine_check();
        unsigned left[] = {0, 1, 2, 3};
        for (unsigned n = 4, code = order; n; code /= n--) {
            unsigned i = code % n;
            release(left[i]);
            left[i] = left[n - 1];
            machine_check();
        }
        emptiness_check();
    }
}

static void test_pmp_is_refused(void **state)
{
    (void)state;
    const char *why = NULL;
    struct space parent, child;
    machine(32 * MIB);
    assert_int_equal(space_create(&parent, ISOLATION_PMP, CAPSULE_SIZE, 1, &why), STATUS_OK);
    assert_int_equal(space_fork_begin(&child, &parent, 2, &why), STATUS_UNSUPPORTED);
    assert_non_null(strstr(why, "gstage"));
    assert_int_equal(space_write_fault(&parent, space_base(&parent)), STATUS_NOT_FOUND);
    space_destroy(&parent);
    assert_int_equal(frames_free_bytes(), free_at_start);
}

static void test_not_ram(void **state)
{
    (void)state;
    struct hpa host;
    uint64_t run;
    machine(32 * MIB);
    create(0);
    assert_int_equal(space_write_fault(&spaces[0], gpa(BASE)), STATUS_NOT_FOUND); // shares nothing
    assert_int_equal(space_run_writable(&spaces[0], gpa(BASE + 1), &host, &run), STATUS_OK);
    assert_int_equal(run, CAPSULE_SIZE - 1);
    assert_int_equal(fork_into(1, 0), STATUS_OK);
    const uint64_t bad[] = {0, BASE - 1, BASE + CAPSULE_SIZE, UINT64_MAX, (1ULL << 41) + BASE, (1ULL << 34) + BASE};
    for (unsigned i = 0; i < array_length(bad); i++) {
        assert_int_equal(space_write_fault(&spaces[1], gpa(bad[i])), STATUS_NOT_FOUND);
        assert_int_equal(space_run_writable(&spaces[1], gpa(bad[i]), &host, &run), STATUS_NOT_FOUND);
        assert_int_equal(space_run(&spaces[1], gpa(bad[i]), &host), 0);
    }
    assert_int_equal(space_run_writable(&spaces[1], gpa(BASE + 5000), &host, &run), STATUS_OK);
    assert_int_equal(run, 8192 - 5000);
    assert_int_equal(frames_state(host, NULL), FRAME_CAPSULE);
    machine_check();
    release(0);
    release(1);
    emptiness_check();
}

// The n-th allocation of a fork fails: nothing is kept, the parent goes on. Some of its pages are small.
static void test_fork_without_memory(void **state)
{
    (void)state;
    enum status status = STATUS_NO_MEMORY;
    for (int n = 0; status != STATUS_OK; n++) {
        machine(40 * MIB);
        create(0);
        assert_int_equal(fork_into(1, 0), STATUS_OK);
        assert_true(guest_write(0, 3, 33));
        assert_true(guest_write(1, PAGES - 1, 44));
        machine_check();
        uint64_t before = frames_free_bytes();
        allocations_left = n;
        status = fork_into(2, 0);
        if (status != STATUS_OK) {
            assert_int_equal(status, STATUS_NO_MEMORY);
            assert_int_equal(frames_free_bytes(), before);
        }
        allocations_left = -1;
        machine_check();
        assert_true(guest_write(0, 3, 34));
        assert_true(guest_write(0, 4, 35));
        machine_check();
        for (unsigned c = 0; c < 3; c++)
            if (alive[c])
                release(c);
        emptiness_check();
        assert_true(n < 10);
    }
}

// The n-th allocation of a write fails: that capsule is told, nothing has changed for anybody.
static void test_write_without_memory(void **state)
{
    (void)state;
    machine(40 * MIB);
    create(0);
    assert_int_equal(fork_into(1, 0), STATUS_OK);
    bool done = false;
    for (int n = 0; !done; n++) {
        allocations_left = n;
        done = guest_write(1, 9, 99); // a table, unless the pool has one, and the copy
        assert_true(done ? n == 1 || n == 2 : n < 2);
        allocations_left = -1;
        machine_check();
    }
    allocations_left = 0;
    assert_false(guest_write(1, 10, 1));
    assert_true(guest_write(1, 9, 2));
    assert_true(guest_write(1, 9, 3));
    allocations_left = -1;
    release(1);
    release(0);
    emptiness_check();
}

// 1 GiB pages are cut, a step does only so much, and extents without a gap are one.
static void test_gigabytes(void **state)
{
    (void)state;
    const char *why;
    uint64_t progress = 0, size = 2 * GIB + 3 * GSTAGE_MEGA;
    struct gstage_leaf leaf;
    unsigned steps = 0;

    if (ARENA < 3 * GIB)
        skip();
    machine(3 * GIB);
    assert_int_equal(space_create(&spaces[0], ISOLATION_GSTAGE, size, 1, &why), STATUS_OK);
    assert_int_equal(space_fork_begin(&spaces[1], &spaces[0], 2, &why), STATUS_OK);
    for (; progress < size; steps++) {
        uint64_t before = progress;
        assert_int_equal(space_fork_step(&spaces[1], &spaces[0], &progress), STATUS_OK);
        assert_in_range(progress - before, GSTAGE_MEGA, FORK_WORK * GSTAGE_MEGA);
    }
    assert_in_range(steps, 2, size / (FORK_WORK * GSTAGE_MEGA) + 1);
    for (uint64_t at = 0; at < size; at += GSTAGE_MEGA)
        for (unsigned c = 0; c < 2; c++) {
            assert_true(leaf_find(&spaces[c], gpa(BASE + at), &leaf));
            assert_int_equal(leaf.size, GSTAGE_MEGA);
            assert_int_equal(leaf.rights, GSTAGE_SHARED);
        }
    assert_int_equal(space_write_fault(&spaces[1], gpa(BASE + GIB + 12345)), STATUS_OK);
    space_destroy(&spaces[1]);
    assert_int_equal(space_write_fault(&spaces[0], gpa(BASE + GIB + 12345)), STATUS_OK);
    assert_int_equal(spaces[0].own_bytes, GSTAGE_MEGA);
    memset(alive, 0, sizeof(alive));
}

// Giving back takes many steps, each of which scrubs at most 256 KiB.
static void test_release_is_bounded(void **state)
{
    (void)state;
    machine(40 * MIB);
    for (unsigned forked = 0; forked < 2; forked++) {
        create(0);
        for (uint64_t page = 0; page < PAGES; page++)
            assert_true(guest_write(0, page, page));
        if (forked) {
            assert_int_equal(fork_into(1, 0), STATUS_OK);
            for (uint64_t page = 0; page < PAGES; page += 2)
                assert_true(guest_write(1, page, page + 5));
            release(1);
        }
        uint64_t before = frames_free_bytes();
        while (space_release_step(&spaces[0])) {
            assert_in_range(frames_free_bytes() - before, 0, 256 * 1024 + 2 * FRAME_SIZE);
            before = frames_free_bytes();
        }
        alive[0] = false;
        emptiness_check();
    }
}

// --- at random -----------------------------------------------------------------------------------------------------

static unsigned any(bool wanted)
{
    unsigned c = (unsigned)rand() % CAPSULES;
    for (unsigned i = 0; i < CAPSULES; i++, c = (c + 1) % CAPSULES)
        if (alive[c] == wanted)
            return c;
    return CAPSULES;
}

static unsigned acting = CAPSULES; // in the middle of a write: neither forked nor given back meanwhile

static void random_write(unsigned c)
{
    uint64_t page = rand() % 2 ? (uint64_t)rand() % PAGES : (uint64_t)rand() % 8;
    bool short_of_memory = rand() % 20 == 0;
    if (short_of_memory)
        allocations_left = rand() % 2;
    bool done = guest_write(c, page, (uint64_t)rand());
    if (short_of_memory)
        allocations_left = -1;
    assert_true(done || short_of_memory);
    guest_check(c, page);
}

// Pages anywhere, some of them twice. One that is being written meanwhile stays as it is.
static void discard(unsigned c, unsigned count)
{
    struct gpa pages[SPACE_DISCARD_MAX];
    struct gstage_leaf leaf;
    uint64_t start = (uint64_t)rand() % PAGES;
    for (unsigned i = 0; i < count; i++)
        pages[i] = gpa(BASE + (rand() % 4 ? (start + i) % PAGES : (uint64_t)rand() % PAGES) * FRAME_SIZE);
    void (*act)(void) = meanwhile;
    meanwhile = NULL;
    enum status status = space_discard(&spaces[c], pages, count);
    meanwhile = act;
    assert_true(status == STATUS_OK || allocations_left == 0);
    for (unsigned i = 0; i < count; i++) {
        assert_true(leaf_find(&spaces[c], pages[i], &leaf));
        if (is_blank(&leaf))
            model[c][(pages[i].value - BASE) / FRAME_SIZE] = 0;
        guest_check(c, (pages[i].value - BASE) / FRAME_SIZE);
    }
}

static void random_discard(unsigned c)
{
    if (rand() % 10 == 0)
        allocations_left = rand() % 2;
    discard(c, 1 + (unsigned)rand() % SPACE_DISCARD_MAX);
    allocations_left = -1;
}

static void test_discard(void **state)
{
    (void)state;
    machine(40 * MIB);
    create(0);
    for (uint64_t page = 0; page < PAGES; page++)
        assert_true(guest_write(0, page, page + 1));
    uint64_t before = frames_free_bytes(), private = space_private_bytes(&spaces[0]);
    for (uint64_t page = 0; page < PAGES; page += SPACE_DISCARD_MAX) {
        struct gpa pages[SPACE_DISCARD_MAX];
        for (unsigned i = 0; i < SPACE_DISCARD_MAX; i++) {
            pages[i] = gpa(BASE + (page + i) * FRAME_SIZE);
            model[0][page + i] = 0;
        }
        assert_int_equal(space_discard(&spaces[0], pages, SPACE_DISCARD_MAX), STATUS_OK);
    }
    // All but the page of zeros and what its tables have grown by.
    assert_true(frames_free_bytes() - before >= CAPSULE_SIZE - 4 * FRAME_SIZE);
    assert_true(private - space_private_bytes(&spaces[0]) >= CAPSULE_SIZE - 4 * FRAME_SIZE);
    machine_check();
    fenced_pages = 0;
    for (uint64_t page = 0; page < 3 * FILL_PAGES; page++)
        assert_true(guest_write(0, page, page + 7));
    assert_int_equal(fenced_pages, 3); // its neighbours came with it
    machine_check();
    assert_int_equal(space_discard(&spaces[0], &(struct gpa){BASE + CAPSULE_SIZE}, 1), STATUS_NOT_FOUND);
    release(0);
    emptiness_check();
}

static void random_step(void)
{
    unsigned c = any(true), other = any(false);

    if (c == CAPSULES)
        create(other);
    else if (rand() % 16 == 0)
        random_discard(c);
    else if (rand() % 64 || c == acting)
        random_write(c);
    else if (other < CAPSULES && rand() % 3)
        (void)fork_into(other, c);
    else if (rand() % 2)
        release(c);
    else if (other < CAPSULES && any(true) == c)
        create(other);
}

// While a writer waits for the fence, its sibling writes, often to the same page, and other capsules go on.
static unsigned writer;
static void random_meanwhile(void)
{
    for (unsigned n = (unsigned)rand() % 4; n; n--)
        random_step();
    if (alive[writer])
        random_write(writer);
}

static void test_random(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 12 / FEWER; seed++) {
        srand(seed);
        machine(60 * MIB);
        for (unsigned step = 0; step < 3000; step++) {
            unsigned c = any(true);
            if (c < CAPSULES && rand() % 4 == 0) {
                acting = writer = c;
                meanwhile = random_meanwhile;
                random_write(c);
                meanwhile = NULL;
                acting = CAPSULES;
            } else {
                random_step();
            }
            if (step % 200 == 0)
                machine_check();
        }
        for (unsigned c; (c = any(true)) < CAPSULES;) {
            release(c);
            machine_check();
        }
        emptiness_check();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_and_write),
        cmocka_unit_test(test_large_pages_come_back),
        cmocka_unit_test(test_generations),
        cmocka_unit_test(test_pmp_is_refused),
        cmocka_unit_test(test_not_ram),
        cmocka_unit_test(test_fork_without_memory),
        cmocka_unit_test(test_write_without_memory),
        cmocka_unit_test(test_release_is_bounded),
        cmocka_unit_test(test_discard),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_gigabytes),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
