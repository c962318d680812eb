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
// Capsules are made, started, stopped, killed, restarted, paused, cloned and destroyed, by a person and by
// each other, while their guests run, sleep, stop and start vcores and end by themselves, on harts whose steps
// interleave at random. Each gets where it was sent, and in the end nothing is left of any of them.
#include "explore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capsules.h"
#include "harts.h"
#include "lives.h"
#include "manage_calls.h"
#include "person.h"

#define BITS (1UL << INTERRUPT_S_SOFT | 1UL << INTERRUPT_S_TIMER | 1UL << INTERRUPT_S_EXTERNAL)
#define MIB (1ull << 20)

// What guests do besides: bits of `temper`.
#define ENDS 1u    // end by themselves
#define STOPS 2u   // stop their last vcore, too
#define MANAGES 4u // have capsules of their own
static unsigned temper;

// --- management calls ---------------------------------------------------------------------------------

struct caller {
    struct node *node;
    struct vcore *vcore; // NULL: a person
};
static const struct caller person = {&tree_root, NULL};

static long call(const struct caller *who, enum diosix_call function, struct manage_call *c)
{
    struct request r = {.caller = who->node, .vcore = who->vcore, .call = c};
    return manage_do(manage_kind(function), &r);
}

static long call_id(const struct caller *who, enum diosix_call function, uint64_t id, uint64_t n1, uint64_t n2)
{
    struct manage_call c = {.n = {id, n1, n2}};
    return call(who, function, &c);
}

static unsigned named;

static uint32_t create(const struct caller *who, unsigned vcores, uint64_t memory, unsigned restart)
{
    struct {
        struct diosix_create head;
        char cmdline[8];
    } from = {.head = {.kernel = "kernel", .memory = memory, .vcores = vcores, .restart = restart}, .cmdline = "quiet"};
    struct manage_call c = {.buffer = &from, .size = sizeof(from)};

    snprintf(from.head.name, sizeof(from.head.name), "c%u", named++);
    if (!who->vcore) {
        from.head.rights = DIOSIX_RIGHT_MANAGE;
        from.head.quota = (struct diosix_quota){16 * MIB, 8, 4};
    }
    return call(who, DIOSIX_CREATE, &c) == SBI_SUCCESS ? (uint32_t)c.value : 0;
}

static uint32_t next_id(const struct caller *who, uint32_t id)
{
    struct manage_call c = {.n = {id}};
    call(who, DIOSIX_NEXT, &c);
    return (uint32_t)c.value;
}

static uint32_t newest;

static uint32_t somebody(const struct caller *who)
{
    return next_id(who, newest > 12 ? newest - explore_random(12) - 1 : 0);
}

static long fork_call(const struct caller *who, uint32_t id, uint32_t *clone)
{
    struct manage_call c = {.n = {id}};
    long error = call(who, DIOSIX_FORK, &c);
    *clone = error == SBI_SUCCESS ? (uint32_t)c.value : 0;
    return error;
}

static void newest_keep(uint32_t id)
{
    if (id > newest)
        newest = id;
}

static void random_create(const struct caller *who)
{
    if (tree_count() > 8)
        return;
    uint32_t id = create(who, 1 + explore_random(3), (1 + explore_random(4)) * 2 * MIB, explore_random(3));
    newest_keep(id);
    if (id && explore_random(3))
        call_id(who, DIOSIX_START, id, 0, 0);
}

static void random_set(const struct caller *who, uint32_t id)
{
    switch (explore_random(6)) {
    case 0:
        call_id(who, DIOSIX_SET, id, DIOSIX_SET_CAP, explore_random(2) ? 20 + explore_random(200) : 0);
        break;
    case 1:
        call_id(who, DIOSIX_SET, id, DIOSIX_SET_AFFINITY, explore_random(16));
        break;
    case 2:
    case 3:
        call_id(who, DIOSIX_SET, id, DIOSIX_SET_EXCLUSIVE, explore_random(3) == 0);
        break;
    case 4:
        call_id(who, DIOSIX_SET, id, DIOSIX_SET_QUOTA_MEMORY, explore_random(32) * MIB);
        break;
    default:
        call_id(who, DIOSIX_SET, id, DIOSIX_SET_RESTART, explore_random(3));
    }
}

static void random_look(const struct caller *who, uint32_t id)
{
    struct diosix_status status;
    struct manage_call c = {.n = {id}, .buffer = &status, .size = sizeof(status)};
    struct diosix_hart hart;
    struct manage_call h = {.n = {explore_random(harts_count)}, .buffer = &hart, .size = sizeof(hart)};
    uint8_t key = 'x';
    struct manage_call typed = {.n = {id}, .buffer = &key, .size = 1};

    call(who, DIOSIX_STATUS, &c);
    call(who, DIOSIX_HART, &h);
    call(who, DIOSIX_INPUT, &typed);
}

// True if the caller's own vcore is being cloned.
static bool random_call(const struct caller *who)
{
    uint32_t id = somebody(who), clone = 0;

    switch (explore_random(21)) {
    case 0:
    case 1:
    case 2:
    case 3:
        random_create(who);
        break;
    case 4:
    case 5:
        call_id(who, DIOSIX_START, id, 0, 0);
        break;
    case 6:
        call_id(who, DIOSIX_STOP, id, explore_random(5000), 0);
        break;
    case 7:
        call_id(who, DIOSIX_KILL, id, 0, 0);
        break;
    case 8:
        call_id(who, DIOSIX_RESTART, id, 0, 0);
        break;
    case 9:
    case 10:
        call_id(who, DIOSIX_PAUSE, id, 0, 0);
        break;
    case 11:
    case 12:
    case 13:
        call_id(who, DIOSIX_RESUME, id, 0, 0);
        break;
    case 14:
    case 15:
        if (tree_count() < 12)
            fork_call(who, who->vcore && explore_random(2) ? 0 : id, &clone);
        newest_keep(clone);
        break;
    case 16:
        call_id(who, DIOSIX_DESTROY, id, 0, 0);
        break;
    case 17:
        random_set(who, id);
        break;
    case 18:
        call_id(who, DIOSIX_DEVICE_SET, id, DIOSIX_DEVICE_SET_OUT << 8, 0);
        break;
    default:
        random_look(who, id);
    }
    return clone && who->vcore && who->vcore->capsule->halt;
}

// --- guests ---------------------------------------------------------------------------------------------

static enum exit hsm_call(struct vcore *v, unsigned long function, unsigned long a0, unsigned long a1)
{
    v->context.x[10] = a0;
    v->context.x[11] = a1;
    v->context.x[12] = 0;
    return sbi_hsm(v, function);
}

static void guest_interrupts(void)
{
    unsigned long pending = csr_read(CSR_SIP + CSR_VS_OFFSET) & csr_read(CSR_SIE + CSR_VS_OFFSET);

    world_lower(pending);
    if (pending & 1UL << INTERRUPT_S_TIMER)
        world_set_timer(UINT64_MAX);
}

static unsigned long hart_interrupts_take(struct context *c)
{
    unsigned long pending = csr_read(CSR_MIP);
    explore_point();
    return pending ? exit_fast(c, CAUSE_INTERRUPT | (unsigned long)__builtin_ctzl(pending)) : EXIT_RESUME;
}

static unsigned long guest_wait(struct context *c)
{
    if (csr_read(CSR_HSTATUS) & HSTATUS_VTW)
        return EXIT_WAIT;
    while (!world_interrupt_ready() && !csr_read(CSR_MIP)) {
        if (fake_done)
            explore_end();
        fake_time_pass();
    }
    return hart_interrupts_take(c);
}

static void guest_timer(struct vcore *v)
{
    uint64_t when = fake_now + explore_random(explore_random(4) ? 60 : 1000);

    if (isolation_features.sstc) {
        world_set_timer(when + world_delta);
        return;
    }
    v->timer = when; // as in sbi_set_timer
    world_lower(1UL << INTERRUPT_S_TIMER);
    hart_arm(this_hart());
}

static unsigned long guest_end(struct vcore *v)
{
    static const enum ending endings[] = {ENDING_SHUTDOWN, ENDING_FAILURE, ENDING_REBOOT, ENDING_FAULT, ENDING_REBOOT};

    if (!(temper & ENDS) || explore_random(12))
        return EXIT_RESUME;
    vcore_end(v, endings[explore_random(array_length(endings))]);
    return EXIT_END;
}

// As the interrupt of a device that has finished something.
static unsigned long device_interrupt(struct vcore *v)
{
    this_hart()->interrupted = &v->context;
    capsule_work_here(v->capsule, 3);
    this_hart()->interrupted = NULL;
    return v->capsule->work_here ? slots_work_here(v) : EXIT_RESUME;
}

static unsigned long guest_act(struct vcore *v)
{
    struct capsule *c = v->capsule;

    switch (explore_random(13)) {
    case 12:
        if (explore_random(2))
            return device_interrupt(v);
        capsule_work(c, 3);
        return EXIT_RESUME;
    case 0:
    case 1:
        vcore_post(c->vcores[explore_random(c->vcore_count)], 1UL << INTERRUPT_S_SOFT);
        return EXIT_RESUME;
    case 2:
        guest_timer(v);
        return explore_random(2) ? hsm_call(v, 3, 0, 0) : hsm_call(v, 3, 0x80000000, 0x2000);
    case 3:
        return v->index || temper & STOPS ? hsm_call(v, 1, 0, 0) : EXIT_RESUME;
    case 4:
    case 5:
        return hsm_call(v, 0, explore_random(c->vcore_count), 0x1000);
    case 6:
        fake_type();
        return EXIT_RESUME;
    case 7:
        return guest_end(v);
    case 8:
        if (temper & MANAGES && explore_random(2) && state_of(c)->node.rights &&
            random_call(&(struct caller){&state_of(c)->node, v}))
            return EXIT_RESCHEDULE;
        return EXIT_RESUME;
    case 9:
        capsule_fence(v, ~0ULL >> (64 - c->vcore_count), &(struct fence_request){.instruction = 1});
        return EXIT_RESUME;
    default:
        guest_timer(v);
        return guest_wait(&v->context);
    }
}

static unsigned long guest_step(struct vcore *v)
{
    struct context *c = &v->context;
    enum life_stage stage = state_of(v->capsule)->stage;

    if (v->hsm != HSM_STARTED || v->entity.running != this_hart() || c->hart != this_hart() ||
        this_hart()->current != c || fake_here()->loaded != &v->world)
        explore_fail("vcore %u runs, and doesn't", v->index);
    if (stage != LIFE_RUNNING)
        explore_fail("vcore %u runs in stage %u", v->index, stage);
    csr_write(CSR_SIE + CSR_VS_OFFSET, BITS);
    guest_interrupts();
    unsigned long exit = guest_act(v);
    return exit == EXIT_RESUME ? hart_interrupts_take(c) : exit;
}

_Noreturn void guest_resume(struct context *c)
{
    while (!fake_done) {
        unsigned long exit = guest_step(vcore_of(c));
        fake_now++;
        if (exit != EXIT_RESUME)
            c = hart_exit(c, exit);
    }
    explore_end();
}

// --- what always holds -------------------------------------------------------------------------------------

static void vcores_check(const struct capsule_state *s)
{
    const struct capsule *c = &s->capsule;

    for (unsigned i = 0; i < c->vcore_count; i++) {
        const struct vcore *v = c->vcores[i];
        if (s->stage != LIFE_RUNNING && v->entity.state != ENTITY_PARKED)
            explore_fail("%s: stage %u, vcore %u is in state %u", c->name, s->stage, i, v->entity.state);
        if (s->stage == LIFE_STOPPED && v->hsm != HSM_STOPPED)
            explore_fail("%s is stopped, vcore %u is not", c->name, i);
    }
    if (s->stage != LIFE_RUNNING && c->active)
        explore_fail("%s: stage %u, %u vcores are active", c->name, s->stage, c->active);
    for (uint32_t later = c->work_later; later && c->worker.state == ENTITY_WAITING; later &= later - 1)
        if (c->worker.timer.key > c->work_at[__builtin_ctz(later)])
            explore_fail("%s: its device's worker sleeps too long", c->name);
}

static void quota_check(const struct node *n)
{
    struct diosix_quota used = {0};

    for (const struct list *at = n->children.next; at != &n->children; at = at->next) {
        const struct node *child = container_of(at, struct node, sibling);
        const struct capsule_state *s = container_of(child, struct capsule_state, node);
        used.memory += s->plan.memory + child->limit.memory;
        used.vcores += s->plan.vcores + child->limit.vcores;
        used.capsules += 1 + child->limit.capsules;
    }
    if (used.memory != n->used.memory || used.vcores != n->used.vcores || used.capsules != n->used.capsules ||
        used.memory > n->limit.memory || used.vcores > n->limit.vcores || used.capsules > n->limit.capsules)
        explore_fail("%u: quota: %u capsules, counted %u", n->id, used.capsules, n->used.capsules);
}

static void stopped_check(const struct capsule_state *s)
{
    const struct capsule *c = &s->capsule;

    if (c->share.owned || c->space.extent_count || s->on_console || s->forks)
        explore_fail("%s is stopped, and has something left", c->name);
    if (s->asked || s->again || s->holds || c->halt || c->ending)
        explore_fail("%s is stopped, and wants something", c->name);
    if (c->virtio[3] && c->virtio[3]->is_unsettled)
        explore_fail("%s is stopped, and its device has still to be changed", c->name);
    if (s->last == ENDING_STOPPED && !(temper & STOPS))
        explore_fail("%s ended as its vcores had stopped, and they had not", c->name);
}

static void all_check(void)
{
    unsigned living = 1;
    uint64_t memory = 0;

    lock_acquire(&tree_lock);
    quota_check(&tree_root);
    for (struct list *at = tree_root.all.next; at != &tree_root.all; at = at->next) {
        const struct capsule_state *s = state_of_node(container_of(at, struct node, all));
        living += s->stage != LIFE_STOPPED && s->stage != LIFE_FORKING;
        memory += s->capsule.space.own_bytes;
        quota_check(&s->node);
        vcores_check(s);
        if (s->stage == LIFE_STOPPED)
            stopped_check(s);
    }
    if (living != lives_living())
        explore_fail("%u capsules live, %u are counted", living - 1, lives_living() - 1);
    (void)memory; // changes without the lock
    lock_release(&tree_lock);
}

// --- the person ------------------------------------------------------------------------------------------------

static enum put (*person_step)(uint64_t *deadline);
static unsigned ops_left;
static uint64_t settled_by;

enum put person_turn(uint64_t *deadline)
{
    *deadline = TIME_NEVER;
    return fake_done ? PUT_WAITING : person_step(deadline);
}

static void destroy_all(void)
{
    uint32_t id = 0;

    while ((id = next_id(&person, id)))
        call_id(&person, DIOSIX_DESTROY, id, 0, 0);
}

static const char *stage_name(void)
{
    static char text[64];
    const struct node *n = tree_next(&tree_root, 0);
    const struct capsule_state *s = n ? container_of(n, struct capsule_state, node) : NULL;

    if (s)
        snprintf(text, sizeof(text), "%s: stage %u, %u active, halt %u", s->capsule.name, s->stage, s->capsule.active,
                 s->capsule.halt);
    return text;
}

static enum put person_random(uint64_t *deadline)
{
    all_check();
    *deadline = fake_now + explore_random(40);
    if (ops_left) {
        ops_left--;
        random_call(&person);
        return PUT_WAITING;
    }
    destroy_all(); // again and again: guests make new ones meanwhile
    if (!settled_by)
        settled_by = fake_now + 20000;
    if (fake_now > settled_by)
        explore_fail("not gone: %s", stage_name());
    if (!tree_next(&tree_root, 0))
        fake_done = true;
    return PUT_WAITING;
}

// --- runs ---------------------------------------------------------------------------------------------------------

static void hart_main(unsigned index)
{
    (void)index;
    hart_run();
}

static void nothing_left_check(unsigned harts_used, unsigned seed)
{
    const char *what = NULL;

    if (fake_objects || lives_owners())
        what = "objects";
    else if (fake_memory_used)
        what = "memory";
    else if (fake_streams)
        what = "streams";
    else if (tree_root.used.capsules || tree_root.used.memory || tree_root.used.vcores || tree_count())
        what = "quota";
    else if (lives_living() != 1)
        what = "lives";
    else if (sched_ready_total)
        what = "ready entities";
    for (unsigned i = 0; i < harts_used; i++)
        if (sched_is_exclusive(harts[i]))
            what = "owned harts";
    if (what)
        fail_msg("%u harts, seed %u: %s are left", harts_used, seed, what);
}

static void run(unsigned count, unsigned seed)
{
    static bool failed; // what an earlier run left would confuse

    if (failed)
        skip();
    failed = true;
    fake_harts_create(count, seed & 1);
    fake_capsules_create();
    lives_reset();
    person_start(harts[0]);
    settled_by = 0;
    if (!explore_run(count, hart_main, seed, 20000000))
        fail_msg("%u harts, temper %u, seed %u: %s", count, temper, seed, explore_message);
    nothing_left_check(count, seed);
    failed = false;
}

static unsigned seeds(void)
{
    const char *text = getenv("LIFE_SEEDS");
    return text ? (unsigned)atoi(text) : (16 + FEWER - 1) / FEWER;
}

static void run_all(unsigned how, unsigned scarce)
{
    temper = how;
    fake_scarce = scarce;
    person_step = person_random;
    for (unsigned count = 1; count <= FAKE_HARTS; count++)
        for (unsigned seed = 1; seed <= seeds(); seed++) {
            ops_left = 60;
            run(count, seed);
        }
}

static void test_guests_that_stay(void **state)
{
    (void)state;
    run_all(0, 0);
}

static void test_guests_that_end(void **state)
{
    (void)state;
    run_all(ENDS | STOPS, 0);
}

static void test_guests_that_manage(void **state)
{
    (void)state;
    run_all(ENDS | MANAGES, 0);
}

static void test_want(void **state)
{
    (void)state;
    run_all(ENDS | STOPS | MANAGES, 20);
}

// --- what people do, in order -------------------------------------------------------------------------------------

static uint32_t one; // the capsule
// A story is one step after the other: each true when it is over.
static bool (*const *story)(void);
static unsigned told, at;   // which, and where in it
static uint64_t wait_until; // host time

static const struct capsule_state *seen(void)
{
    const struct node *n = tree_find(&tree_root, one);

    if (!n)
        explore_fail("it is gone");
    return container_of(n, struct capsule_state, node);
}

static void expect(long error, long expected)
{
    if (error != expected)
        explore_fail("story %u at %u: error %ld instead of %ld, stage %u", told, at, error, expected, seen()->stage);
}

// Waits for the stage; true when it is there.
static bool is_at(enum life_stage stage)
{
    if (!wait_until)
        wait_until = fake_now + 8000;
    if (fake_now > wait_until)
        explore_fail("story %u at %u: stage %u instead of %u", told, at, seen()->stage, stage);
    bool is = seen()->stage == stage;
    if (is)
        wait_until = 0;
    return is;
}

static enum put person_tells(uint64_t *deadline)
{
    all_check();
    *deadline = fake_now + explore_random(10);
    if (!story[at])
        return person_random(deadline); // ends it all
    at += story[at]();
    return PUT_WAITING;
}

static bool makes(void)
{
    one = create(&person, 3, 4 * MIB, DIOSIX_RESTART_ALWAYS);
    expect(call_id(&person, DIOSIX_START, one, 0, 0), SBI_SUCCESS);
    return true;
}

static bool starts(void)
{
    expect(call_id(&person, DIOSIX_START, one, 0, 0), SBI_SUCCESS);
    return true;
}

static bool runs(void)
{
    return is_at(LIFE_RUNNING);
}
static bool is_paused(void)
{
    return is_at(LIFE_PAUSED);
}
static bool is_stopped(void)
{
    return is_at(LIFE_STOPPED);
}

// It is the same guest that goes on, if not at once.
static bool stays(void)
{
    if (!wait_until)
        wait_until = fake_now + 500;
    if (seen()->starts != 1 + (seen()->last == ENDING_RESTARTED))
        explore_fail("story %u at %u: it has ended: %u", told, at, seen()->last);
    if (fake_now <= wait_until)
        return false;
    wait_until = 0;
    return runs();
}

static bool pauses(void)
{
    expect(call_id(&person, DIOSIX_PAUSE, one, 0, 0), SBI_SUCCESS);
    expect(call_id(&person, DIOSIX_PAUSE, one, 0, 0), SBI_ERR_INVALID_STATE);
    return true;
}

static bool resumes(void)
{
    expect(call_id(&person, DIOSIX_RESUME, one, 0, 0), SBI_SUCCESS);
    expect(call_id(&person, DIOSIX_RESUME, one, 0, 0), SBI_ERR_INVALID_STATE);
    return true;
}

static bool pauses_for_a_moment(void)
{
    return pauses() && resumes();
}

static bool asks(void)
{
    expect(call_id(&person, DIOSIX_STOP, one, 60000, 0), SBI_SUCCESS);
    return true;
}

static bool kills(void)
{
    expect(call_id(&person, DIOSIX_KILL, one, 0, 0), SBI_SUCCESS);
    return true;
}

static bool kills_again(void)
{
    if (seen()->stage == LIFE_SCRUBBING)
        kills();
    return seen()->stage == LIFE_SCRUBBING || seen()->stage == LIFE_STOPPED;
}

static bool restarts(void)
{
    expect(call_id(&person, DIOSIX_RESTART, one, 0, 0), SBI_SUCCESS);
    expect(call_id(&person, DIOSIX_RESTART, one, 0, 0), SBI_ERR_INVALID_STATE);
    return true;
}

static bool has_restarted(void)
{
    return seen()->starts == 2;
}

static uint32_t the_clone;

static bool clones(void)
{
    expect(fork_call(&person, one, &the_clone), SBI_SUCCESS);
    return true;
}

// It has a hart of its own before it is a capsule.
static bool clones_to_own_hart(void)
{
    clones();
    expect(call_id(&person, DIOSIX_SET, the_clone, DIOSIX_SET_AFFINITY, 1), SBI_SUCCESS);
    call_id(&person, DIOSIX_SET, the_clone, DIOSIX_SET_EXCLUSIVE, 1);
    expect(call_id(&person, DIOSIX_DESTROY, the_clone, 0, 0), SBI_SUCCESS);
    return true;
}

static bool destroys_clone(void)
{
    expect(call_id(&person, DIOSIX_DESTROY, the_clone, 0, 0), SBI_SUCCESS);
    return true;
}

static bool clone_runs(void)
{
    const struct node *n = tree_find(&tree_root, the_clone);
    if (!n)
        explore_fail("the clone is gone");
    return container_of(n, struct capsule_state, node)->stage == LIFE_RUNNING;
}

#define STORY_MOST 12
static bool (*const stories[][STORY_MOST])(void) = {
    {makes, runs, pauses_for_a_moment, stays},
    {makes, runs, pauses, is_paused, resumes, runs, stays},
    {makes, runs, pauses, resumes, pauses, is_paused},
    {makes, runs, pauses, is_paused, kills, is_stopped, starts, runs},
    {makes, runs, kills, kills_again, is_stopped, starts, runs, pauses_for_a_moment, clones, clone_runs, runs},
    {makes, kills, is_stopped, starts, runs, asks, is_stopped},
    {makes, runs, asks, pauses, is_stopped},
    {makes, runs, asks, restarts, has_restarted, stays},
    {makes, runs, clones, pauses, is_paused, clone_runs, resumes, runs},
    {makes, runs, clones, destroys_clone, runs, stays},
    {makes, runs, clones_to_own_hart, runs, stays},
    {makes, runs, clones, kills, is_stopped},
    {makes, runs, clones, restarts, has_restarted, runs},
    {makes, runs, asks, clones, clone_runs, is_stopped},
};

static void test_stories(void **state)
{
    (void)state;
    temper = fake_scarce = ops_left = 0;
    person_step = person_tells;
    for (unsigned i = 0; i < array_length(stories); i++)
        for (unsigned seed = 1; seed <= (seeds() + 1) / 2; seed++) {
            story = stories[i];
            told = i;
            at = 0;
            wait_until = 0;
            run(1 + seed % FAKE_HARTS, seed);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_guests_that_stay),
        cmocka_unit_test(test_guests_that_end),
        cmocka_unit_test(test_guests_that_manage),
        cmocka_unit_test(test_want),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
