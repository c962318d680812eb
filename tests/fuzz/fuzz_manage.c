// sources: tests/unit/explored/sched.c tests/unit/explored/limits.c tests/unit/explored/run.c
// sources: tests/unit/explored/queue.c tests/unit/explored/wake.c tests/unit/explored/pinned.c
// sources: tests/unit/explored/exit.c tests/unit/explored/interrupts.c tests/unit/explored/fence.c
// sources: tests/unit/explored/vcore.c tests/unit/explored/sbi_system.c tests/unit/explored/life.c tests/unit/explored/slots.c
// sources: tests/unit/explored/fork.c tests/unit/explored/capsule.c tests/unit/explored/tree.c
// sources: tests/unit/explored/calls.c tests/unit/explored/manage_sbi.c hypervisor/manage/queries.c hypervisor/manage/devices.c hypervisor/manage/terminal.c
// sources: hypervisor/capsule/endings.c hypervisor/guest/vplic.c hypervisor/guest/vuart.c lib/heap.c lib/isa.c
// sources: tests/unit/fake/explore.c tests/unit/fake/harts.c tests/unit/fake/capsules.c tests/unit/fake/person.c
// wrap: sched_put
//
// Management calls as a hostile guest makes them: functions, registers and structures are the input's. A capsule
// with the right to manage, and whoever of its descendants runs, takes records from the input, one per call; in
// the end all is destroyed, and nothing may be left.
#include "explore.h"

#include <stdlib.h>
#include <string.h>

#include "capsules.h"
#include "harts.h"
#include "lives.h"
#include "manage_calls.h"
#include "person.h"

#define MIB (1ull << 20)

static const uint8_t *input;
static size_t input_left;
static uint64_t stop_by;
static uint8_t ram[1 << 16] __attribute__((aligned(16))); // of all guests, over and over

static void take(void *out, size_t size)
{
    size_t part = size < input_left ? size : input_left;

    memset(out, 0, size);
    if (part) // it may be NULL if not
        memcpy(out, input, part);
    input += part;
    input_left -= part;
}

uint64_t space_run(const struct space *s, struct gpa a, struct hpa *out)
{
    uint64_t offset = a.value - space_base(s).value;

    if (offset >= s->size)
        return 0;
    *out = hpa_of(&ram[offset % sizeof(ram)]);
    return FRAME_SIZE - offset % FRAME_SIZE;
}

// Now and then it was given back meanwhile.
uint64_t space_run_own(const struct space *s, struct gpa a, struct hpa *out)
{
    static unsigned asked;
    return ++asked % 16 ? space_run(s, a, out) : 0;
}

enum status space_run_writable(struct space *s, struct gpa a, struct hpa *out, uint64_t *run)
{
    *run = space_run(s, a, out);
    return *run ? STATUS_OK : STATUS_NOT_FOUND;
}

static long person_calls(enum diosix_call function, uint64_t id, void *buffer, size_t size, uint64_t *value)
{
    struct manage_call c = {.n = {id}, .buffer = buffer, .size = size};
    struct request r = {.caller = &tree_root, .call = &c};
    long error = manage_do(manage_kind(function), &r);

    if (value)
        *value = c.value;
    return error;
}

static void manager_start(void)
{
    struct diosix_create from = {.name = "manager",
                                 .kernel = "kernel",
                                 .memory = 2 * MIB,
                                 .vcores = 2,
                                 .rights = DIOSIX_RIGHT_MANAGE,
                                 .quota = {16 * MIB, 8, 6}};
    uint64_t id;

    if (person_calls(DIOSIX_CREATE, 0, &from, sizeof(from), &id) || person_calls(DIOSIX_START, id, NULL, 0, NULL))
        abort();
}

enum put person_turn(uint64_t *deadline)
{
    uint64_t id = 0;

    *deadline = fake_now + 5;
    if (input_left && fake_now < stop_by)
        return PUT_WAITING;
    while (!person_calls(DIOSIX_NEXT, id, NULL, 0, &id) && id)
        person_calls(DIOSIX_DESTROY, id, NULL, 0, NULL);
    if (!tree_count())
        fake_done = true;
    return PUT_WAITING;
}

// What a call names in registers: small numbers mostly, and addresses near the RAM's ends.
static unsigned long number(void)
{
    uint8_t kind;
    uint64_t wide;

    take(&kind, 1);
    if (kind < 0xf0)
        return kind;
    take(&wide, sizeof(wide));
    return kind < 0xf8 ? 0x80000000 + wide % (4 * MIB) : wide;
}

static unsigned long guest_call(struct vcore *v)
{
    uint8_t function, bytes;

    take(&function, 1);
    for (unsigned i = 0; i < 6; i++)
        v->context.x[10 + i] = number();
    take(&bytes, 1);
    if (bytes & 1) // a structure, somewhere
        take(&ram[(bytes >> 1) * 16u], sizeof(struct diosix_create) + 8);
    return sbi_diosix(v, function % (DIOSIX_CALLS + 1));
}

_Noreturn void guest_resume(struct context *c)
{
    while (!fake_done) {
        struct vcore *v = vcore_of(c);
        csr_write(CSR_SIE + CSR_VS_OFFSET, 0);
        fake_now++;
        unsigned long exit = input_left ? guest_call(v) : EXIT_WAIT;
        unsigned long pending = csr_read(CSR_MIP);
        if (exit == EXIT_RESUME && pending)
            exit = exit_fast(c, CAUSE_INTERRUPT | (unsigned long)__builtin_ctzl(pending));
        if (exit != EXIT_RESUME)
            c = hart_exit(c, exit);
    }
    explore_end();
}

static void hart_main(unsigned index)
{
    (void)index;
    hart_run();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    input_left = size;
    fake_harts_create(1, true);
    fake_capsules_create();
    lives_reset();
    stop_by = fake_now + 2000;
    person_start(harts[0]);
    manager_start();
    bool ended = explore_run(1, hart_main, 1, 5000000);
    if (!ended || fake_objects || fake_memory_used || fake_streams || tree_count() || tree_root.used.memory ||
        tree_root.used.vcores || tree_root.used.capsules || lives_living() != 1)
        abort();
    return 0;
}
