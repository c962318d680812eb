// Descendants, rights and quotas; clones.
#include <string.h>

#include "suite.h"

static bool counts_balance(void)
{
    struct diosix_quota used = child_status(0).used;
    return used.memory == 0 && used.vcores == 0 && used.capsules == 0;
}

void tree_grandchildren(void)
{
    uint32_t id = child_start("child", "role=parent");
    check(id && child_says(id, "grandchild "), "did not start");
    struct sbi_result next = manage_call(DIOSIX_NEXT, id, 0, 0);
    check(next.error == 0 && next.value > id, "no grandchild");
    uint32_t grandchild = (uint32_t)next.value;
    check(child_status(grandchild).parent == id, "parent %u", (unsigned)child_status(grandchild).parent);
    check(child_says(grandchild, "I am idle"), "the grandchild did not start");
    check(child_status(id).used.capsules == 1, "used %u", (unsigned)child_status(id).used.capsules);
    check_error(manage_call(DIOSIX_KILL, grandchild, 0, 0), 0);
    check(child_becomes(grandchild, DIOSIX_STOPPED), "did not end");
    check(child_remove(id), "still there");
    check_error(manage_struct(DIOSIX_STATUS, grandchild, 0, NULL), SBI_INVALID_PARAM);
    check(counts_balance(), "the quota is not as it was");
}

void tree_ends_with_parent(void)
{
    uint32_t id = child_start("child", "role=parent");
    check(id && child_says(id, "grandchild "), "did not start");
    uint32_t grandchild = (uint32_t)manage_call(DIOSIX_NEXT, id, 0, 0).value;
    check_error(manage_call(DIOSIX_RESTART, id, 0, 0), 0);
    check(wait_for(manage_struct(DIOSIX_STATUS, grandchild, 0, NULL).error == SBI_INVALID_PARAM, PATIENCE), "lives on");
    check(child_remove(id), "still there");
    check(counts_balance(), "the quota is not as it was");
}

void tree_quota(void)
{
    struct diosix_quota limit = child_status(0).quota;
    char name[] = "child-a";
    uint32_t ids[32];
    unsigned count = 0;

    while (count < 26 && (ids[count] = child_create(name, "role=idle"))) {
        count++;
        name[6]++;
    }
    struct diosix_quota used = child_status(0).used;
    check(count && used.capsules <= limit.capsules && used.memory <= limit.memory, "made %u", count);
    check(used.capsules == 3 * count, "%u made, %u counted", count, (unsigned)used.capsules); // with what each may have
    static struct diosix_create more = {.name = "more", .kernel = "kernel-1", .memory = 1ull << 40, .vcores = 1};
    struct sbi_result r = sbi_call3(DIOSIX_SBI_EXTENSION, DIOSIX_CREATE, sizeof more, &more, 0);
    check(r.error == SBI_FAILED && r.value == DIOSIX_LACK_QUOTA, "error %ld, value %lu", r.error, r.value);
    while (count)
        check(child_remove(ids[--count]), "still there");
    check(counts_balance(), "the quota is not as it was");
}

void tree_rights(void)
{
    uint32_t id = child_create("child", "role=parent");
    check(id, "not created");
    check_error(manage_set(id, DIOSIX_SET_RIGHTS, 0), 0);
    check_error(manage_call(DIOSIX_START, id, 0, 0), 0);
    check(child_says(id, "grandchild 0"), "made a grandchild without the right to");
    check(child_remove(id), "still there");
}

#define skip_unless_gstage() skip_if(child_status(0).isolation != DIOSIX_ISOLATION_GSTAGE, "no clones under pmp")

// The clone takes another way in this very function; what it prints is its own.
void fork_self(void)
{
    static volatile unsigned mark = 1;
    volatile unsigned on_stack = 5;

    if (child_status(0).isolation != DIOSIX_ISOLATION_GSTAGE) {
        check_error(manage_struct(DIOSIX_FORK, 0, 0, NULL), SBI_NOT_SUPPORTED);
        return;
    }
    struct sbi_result r = sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_FORK, 0, 7, "clone1", 0, 0, 0);
    if (r.error == 0 && r.value == 0) {
        mark = 2;
        on_stack = 6;
        print("clone %u %u\n", mark, on_stack);
        for (;;)
            wfi();
    }
    check(r.error == 0, "error %ld, lack %lu", r.error, r.value);
    uint32_t id = (uint32_t)r.value;
    check(child_says(id, "clone 2 6"), "the clone says nothing");
    check(mark == 1 && on_stack == 5, "the clone's writes are seen here");
    struct diosix_status s = child_status(id);
    check(!strcmp(s.name, "clone1") && s.state == DIOSIX_RUNNING, "name %s, state %u", s.name, (unsigned)s.state);
    check(s.memory_private < s.memory / 2, "private %llu", (long long unsigned)s.memory_private);
    check(child_remove(id), "still there");
}

void fork_child(void)
{
    skip_unless_gstage();
    uint32_t id = child_start("child", "role=echo");
    check(id && child_says(id, "I am echo"), "did not start");
    struct sbi_result r = manage_struct(DIOSIX_FORK, id, 0, NULL);
    check(r.error == 0, "error %ld", r.error);
    uint32_t clone = (uint32_t)r.value;
    check(child_becomes(clone, DIOSIX_RUNNING), "state %u", (unsigned)child_status(clone).state);
    check(manage_struct(DIOSIX_INPUT, clone, 1, "c").value == 1, "input not taken");
    check(child_says(clone, "got c"), "the clone does not answer");
    check(manage_struct(DIOSIX_INPUT, id, 1, "o").value == 1, "input not taken");
    check(child_says(id, "got o"), "the original does not answer");
    check(child_remove(id), "still there");
    check(manage_struct(DIOSIX_INPUT, clone, 1, "d").value == 1, "input not taken");
    check(child_says(clone, "got d"), "the clone died with its original");
    check(child_remove(clone), "still there");
}

// Of one that printed and sleeps since, the clone has made no call.
void fork_counts(void)
{
    skip_unless_gstage();
    uint32_t id = child_start("child", "role=idle");
    check(id && child_says(id, "I am idle"), "did not start");
    check(wait_for(child_status(id).exits[DIOSIX_EXIT_CALL] >= 2, PATIENCE), "its calls are not counted");
    struct sbi_result r = manage_struct(DIOSIX_FORK, id, 0, NULL);
    check(r.error == 0, "error %ld", r.error);
    check(child_becomes((uint32_t)r.value, DIOSIX_RUNNING), "no clone");
    uint64_t calls = child_status((uint32_t)r.value).exits[DIOSIX_EXIT_CALL];
    check(calls < 2, "the clone counts %u of its original's calls", (unsigned)calls);
    check(child_remove((uint32_t)r.value) && child_remove(id), "still there");
}

// Who was asked to shut down is the original alone.
void fork_asked(void)
{
    skip_unless_gstage();
    uint32_t id = child_start("child", "role=late");
    check(id && child_says(id, "I am late"), "did not start");
    check_error(manage_call(DIOSIX_STOP, id, 1000000, 0), 0);
    struct sbi_result r = manage_struct(DIOSIX_FORK, id, 0, NULL);
    check(r.error == 0, "error %ld", r.error);
    uint32_t clone = (uint32_t)r.value;
    check(child_becomes(clone, DIOSIX_RUNNING), "no clone");
    check(child_status(id).asked && !child_status(clone).asked, "the clone is asked as well");
    check(manage_struct(DIOSIX_INPUT, clone, 1, "g").value == 1, "input not taken");
    check(child_says(clone, "not asked"), "the clone has the original's keys");
    check(manage_struct(DIOSIX_INPUT, id, 1, "g").value == 1, "input not taken");
    check(child_becomes(id, DIOSIX_STOPPED), "did not end");
    check(child_status(id).ending == DIOSIX_ENDED_SHUTDOWN, "ending %u", (unsigned)child_status(id).ending);
    check(child_remove(clone) && child_remove(id), "still there");
}

// What a child has lost, its clone does not have.
void fork_rights(void)
{
    skip_unless_gstage();
    uint32_t id = child_create("child", "role=spin");
    check(id, "not created");
    check_error(manage_set(id, DIOSIX_SET_RIGHTS, 0), 0);
    check_error(manage_call(DIOSIX_START, id, 0, 0), 0);
    check(child_says(id, "I am spin"), "did not start");
    struct sbi_result r = manage_struct(DIOSIX_FORK, id, 0, NULL);
    check(r.error == 0, "error %ld", r.error);
    uint32_t clone = (uint32_t)r.value;
    check(child_status(clone).rights == 0, "rights %x", (unsigned)child_status(clone).rights);
    check(child_remove(clone), "still there");
    check(child_remove(id), "still there");
}

void fork_many(void)
{
    skip_unless_gstage();
    for (unsigned round = 0; round < 20; round++) {
        uint32_t id = child_start("child", "role=spin");
        check(id, "did not start");
        (void)wait_for(child_status(id).state == DIOSIX_RUNNING, PATIENCE);
        struct sbi_result r = manage_struct(DIOSIX_FORK, id, 0, NULL);
        check(r.error == 0, "error %ld", r.error);
        for (volatile unsigned wait = round * 501; wait; wait--) {
        }
        // Whichever comes first: the original's end or the clone's beginning.
        check(child_remove(round & 1 ? id : (uint32_t)r.value), "still there");
        check(child_remove(round & 1 ? (uint32_t)r.value : id), "still there");
    }
    check(counts_balance(), "the quota is not as it was");
}

static volatile unsigned loops;

static void loop(void *argument)
{
    static const unsigned char calls[] = {DIOSIX_START,   DIOSIX_KILL,  DIOSIX_PAUSE, DIOSIX_RESUME,
                                          DIOSIX_RESTART, DIOSIX_TRACE, DIOSIX_FORK};
    unsigned long id = (unsigned long)argument, dice = id * 77 + hart_self()->index;

    for (unsigned i = 0; i < 300; i++) {
        dice = dice * 1103515245 + 12345;
        unsigned call = calls[(dice >> 16 & 0x7fff) % sizeof calls];
        // Clones would not be found again.
        if (call != DIOSIX_FORK || i % 32 == 0)
            (void)sbi_call6(DIOSIX_SBI_EXTENSION, call, id, 0, call == DIOSIX_TRACE ? i & 8 : tree.ram_base,
                            tree.ram_base, 0, 0);
        __atomic_fetch_add(&loops, 1, __ATOMIC_RELAXED);
    }
}

void loops_from_all_harts(void)
{
    uint32_t id = child_start("child", "role=idle"), next;
    check(id, "did not start");
    loops = 0;
    for (unsigned i = 1; i < harts_online; i++)
        hart_run(&harts[i], loop, (void *)(unsigned long)id);
    loop((void *)(unsigned long)id);
    for (unsigned i = 1; i < harts_online; i++)
        check(hart_wait(&harts[i]), "hart %u hangs", i);
    while ((next = (uint32_t)manage_call(DIOSIX_NEXT, 0, 0, 0).value))
        check(child_remove(next), "%u is still there", (unsigned)next);
    check(counts_balance(), "the quota is not as it was");
}

void give_up(void)
{
    struct diosix_quota limit = child_status(0).quota;
    check_error(manage_give_up(DIOSIX_SET_QUOTA_MEMORY, limit.memory + 1), SBI_INVALID_PARAM);
    check_error(manage_give_up(DIOSIX_SET_QUOTA_CAPSULES, 0), 0);
    check(!child_create("child", "role=idle"), "made a child without quota");
    check_error(manage_give_up(DIOSIX_SET_QUOTA_CAPSULES, 1), SBI_INVALID_PARAM);
    check_error(manage_give_up(DIOSIX_SET_RIGHTS, DIOSIX_RIGHT_MANAGE), 0);
    check_error(manage_call(DIOSIX_NEXT, 0, 0, 0), SBI_DENIED);
    check(child_status(0).rights == 0, "rights %x", (unsigned)child_status(0).rights);
}
