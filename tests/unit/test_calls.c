// sources: tests/unit/explored/sched.c tests/unit/explored/limits.c tests/unit/explored/run.c
// sources: tests/unit/explored/queue.c tests/unit/explored/wake.c tests/unit/explored/pinned.c
// sources: tests/unit/explored/exit.c tests/unit/explored/interrupts.c tests/unit/explored/fence.c
// sources: tests/unit/explored/vcore.c tests/unit/explored/sbi_system.c tests/unit/explored/life.c tests/unit/explored/slots.c
// sources: tests/unit/explored/fork.c tests/unit/explored/capsule.c tests/unit/explored/tree.c
// sources: tests/unit/explored/calls.c hypervisor/manage/queries.c hypervisor/manage/devices.c hypervisor/manage/terminal.c hypervisor/capsule/endings.c
// sources: hypervisor/guest/vplic.c hypervisor/guest/vuart.c lib/heap.c lib/isa.c
// sources: tests/unit/fake/explore.c tests/unit/fake/harts.c tests/unit/fake/capsules.c tests/unit/fake/person.c
// wrap: sched_put
//
// What management calls refuse: arguments, rights, and whom a caller can't reach.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capsules.h"
#include "console.h"
#include "endings.h"
#include "harts.h"
#include "lives.h"
#include "manage_calls.h"
#include "person.h"

#define MIB (BUNDLE_MEMORY_UNIT / 2) // memory comes in twos, and is twice as much on 32 bits

// Nobody runs in between: capsules stay in the stage that a call brings them to.

enum put person_turn(uint64_t *deadline)
{
    *deadline = fake_now + 10;
    fake_done = !tree_count();
    return PUT_WAITING;
}

_Noreturn void guest_resume(struct context *c)
{
    while (!fake_done) {
        fake_now++;
        c = hart_exit(c, EXIT_RESCHEDULE);
    }
    explore_end();
}

static long call(struct node *caller, enum diosix_call function, struct manage_call *c)
{
    struct request r = {.caller = caller, .call = c};
    return manage_do(manage_kind(function), &r);
}

static long call_id(struct node *caller, enum diosix_call function, uint64_t id, uint64_t n1, uint64_t n2)
{
    struct manage_call c = {.n = {id, n1, n2}};
    return call(caller, function, &c);
}

static const struct diosix_create good = {.name = "good", .kernel = "kernel", .memory = 2 * MIB, .vcores = 2};

static long create(struct node *caller, const struct diosix_create *from, uint64_t *value)
{
    struct diosix_create copy = *from;
    struct manage_call c = {.buffer = &copy, .size = sizeof(copy)};
    long error = call(caller, DIOSIX_CREATE, &c);
    *value = c.value;
    return error;
}

static struct node *make(struct node *caller, const char *name, uint32_t rights, struct diosix_quota quota)
{
    struct diosix_create from = good;
    uint64_t id;

    strcpy(from.name, name);
    from.rights = rights;
    from.quota = quota;
    assert_int_equal(create(caller, &from, &id), SBI_SUCCESS);
    return tree_find(&tree_root, (uint32_t)id);
}

static int machine_begin(void **state)
{
    (void)state;
    fake_harts_create(2, true);
    fake_capsules_create();
    fake_scarce = 0;
    lives_reset();
    return 0;
}

static void hart_main(unsigned index)
{
    (void)index;
    hart_run();
}

// All go, and take everything along.
static int machine_end(void **state)
{
    const struct node *n;
    uint32_t id = 0;

    (void)state;
    for (; (n = tree_next(&tree_root, id)); id = n->id)
        call_id(&tree_root, DIOSIX_DESTROY, n->id, 0, 0);
    person_start(harts[0]);
    if (!explore_run(harts_count, hart_main, 1, 2000000))
        fail_msg("%s", explore_message);
    assert_int_equal(fake_objects + lives_owners() + fake_memory_used + fake_streams, 0);
    assert_int_equal(tree_root.used.capsules + tree_root.used.memory + tree_root.used.vcores, 0);
    assert_int_equal(lives_living(), 1);
    return 0;
}

static void create_refused(const struct diosix_create *from, long expected, enum diosix_lack lack)
{
    unsigned objects = fake_objects;
    uint64_t value;

    assert_int_equal(create(&tree_root, from, &value), expected);
    assert_int_equal(value, lack);
    assert_int_equal(fake_objects, objects);
    assert_int_equal(tree_count(), 0);
}

#define REFUSED(...)                                                                                                   \
    do {                                                                                                               \
        struct diosix_create from = good;                                                                              \
        __VA_ARGS__;                                                                                                   \
        create_refused(&from, SBI_ERR_INVALID_PARAM, DIOSIX_LACK_NONE);                                                \
    } while (0)

static void test_create_refuses(void **state)
{
    (void)state;
    REFUSED(from.name[0] = 0);
    REFUSED(memset(from.name, 'a', sizeof(from.name)));
    REFUSED(strcpy(from.name, "Upper"));
    REFUSED(strcpy(from.name, "a b"));
    REFUSED(strcpy(from.name, "3")); // somebody's id
    REFUSED(strcpy(from.name, "0x3"));
    REFUSED(strcpy(from.name, "-a"));
    REFUSED(strcpy(from.name, "dio")); // whose lines are the hypervisor's
    REFUSED(from.kernel[0] = 0);
    REFUSED(strcpy(from.kernel, "missing"));
    REFUSED(memset(from.kernel, 'k', sizeof(from.kernel)));
    REFUSED(strcpy(from.initrd, "missing"));
    REFUSED(memset(from.initrd, 'k', sizeof(from.initrd)));
    REFUSED(from.memory = 0);
    REFUSED(from.memory = 2 * MIB + 4096);
    REFUSED(from.memory = UINT64_MAX);
    REFUSED(from.vcores = 0);
    REFUSED(from.vcores = BUNDLE_VCORES_MAX + 1);
    REFUSED(from.vcores = UINT32_MAX);
    REFUSED(from.isolation = DIOSIX_ISOLATION_PMP + 1);
    REFUSED(from.restart = DIOSIX_RESTART_ALWAYS + 1);
    struct manage_call c = {.buffer = (void *)&good, .size = sizeof(good) - 1};
    assert_int_equal(call(&tree_root, DIOSIX_CREATE, &c), SBI_ERR_INVALID_PARAM);
}

// These are found when it is there already; it goes again.
static void test_create_refuses_late(void **state)
{
    struct diosix_create from = good;
    uint64_t value;

    (void)state;
    from.weight = WEIGHT_MAX + 1;
    assert_int_equal(create(&tree_root, &from, &value), SBI_ERR_INVALID_PARAM);
    strcpy(from.name, "next");
    from.weight = 0;
    from.cap = CAP_MAX + 1;
    assert_int_equal(create(&tree_root, &from, &value), SBI_ERR_INVALID_PARAM);
    strcpy(from.name, "third");
    from.cap = 0;
    from.affinity = 1ull << 63;
    assert_int_equal(create(&tree_root, &from, &value), SBI_ERR_INVALID_PARAM);
}

static void test_want(void **state)
{
    struct diosix_create from = good;

    (void)state;
    fake_scarce = 1;
    create_refused(&good, SBI_ERR_FAILED, DIOSIX_LACK_MEMORY);
    fake_scarce = 0;
    from.quota.capsules = UINT32_MAX;
    create_refused(&from, SBI_ERR_FAILED, DIOSIX_LACK_QUOTA);
    from = good;
    from.memory = 1ull << 40; // it can be, but not start
    uint64_t id;
    assert_int_equal(create(&tree_root, &from, &id), SBI_SUCCESS);
    struct manage_call c = {.n = {id}};
    assert_int_equal(call(&tree_root, DIOSIX_START, &c), SBI_ERR_FAILED);
    assert_int_equal(c.value, DIOSIX_LACK_MEMORY);
}

// In each stage what is possible in it only.
static void test_stages(void **state)
{
    struct node *n = make(&tree_root, "one", 0, (struct diosix_quota){0});

    (void)state;
    for (enum diosix_call f = DIOSIX_STOP; f <= DIOSIX_FORK; f++)
        if (f != DIOSIX_RESTART)
            assert_int_equal(call_id(&tree_root, f, n->id, 0, 0), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_id(&tree_root, DIOSIX_RESTART, n->id, 0, 0), SBI_SUCCESS); // as a start
    assert_int_equal(call_id(&tree_root, DIOSIX_START, n->id, 0, 0), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_id(&tree_root, DIOSIX_PAUSE, n->id, 0, 0), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_id(&tree_root, DIOSIX_RESUME, n->id, 0, 0), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_id(&tree_root, DIOSIX_FORK, n->id, 0, 0), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_id(&tree_root, DIOSIX_KILL, n->id, 0, 0), SBI_SUCCESS);
    assert_int_equal(call_id(&tree_root, DIOSIX_RESTART, n->id, 0, 0), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_id(&tree_root, DIOSIX_DESTROY, n->id, 0, 0), SBI_SUCCESS);
    assert_int_equal(call_id(&tree_root, DIOSIX_DESTROY, n->id, 0, 0), SBI_SUCCESS);
}

static long equip(struct node *caller, const struct node *n, struct diosix_equip with, uint64_t *value)
{
    struct manage_call c = {.n = {n->id}, .buffer = &with, .size = sizeof(with)};
    long error = call(caller, DIOSIX_EQUIP, &c);
    *value = c.value;
    return error;
}

static void equip_refused(struct node *caller, const struct node *n, struct diosix_equip with, long expected)
{
    uint64_t value;
    assert_int_equal(equip(caller, n, with, &value), expected);
}

#define NET(...) ((struct diosix_equip){.kind = DIOSIX_DEVICE_NET, .name = __VA_ARGS__})
#define DISK(...) ((struct diosix_equip){.kind = DIOSIX_DEVICE_DISK, .name = __VA_ARGS__})
#define PLAIN(...) ((struct diosix_equip){.kind = __VA_ARGS__})

// Switches that the caller is on, and isolated if it is.
static void test_equip_with_nets(void **state)
{
    struct diosix_quota some = {4 * MIB, 4, 2};
    struct node *boss = make(&tree_root, "boss", DIOSIX_RIGHT_MANAGE, some);
    struct node *child = make(boss, "child", 0, (struct diosix_quota){0});
    const struct bundle_device *devices = state_of_node(child)->plan.devices;
    uint64_t value;

    (void)state;
    equip_refused(boss, child, NET("lan"), SBI_ERR_INVALID_PARAM);
    equip_refused(&tree_root, child, NET("none"), SBI_ERR_INVALID_PARAM);
    equip_refused(&tree_root, boss, NET("lan", .flags = 2), SBI_ERR_INVALID_PARAM);
    assert_int_equal(equip(&tree_root, boss, NET("lan", .flags = DIOSIX_EQUIP_ISOLATED), &value), SBI_SUCCESS);
    equip_refused(boss, child, NET("other"), SBI_ERR_INVALID_PARAM);
    fake_switch_room = 16; // which are not for children of guests
    assert_int_equal(equip(boss, child, NET("lan"), &value), SBI_ERR_FAILED);
    assert_int_equal(value, DIOSIX_LACK_DEVICES);
    fake_switch_room = 17;
    assert_int_equal(equip(boss, child, NET("lan"), &value), SBI_SUCCESS);
    assert_true(devices[0].is_isolated);
    assert_int_equal(equip(&tree_root, boss, NET("lan"), &value), SBI_SUCCESS);
    assert_int_equal(equip(boss, child, NET("lan"), &value), SBI_SUCCESS);
    assert_true(value == 1 && !devices[1].is_isolated);
}

// At the cost of the parent's quota.
static void test_equip_with_disks(void **state)
{
    struct diosix_quota some = {4 * MIB, 4, 2};
    struct node *boss = make(&tree_root, "boss", DIOSIX_RIGHT_MANAGE, some);
    struct node *child = make(boss, "child", 0, (struct diosix_quota){0});
    uint64_t value;

    (void)state;
    equip_refused(boss, child, DISK("kernel"), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, DISK("disk", .overlay = 4095), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, DISK("disk", .overlay = UINT64_MAX - 4095), SBI_ERR_INVALID_PARAM);
    assert_int_equal(equip(boss, child, DISK("disk", .overlay = 2 * MIB + 4096), &value), SBI_ERR_FAILED);
    assert_int_equal(value, DIOSIX_LACK_QUOTA);
    assert_int_equal(equip(boss, child, DISK("disk", .overlay = 2 * MIB), &value), SBI_SUCCESS);
    assert_int_equal(boss->used.memory, 4 * MIB);
    assert_int_equal(call_id(boss, DIOSIX_DESTROY, child->id, 0, 0), SBI_SUCCESS);
}

static void test_equip_refuses(void **state)
{
    struct diosix_quota some = {4 * MIB, 4, 2};
    struct node *boss = make(&tree_root, "boss", DIOSIX_RIGHT_MANAGE, some);
    struct node *child = make(boss, "child", 0, (struct diosix_quota){0});
    struct diosix_equip endless = PLAIN(DIOSIX_DEVICE_DISK);
    uint64_t value;

    (void)state;
    equip_refused(boss, child, PLAIN(DIOSIX_DEVICE_RNG, .name = "x"), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, PLAIN(DIOSIX_DEVICE_RNG, .overlay = 4096), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, PLAIN(DIOSIX_DEVICE_CONSOLE, .flags = 1), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, PLAIN(DIOSIX_DEVICE_VSOCK, .flags = 1), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, PLAIN(DIOSIX_DEVICE_HOST_DISK), SBI_ERR_DENIED); // the root's to give
    equip_refused(&tree_root, child, PLAIN(DIOSIX_DEVICE_HOST_DISK, .flags = 1), SBI_ERR_INVALID_PARAM);
    equip_refused(&tree_root, child, PLAIN(DIOSIX_DEVICE_HOST_DISK, .name = "x"), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, PLAIN(0), SBI_ERR_INVALID_PARAM);
    equip_refused(boss, child, PLAIN(UINT32_MAX), SBI_ERR_INVALID_PARAM);
    memset(endless.name, 'd', sizeof(endless.name));
    equip_refused(boss, child, endless, SBI_ERR_INVALID_PARAM);
    equip_refused(boss, boss, PLAIN(DIOSIX_DEVICE_RNG), SBI_ERR_INVALID_PARAM);
    equip_refused(child, child, PLAIN(DIOSIX_DEVICE_RNG), SBI_ERR_DENIED);
    for (unsigned i = 0; i < VIRTIO_SLOTS; i++) {
        assert_int_equal(equip(boss, child, PLAIN(DIOSIX_DEVICE_RNG), &value), SBI_SUCCESS);
        assert_int_equal(value, i);
    }
    assert_int_equal(equip(boss, child, PLAIN(DIOSIX_DEVICE_RNG), &value), SBI_ERR_FAILED);
    assert_int_equal(value, DIOSIX_LACK_DEVICES);
    assert_int_equal(call_id(boss, DIOSIX_START, child->id, 0, 0), SBI_SUCCESS);
    equip_refused(boss, child, PLAIN(DIOSIX_DEVICE_RNG), SBI_ERR_INVALID_STATE);
}

static void test_reach_and_rights(void **state)
{
    struct diosix_quota some = {8 * MIB, 4, 2};
    struct node *boss = make(&tree_root, "boss", DIOSIX_RIGHT_MANAGE, some);
    struct node *child = make(boss, "child", 0, (struct diosix_quota){0});
    struct node *other = make(&tree_root, "other", 0, (struct diosix_quota){0});
    uint64_t value;

    (void)state;
    for (enum diosix_call f = DIOSIX_START; f <= DIOSIX_SET; f++) {
        assert_int_equal(call_id(child, f, 0, 0, 0), SBI_ERR_DENIED);
        assert_int_equal(call_id(child, f, boss->id, 0, 0), SBI_ERR_DENIED);
        assert_int_equal(call_id(boss, f, other->id, 0, 0), SBI_ERR_INVALID_PARAM);
        assert_int_equal(call_id(boss, f, child->id + (1ull << 32), 0, 0), SBI_ERR_INVALID_PARAM);
        if (f != DIOSIX_FORK)
            assert_int_equal(call_id(boss, f, boss->id, 0, 0), SBI_ERR_INVALID_PARAM);
        assert_int_equal(call_id(&tree_root, f, 0, 0, 0), SBI_ERR_INVALID_PARAM);
    }
    assert_int_equal(call_id(boss, DIOSIX_POWER, 0, 0, 0), SBI_ERR_DENIED);
    assert_int_equal(call_id(&tree_root, DIOSIX_POWER, DIOSIX_POWER_END + 1, 0, 0), SBI_ERR_INVALID_PARAM);
    struct diosix_create from = good;
    from.rights = DIOSIX_RIGHT_CONSOLE; // which the caller lacks
    assert_int_equal(create(boss, &from, &value), SBI_ERR_INVALID_PARAM);
    assert_int_equal(create(child, &good, &value), SBI_ERR_DENIED);
    from.rights = 0;
    from.memory = 8 * MIB; // 2 MiB are out
    assert_int_equal(create(boss, &from, &value), SBI_ERR_FAILED);
    assert_int_equal(value, DIOSIX_LACK_QUOTA);
}

static long call_as(struct node *n, enum diosix_call function, uint64_t n0, uint64_t n1, uint64_t *value)
{
    struct capsule *c = &state_of_node(n)->capsule;
    uint8_t bytes[64];
    struct manage_call to = {
        .n = {n0, n1, function == DIOSIX_SET ? *value : 0}, .buffer = bytes, .size = sizeof(bytes)};
    struct request r = {.caller = terminal_keeper() == c ? &tree_root : n, .vcore = c->vcores[0], .call = &to};
    long error = manage_do(manage_kind(function), &r);

    *value = to.value;
    return error;
}

// Who keeps the terminal reaches all capsules, itself too, and what they print; nobody else does.
static void test_terminal(void **state)
{
    struct node *other = make(&tree_root, "other", 0, (struct diosix_quota){0});
    struct node *service = make(&tree_root, "service", RIGHTS_SERVICE, (struct diosix_quota){0});
    struct node *second = make(&tree_root, "second", RIGHTS_SERVICE, (struct diosix_quota){0});
    struct stream *printed = &state_of_node(other)->capsule.stream;
    uint64_t value;

    (void)state;
    for (enum diosix_call f = DIOSIX_KEEP; f <= DIOSIX_WATCH; f++) {
        assert_int_equal(call_as(other, f, 0, 0, &value), SBI_ERR_DENIED);
        assert_int_equal(call_id(&tree_root, f, f < DIOSIX_SHOWN ? 0 : other->id, 0, 0), SBI_ERR_INVALID_STATE);
        if (f < DIOSIX_SHOWN)
            assert_int_equal(call_as(service, f, 0, 0, &value), SBI_ERR_INVALID_STATE);
    }
    assert_int_equal(call_as(service, DIOSIX_KEEP, 2, 0, &value), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call_as(service, DIOSIX_KEEP, 1, 0, &value), SBI_SUCCESS);
    assert_true(console_is_kept());
    assert_int_equal(call_as(second, DIOSIX_KEEP, 1, 0, &value), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_as(second, DIOSIX_TYPED, 0, 0, &value), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_as(second, DIOSIX_WATCH, other->id, 0, &value), SBI_ERR_INVALID_PARAM);

    printed->head = 5;
    console_dio.head = 7;
    console_dio.shown = 0;
    assert_int_equal(call_as(service, DIOSIX_NEWS, 0, 0, &value), SBI_SUCCESS);
    assert_int_equal(value, other->id);
    assert_int_equal(call_as(service, DIOSIX_NEWS, other->id, 0, &value), SBI_SUCCESS);
    assert_int_equal(value, DIOSIX_ID_OWN);
    assert_int_equal(call_as(service, DIOSIX_NEWS, DIOSIX_ID_OWN, 0, &value), SBI_SUCCESS);
    assert_int_equal(value, 0);
    assert_int_equal(call_as(service, DIOSIX_SHOWN, other->id, 6, &value), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call_as(service, DIOSIX_SHOWN, other->id, 5, &value), SBI_SUCCESS);
    assert_int_equal(call_as(service, DIOSIX_SHOWN, DIOSIX_ID_OWN, 7, &value), SBI_SUCCESS);
    assert_int_equal(call_as(service, DIOSIX_NEWS, 0, 0, &value), SBI_SUCCESS);
    assert_int_equal(value, 0);
    assert_int_equal(call_as(service, DIOSIX_WATCH, other->id, 2, &value), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call_as(service, DIOSIX_WATCH, DIOSIX_ID_OWN, 0, &value), SBI_SUCCESS);
    assert_int_equal(call_as(service, DIOSIX_STATUS, 0, 0, &value), SBI_SUCCESS); // its own
    value = DIOSIX_RIGHT_MANAGE;                                                  // it would lose the terminal for good
    assert_int_equal(call_as(service, DIOSIX_SET, service->id, DIOSIX_SET_RIGHTS, &value), SBI_ERR_DENIED);
    value = RIGHTS_SERVICE;
    assert_int_equal(call_as(service, DIOSIX_SET, service->id, DIOSIX_SET_RIGHTS, &value), SBI_SUCCESS);
    value = 0;
    assert_int_equal(call_as(service, DIOSIX_SET, second->id, DIOSIX_SET_RIGHTS, &value), SBI_SUCCESS);
    value = RIGHTS_SERVICE;
    assert_int_equal(call_as(service, DIOSIX_SET, second->id, DIOSIX_SET_RIGHTS, &value), SBI_SUCCESS);

    assert_int_equal(call_as(service, DIOSIX_KEEP, 0, 0, &value), SBI_SUCCESS);
    assert_false(console_is_kept());
    assert_null(terminal_keeper());
    assert_int_equal(call_as(second, DIOSIX_KEEP, 1, 0, &value), SBI_SUCCESS);
    console_keep(false); // the hypervisor takes it back
    assert_int_equal(call_as(second, DIOSIX_TYPED, 0, 0, &value), SBI_ERR_INVALID_STATE);
    assert_int_equal(call_as(second, DIOSIX_KEEP, 1, 0, &value), SBI_SUCCESS);
    assert_int_equal(call_as(second, DIOSIX_KEEP, 0, 0, &value), SBI_SUCCESS);
}

static void test_settings(void **state)
{
    struct node *boss = make(&tree_root, "boss", DIOSIX_RIGHT_MANAGE, (struct diosix_quota){8 * MIB, 4, 2});
    struct node *child = make(boss, "child", 0, (struct diosix_quota){0});
    static const struct {
        uint64_t setting, value;
        long error;
    } tries[] = {
        {0, 0, SBI_ERR_INVALID_PARAM},
        {DIOSIX_SET_QUOTA_CAPSULES + 1, 0, SBI_ERR_INVALID_PARAM},
        {(1ull << 32) + DIOSIX_SET_WEIGHT, 100, SBI_ERR_INVALID_PARAM},
        {DIOSIX_SET_WEIGHT, 0, SBI_ERR_INVALID_PARAM},
        {DIOSIX_SET_WEIGHT, 1ull << 32, SBI_ERR_INVALID_PARAM},
        {DIOSIX_SET_CAP, CAP_MAX + 1, SBI_ERR_INVALID_PARAM},
        {DIOSIX_SET_AFFINITY, 1ull << 40, SBI_ERR_INVALID_PARAM},
        {DIOSIX_SET_EXCLUSIVE, 1, SBI_ERR_DENIED},
        {DIOSIX_SET_RESTART, 3, SBI_ERR_INVALID_PARAM},
        {DIOSIX_SET_RIGHTS, DIOSIX_RIGHT_CONSOLE, SBI_ERR_DENIED},
        {DIOSIX_SET_RIGHTS, 1ull << 32, SBI_ERR_DENIED},
        {DIOSIX_SET_QUOTA_MEMORY, 7 * MIB, SBI_ERR_FAILED},
        {DIOSIX_SET_QUOTA_VCORES, 3, SBI_ERR_FAILED},
        {DIOSIX_SET_QUOTA_CAPSULES, 2, SBI_ERR_FAILED},
        {DIOSIX_SET_QUOTA_MEMORY, 6 * MIB, SBI_SUCCESS},
        {DIOSIX_SET_AFFINITY, 2, SBI_SUCCESS},
    };

    (void)state;
    for (unsigned i = 0; i < array_length(tries); i++)
        if (call_id(boss, DIOSIX_SET, child->id, tries[i].setting, tries[i].value) != tries[i].error)
            fail_msg("setting %u", i);
    assert_int_equal(boss->used.memory, 8 * MIB);
}

// A capsule that has used up its cap stays without until the next period, whatever else is set.
static void test_cap_is_kept(void **state)
{
    struct node *n = make(&tree_root, "one", 0, (struct diosix_quota){0});
    struct share *share = &state_of_node(n)->capsule.share;

    (void)state;
    assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_CAP, 50), SBI_SUCCESS);
    share->left = -5;
    assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_WEIGHT, 200), SBI_SUCCESS);
    assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_CAP, 50), SBI_SUCCESS);
    assert_int_equal(share->left, -5);
    assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_CAP, 60), SBI_SUCCESS);
    assert_int_equal(share->left, 0);
}

static unsigned long requests_take(void)
{
    unsigned long all = 0;

    for (unsigned i = 0; i < harts_count; i++)
        all |= atomic_exchange(&harts[i]->requests, 0);
    return all;
}

// Who changes a capsule's limits back and forth keeps only the harts that run it from their work.
static void test_limits_concern_who_runs(void **state)
{
    struct node *n = make(&tree_root, "one", 0, (struct diosix_quota){0});
    struct vcore *v = state_of_node(n)->capsule.vcores[1];

    (void)state;
    (void)requests_take();
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_CAP, 50 + i), SBI_SUCCESS);
        assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_AFFINITY, 1 + i % 2), SBI_SUCCESS);
    }
    assert_int_equal(requests_take(), 0);
    atomic_store(&v->entity.running, harts[1]);
    assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_CAP, 53), SBI_SUCCESS); // nothing changes
    assert_int_equal(requests_take(), 0);
    assert_int_equal(call_id(&tree_root, DIOSIX_SET, n->id, DIOSIX_SET_AFFINITY, 1), SBI_SUCCESS);
    assert_int_equal(harts[0]->requests, 0);
    assert_int_equal(requests_take(), REQUEST_RESCHEDULE);
    atomic_store(&v->entity.running, NULL);
}

// A clone that is asked for, and given up at once: nobody runs who could make it.
static long fork_of(struct node *caller, struct node *original, uint64_t *id)
{
    struct capsule_state *s = state_of_node(original);
    struct manage_call c = {.n = {original->id}};

    s->stage = LIFE_RUNNING;
    s->capsule.space.kind = ISOLATION_GSTAGE;
    long error = call(caller, DIOSIX_FORK, &c);
    if (error == SBI_SUCCESS)
        fork_fail(s, DIOSIX_LACK_NONE);
    s->stage = LIFE_STOPPED;
    s->holds = 0;
    atomic_store(&s->capsule.halt, 0);
    *id = c.value;
    return error;
}

// The clone that is given no name is never named like somebody who is there.
static void test_clones_have_names_of_their_own(void **state)
{
    struct node *n = make(&tree_root, "one", 0, (struct diosix_quota){0});
    char name[DIOSIX_NAME_SIZE];
    uint64_t id, last = n->id;

    (void)state;
    snprintf(name, sizeof(name), "one-%u", (unsigned)last + 2);
    last = make(&tree_root, name, 0, (struct diosix_quota){0})->id;
    assert_int_equal(fork_of(&tree_root, n, &id), SBI_SUCCESS);
    snprintf(name, sizeof(name), "clone-%u", (unsigned)id);
    assert_int_equal(id, last + 1);
    assert_string_equal(state_of_node(tree_find(&tree_root, (uint32_t)id))->capsule.name, name);
    snprintf(name, sizeof(name), "one-%u", (unsigned)id + 3);
    (void)make(&tree_root, name, 0, (struct diosix_quota){0});
    snprintf(name, sizeof(name), "clone-%u", (unsigned)id + 3);
    (void)make(&tree_root, name, 0, (struct diosix_quota){0});
    assert_int_equal(fork_of(&tree_root, n, &id), SBI_ERR_INVALID_PARAM);
}

// Not by clones either.
static void test_clones_leave_ports(void **state)
{
    struct node *boss = make(&tree_root, "boss", DIOSIX_RIGHT_MANAGE, (struct diosix_quota){8 * MIB, 4, 4});
    struct node *child = make(boss, "child", 0, (struct diosix_quota){0});
    uint64_t value;

    (void)state;
    fake_switch_room = 64;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(equip(&tree_root, child, NET("lan"), &value), SBI_SUCCESS);
    fake_switch_room = 17; // for one more
    assert_int_equal(fork_of(boss, child, &value), SBI_ERR_FAILED);
    assert_int_equal(value, DIOSIX_LACK_DEVICES);
    fake_switch_room = 18;
    assert_int_equal(fork_of(boss, child, &value), SBI_SUCCESS);
    fake_switch_room = 2;
    assert_int_equal(fork_of(&tree_root, child, &value), SBI_SUCCESS);
    fake_switch_room = 1;
    assert_int_equal(fork_of(&tree_root, child, &value), SBI_ERR_FAILED);
    fake_switch_room = 64;
}

static void test_give_up(void **state)
{
    struct node *boss = make(&tree_root, "boss", DIOSIX_RIGHT_MANAGE, (struct diosix_quota){8 * MIB, 4, 2});

    (void)state;
    make(boss, "child", 0, (struct diosix_quota){0});
    assert_int_equal(call_id(&tree_root, DIOSIX_GIVE_UP, DIOSIX_SET_RIGHTS, 1, 0), SBI_ERR_DENIED);
    assert_int_equal(call_id(boss, DIOSIX_GIVE_UP, DIOSIX_SET_WEIGHT, 0, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call_id(boss, DIOSIX_GIVE_UP, (1ull << 32) + DIOSIX_SET_RIGHTS, 1, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call_id(boss, DIOSIX_GIVE_UP, DIOSIX_SET_QUOTA_MEMORY, 9 * MIB, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call_id(boss, DIOSIX_GIVE_UP, DIOSIX_SET_QUOTA_MEMORY, MIB, 0), SBI_ERR_FAILED);
    assert_int_equal(call_id(boss, DIOSIX_GIVE_UP, DIOSIX_SET_QUOTA_MEMORY, 2 * MIB, 0), SBI_SUCCESS);
    assert_int_equal(tree_root.used.memory, 4 * MIB);
    assert_int_equal(call_id(boss, DIOSIX_GIVE_UP, DIOSIX_SET_RIGHTS, 1, 0), SBI_SUCCESS);
    assert_int_equal(boss->rights, 0);
    assert_int_equal(call_id(boss, DIOSIX_PAUSE, 0, 0, 0), SBI_ERR_DENIED);
}

// A person who is attached elsewhere is told of the root's own children only, and of nothing that a guest can do
// over and over.
static void test_ends_are_urgent(void **state)
{
    struct capsule_state s = {.node.parent = &tree_root};
    struct node other;

    (void)state;
    assert_int_equal(ending_level(&s), LOG_ERROR);
    s.again = true; // a reboot
    assert_int_equal(ending_level(&s), LOG_INFO);
    s.failures = 1; // which has to wait
    assert_int_equal(ending_level(&s), LOG_ERROR);
    s.node.parent = &other;
    assert_int_equal(ending_level(&s), LOG_INFO);
    s.again = false;
    assert_int_equal(ending_level(&s), LOG_INFO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_begin, machine_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_refuses),
        TEST(test_create_refuses_late),
        TEST(test_want),
        TEST(test_stages),
        TEST(test_equip_with_nets),
        TEST(test_equip_with_disks),
        TEST(test_equip_refuses),
        TEST(test_reach_and_rights),
        TEST(test_terminal),
        TEST(test_settings),
        TEST(test_cap_is_kept),
        TEST(test_limits_concern_who_runs),
        TEST(test_clones_have_names_of_their_own),
        TEST(test_clones_leave_ports),
        TEST(test_give_up),
        TEST(test_ends_are_urgent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
