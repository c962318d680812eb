// sources: hypervisor/sched/sched.c hypervisor/sched/limits.c lib/heap.c
// sources: hypervisor/sched/queue.c hypervisor/sched/wake.c hypervisor/sched/pinned.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sched.h"

#define SLICE 400u
#define ENTITIES 12u
#define HARTS 4u

// --- the machine ---------------------------------------------------------------------------------

struct hart *harts[HARTS_MAX];
unsigned harts_count;
static struct hart hart_memory[HARTS];
static struct queue queues[HARTS];
static uint64_t now;
static struct entity entities[ENTITIES];
static struct share shares[ENTITIES];

// What other harts do while one has just looked at the time.
static void (*meanwhile)(void);

uint64_t hart_time(void)
{
    uint64_t then = now;
    void (*act)(void) = meanwhile;

    meanwhile = NULL;
    if (act)
        act();
    return then;
}
void hart_request(struct hart *h, unsigned long bits)
{
    h->requests |= bits;
}

static void machine(unsigned count)
{
    for (unsigned i = 0; i < HARTS; i++) {
        sched_idle_leave(&hart_memory[i]);
        hart_memory[i] = (struct hart){.index = i};
        sched_tighten(&hart_memory[i]);
        sched_idle_leave(&hart_memory[i]);
        harts[i] = &hart_memory[i];
        sched_hart_init(harts[i], &queues[i]);
    }
    harts_count = count;
    sched_ready_total = 0;
    sched_init(SLICE);
    for (unsigned i = 0; i < ENTITIES; i++) {
        entity_init(&entities[i], ENTITY_VCORE, harts[0]);
        share_init(&shares[i]);
        entities[i].share = &shares[i];
    }
}

static bool take_request(struct hart *h)
{
    bool asked = h->requests & REQUEST_RESCHEDULE;
    h->requests = 0;
    return asked;
}

static void requests_clear(void)
{
    for (unsigned i = 0; i < HARTS; i++)
        harts[i]->requests = 0;
}

static size_t count_heap(const struct heap_node *node)
{
    size_t count = 0;
    for (; node; node = node->next)
        count += 1 + count_heap(node->child);
    return count;
}

// As those do that change limits: the harts look that run one of its entities.
static enum status changed(const struct share *s, enum status status)
{
    for (unsigned i = 0; i < harts_count; i++)
        if (harts[i]->queue->running && harts[i]->queue->running->share == s)
            hart_request(harts[i], REQUEST_RESCHEDULE);
    return status;
}

static enum status cap_set(struct share *s, unsigned percent)
{
    return changed(s, sched_set_cap(s, percent));
}

static enum status affinity_set(struct share *s, unsigned long mask)
{
    return changed(s, sched_set_affinity(s, mask));
}

static void weight_set(unsigned entity, unsigned weight)
{
    assert_int_equal(sched_set_weight(&shares[entity], weight), STATUS_OK);
}

// Each entity is where its state says, once, and what is counted is there.
static void machine_check(void)
{
    size_t ready = 0, waiting = 0, in[5] = {0};

    for (unsigned i = 0; i < ENTITIES; i++) {
        struct entity *e = &entities[i];
        in[e->state]++;
        if (e->state == ENTITY_RUNNING && e->home->queue->next != e) {
            assert_ptr_equal(e->home, e->running);
            assert_ptr_equal(queues[e->running->index].running, e);
        } else {
            assert_null(e->running);
        }
        waiting += e->state == ENTITY_HELD || (e->state == ENTITY_WAITING && e->timer.key != TIME_NEVER);
    }
    for (unsigned i = 0; i < harts_count; i++) {
        size_t length = count_heap(queues[i].ready.root);
        assert_int_equal(length, queues[i].length);
        ready += length + count_heap(queues[i].pinned.root);
        waiting -= count_heap(queues[i].sleepers.root);
        assert_int_equal(queues[i].lock.next, queues[i].lock.serving);
    }
    assert_int_equal(ready, in[ENTITY_READY]);
    assert_int_equal(ready, sched_ready_total);
    assert_int_equal(waiting, 0);
}

// --- simulation: what capsule/run.c does ---------------------------------------------------------

// What an entity does: computes for `burst` ticks, then sleeps for `rest`; burst 0: computes for ever.
static struct {
    uint64_t burst, rest, left;
    uint64_t ready_at, latency_max;
} jobs[ENTITIES];

static unsigned switches;

static void run_entity(struct hart *h, struct entity *e)
{
    unsigned n = (unsigned)(e - entities);
    if (!jobs[n].left)
        jobs[n].left = jobs[n].burst;
    if (jobs[n].ready_at && now - jobs[n].ready_at > jobs[n].latency_max)
        jobs[n].latency_max = now - jobs[n].ready_at;
    jobs[n].ready_at = 0;
    sched_relax(h);
    switches++;
}

static void hart_pick(struct hart *h)
{
    struct entity *e = sched_pick(h);
    if (e)
        run_entity(h, e);
}

static void turn(struct hart *h)
{
    sched_tighten(h);
    struct entity *e = sched_turn(h, h->queue->running);
    if (e)
        run_entity(h, e);
}

static void leave(struct hart *h, enum put how, uint64_t deadline)
{
    struct entity *e = h->queue->running;
    sched_tighten(h);
    sched_put(h, e, how, deadline, NULL);
    hart_pick(h);
}

static void hart_tick(struct hart *h)
{
    struct queue *q = h->queue;
    bool look = take_request(h);

    if (sched_deadline(h) <= now) {
        sched_expire(h, now);
        look = true;
    }
    if (!q->running) {
        sched_idle_leave(h);
        hart_pick(h);
        if (!q->running)
            (void)sched_idle_enter(h);
        return;
    }
    unsigned n = (unsigned)(q->running - entities);
    if (jobs[n].burst && --jobs[n].left == 0) {
        jobs[n].ready_at = now + jobs[n].rest;
        leave(h, PUT_WAITING, now + jobs[n].rest);
    } else if (look && sched_should_switch(h, now)) {
        turn(h);
    } else if (look) {
        sched_relax(h);
    }
}

static void simulate(uint64_t ticks)
{
    for (uint64_t end = now + ticks; now < end; now++)
        for (unsigned i = 0; i < harts_count; i++)
            hart_tick(harts[i]);
    machine_check();
}

static void start_all(unsigned count)
{
    memset(jobs, 0, sizeof(jobs));
    for (unsigned i = 0; i < count; i++)
        sched_start(&entities[i]);
}

// All had the same share of what the harts had to give, to about a slice.
static void shares_check(unsigned count, uint64_t ticks, uint64_t tolerance)
{
    uint64_t share = ticks * harts_count / count;
    for (unsigned i = 0; i < count; i++) {
        struct entity *e = &entities[i];
        uint64_t had = e->consumed + (e->state == ENTITY_RUNNING ? now - e->started : 0);
        if (had + tolerance < share || had > share + tolerance)
            fail_msg("entity %u of %u had %u of %u ticks", i, count, (unsigned)had, (unsigned)share);
    }
}

static void fairness(unsigned count, unsigned harts_used)
{
    const uint64_t ticks = 500 * SLICE;
    machine(harts_used);
    start_all(count);
    switches = 0;
    simulate(ticks);
    shares_check(count, ticks, 3 * SLICE);
    // Nobody is moved about more often than slices end.
    assert_true(switches <= harts_used * 2 * ticks / SLICE + count);
}

static void test_shares_three_on_two(void **state)
{
    (void)state;
    fairness(3, 2);
}

static void test_shares_twelve_on_two(void **state)
{
    (void)state;
    fairness(12, 2);
}

static void test_shares_in_other_numbers(void **state)
{
    (void)state;
    for (unsigned used = 1; used <= HARTS; used++)
        for (unsigned count = used; count <= ENTITIES; count++)
            fairness(count, used);
}

static void test_a_hart_for_each(void **state)
{
    (void)state;
    machine(4);
    start_all(4);
    switches = 0;
    simulate(100 * SLICE);
    shares_check(4, 100 * SLICE, SLICE);
    assert_true(switches <= 8); // nobody wants their harts: they are left alone
}

// One that computes and one that sleeps most of the time, on one hart.
static void test_sleepers_are_served_soon(void **state)
{
    (void)state;
    machine(1);
    start_all(2);
    jobs[1].burst = 20;
    jobs[1].rest = 500;
    simulate(100 * SLICE);
    assert_true(jobs[1].latency_max <= 5);
    assert_true(entities[1].consumed + 40 >= 100 * SLICE * 20 / 525);
    assert_true(entities[0].consumed >= 90 * SLICE);
}

// Sleeping saves nothing up: who comes back after long gets its share, not all.
static void test_credit_is_bounded(void **state)
{
    (void)state;
    machine(1);
    start_all(2);
    jobs[1].burst = 10;
    jobs[1].rest = 200 * SLICE;
    simulate(199 * SLICE);
    jobs[1].burst = 0;
    simulate(10 * SLICE); // woken in it
    uint64_t before = entities[0].consumed;
    simulate(10 * SLICE);
    assert_true(entities[0].consumed - before >= 4 * SLICE);
}

static void test_many_sleepers_among_many(void **state)
{
    (void)state;
    machine(2);
    start_all(ENTITIES);
    for (unsigned i = 4; i < ENTITIES; i++) {
        jobs[i].burst = 5 + i;
        jobs[i].rest = 300 + 7 * i;
    }
    simulate(300 * SLICE);
    for (unsigned i = 4; i < ENTITIES; i++)
        assert_true(jobs[i].latency_max <= 2 * SLICE);
    uint64_t least = UINT64_MAX, most = 0;
    for (unsigned i = 0; i < 4; i++) {
        least = entities[i].consumed < least ? entities[i].consumed : least;
        most = entities[i].consumed > most ? entities[i].consumed : most;
    }
    assert_true(most - least <= 4 * SLICE);
}

// Long after its last run, an entity is no stranger: 32 bits of slices have gone by.
static void test_ages_of_sleep(void **state)
{
    (void)state;
    for (unsigned bits = 20; bits < 60; bits++) {
        machine(1);
        start_all(2);
        entities[0].virtual_time = now + (1ULL << bits);
        jobs[1].burst = 1;
        jobs[1].rest = 2 * SLICE;
        simulate(10 * SLICE);
        jobs[1].burst = 0;
        uint64_t before = entities[0].consumed;
        simulate(20 * SLICE);
        assert_true(entities[0].consumed - before >= 8 * SLICE);
        now += 2ULL << bits; // the floor that this leaves behind
    }
}

// --- weights ---------------------------------------------------------------------------------------

// What each of `count` entities is due: its part by weight, but no more than a hart.
static void parts_by_weight(const unsigned *weights, unsigned count, unsigned used, double *parts)
{
    double harts_left = used, sum = 0;
    bool full[ENTITIES] = {false};

    for (unsigned i = 0; i < count; i++)
        sum += weights[i];
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < count; i++)
            if (!full[i] && weights[i] * harts_left >= sum) {
                full[i] = true;
                again = true;
                parts[i] = 1;
                harts_left -= 1;
                sum -= weights[i];
            }
    }
    for (unsigned i = 0; i < count; i++)
        if (!full[i])
            parts[i] = weights[i] * harts_left / sum;
}

static void weighted(const unsigned *weights, unsigned count, unsigned used, double tolerance)
{
    const uint64_t ticks = 2500 * SLICE; // 10 s
    double parts[ENTITIES];

    machine(used);
    for (unsigned i = 0; i < count; i++)
        weight_set(i, weights[i]);
    start_all(count);
    simulate(ticks);
    parts_by_weight(weights, count, used, parts);
    for (unsigned i = 0; i < count; i++) {
        double had = (double)entity_consumed(&entities[i]) / (double)ticks;
        if (had < parts[i] - tolerance || had > parts[i] + tolerance)
            fail_msg("%u harts: weight %u had %f of a hart, not %f", used, weights[i], had, parts[i]);
    }
}

static void test_weights_on_one_hart(void **state)
{
    (void)state;
    static const unsigned weights[] = {100, 200, 400}, small[] = {5, 10, 20}, large[] = {250, 500, 1000};
    static const unsigned ends[] = {1000, 5};
    weighted(weights, 3, 1, 0.002);
    weighted(small, 3, 1, 0.002);
    weighted(large, 3, 1, 0.002);
    weighted(ends, 2, 1, 0.002);
}

static void test_weights_on_several_harts(void **state)
{
    (void)state;
    static const unsigned weights[] = {100, 200, 400, 100, 200, 400, 100, 200, 400, 100, 200, 400};
    for (unsigned used = 2; used <= HARTS; used++)
        for (unsigned count = 3; count <= ENTITIES; count += 3)
            weighted(weights, count, used, 0.01);
}

// More weight than a hart is worth: it gets the hart, and the others theirs.
static void test_weight_of_more_than_a_hart(void **state)
{
    (void)state;
    static const unsigned weights[] = {1000, 20, 40, 20};
    weighted(weights, 4, 2, 0.01);
    weighted(weights, 3, 2, 0.01);
}

static void test_weights_out_of_range(void **state)
{
    (void)state;
    machine(1);
    uint32_t factor = shares[0].factor;
    assert_int_equal(sched_set_weight(&shares[0], 0), STATUS_INVALID);
    assert_int_equal(sched_set_weight(&shares[0], WEIGHT_MAX + 1), STATUS_INVALID);
    assert_int_equal(shares[0].factor, factor);
}

// Who had a hart alone, at the least weight, owes nothing for it when others come, and the other way round.
static void test_time_alone_is_free(void **state)
{
    (void)state;
    for (unsigned light = 0; light < 2; light++) {
        machine(2);
        weight_set(0, light ? 5 : 1000);
        start_all(2);
        simulate(3000 * SLICE);
        weight_set(0, 100);
        sched_start(&entities[2]);
        uint64_t before[3];
        simulate(20 * SLICE);
        for (unsigned i = 0; i < 3; i++)
            before[i] = entity_consumed(&entities[i]);
        simulate(60 * SLICE);
        for (unsigned i = 0; i < 3; i++)
            assert_in_range(entity_consumed(&entities[i]) - before[i], 34 * SLICE, 46 * SLICE);
    }
}

// A sleeper among spinners of other weights is served at once, also where one of them is worth more than a hart.
static void test_sleepers_among_weights(void **state)
{
    (void)state;
    for (unsigned used = 1; used <= 2; used++)
        for (unsigned heavy = 50; heavy <= 1000; heavy += 950) {
            machine(used);
            weight_set(0, heavy);
            start_all(4);
            jobs[3].burst = 20;
            jobs[3].rest = 2000;
            simulate(300 * SLICE);
            assert_true(jobs[3].latency_max <= SLICE / 4);
        }
}

// Sleeping and waking keeps the shares of those who are mostly awake.
static void test_weights_with_sleep(void **state)
{
    (void)state;
    machine(1);
    weight_set(0, 100);
    weight_set(1, 300);
    start_all(2);
    jobs[0].burst = 3 * SLICE;
    jobs[0].rest = 10;
    jobs[1].burst = 2 * SLICE + 50;
    jobs[1].rest = 10;
    simulate(2500 * SLICE);
    uint64_t light = entity_consumed(&entities[0]), heavy = entity_consumed(&entities[1]);
    assert_in_range(heavy * 100 / light, 270, 330);
}

// --- accounts ------------------------------------------------------------------------------------

static void test_stolen_is_ready_and_not_running(void **state)
{
    (void)state;
    machine(1);
    sched_start(&entities[0]);
    now += 7;
    assert_ptr_equal(sched_pick(harts[0]), &entities[0]);
    assert_int_equal(entities[0].stolen, 7);
    now += 100;
    sched_put(harts[0], &entities[0], PUT_READY, TIME_NEVER, NULL);
    now += 5;
    assert_ptr_equal(sched_pick(harts[0]), &entities[0]);
    assert_int_equal(entities[0].stolen, 12);
    sched_put(harts[0], &entities[0], PUT_WAITING, TIME_NEVER, NULL);
    now += 1000; // asleep
    sched_wake(&entities[0]);
    now += 3;
    assert_ptr_equal(sched_pick(harts[0]), &entities[0]);
    assert_int_equal(entities[0].stolen, 15);
}

static void test_stolen_and_consumed_are_all_time(void **state)
{
    (void)state;
    machine(2);
    start_all(5);
    uint64_t begin = now;
    simulate(200 * SLICE + 33);
    for (unsigned i = 0; i < 5; i++) {
        struct entity *e = &entities[i];
        uint64_t waits = e->state == ENTITY_READY ? now - e->started : 0;
        assert_in_range(entity_consumed(e) + e->stolen + waits, now - begin - 1, now - begin);
    }
}

static void test_consumed_is_up_to_date(void **state)
{
    (void)state;
    machine(1);
    assert_int_equal(entity_consumed(&entities[0]), 0);
    sched_start(&entities[0]);
    assert_ptr_equal(sched_pick(harts[0]), &entities[0]);
    now += 1000 * SLICE; // alone: nobody charges it
    assert_int_equal(entity_consumed(&entities[0]), 1000 * SLICE);
    sched_put(harts[0], &entities[0], PUT_PARKED, TIME_NEVER, NULL);
    now += 50;
    assert_int_equal(entity_consumed(&entities[0]), 1000 * SLICE);
}

// --- caps ------------------------------------------------------------------------------------------

// One share for entities `first` to `last`.
static struct share *share_of(unsigned first, unsigned last)
{
    for (unsigned i = first; i <= last; i++)
        entities[i].share = &shares[first];
    return &shares[first];
}

static uint64_t consumed_by(unsigned first, unsigned last)
{
    uint64_t sum = 0;
    for (unsigned i = first; i <= last; i++)
        sum += entity_consumed(&entities[i]);
    return sum;
}

#define PERIOD (5 * SLICE)

// Whatever else there is: never more than the budget in a period, but for a part that was begun before.
static void capped(unsigned used, unsigned vcores, unsigned others, unsigned cap, double least)
{
    const uint64_t budget = PERIOD * cap / 100;
    machine(used);
    assert_int_equal(cap_set(share_of(0, vcores - 1), cap), STATUS_OK);
    start_all(vcores + others);
    simulate(PERIOD);
    uint64_t begin = consumed_by(0, vcores - 1), before = begin;
    for (unsigned i = 0; i < 200; i++) {
        simulate(PERIOD);
        uint64_t after = consumed_by(0, vcores - 1);
        assert_true(after - before <= budget + 2 * vcores * SLICE / 16);
        before = after;
    }
    double had = (double)(before - begin) / (double)(200 * budget);
    if (had > 1.005 || had < least)
        fail_msg("%u harts, %u vcores, %u others, cap %u: had %f of it", used, vcores, others, cap, had);
}

static void test_caps(void **state)
{
    (void)state;
    capped(1, 1, 0, 50, 0.97); // alone
    capped(1, 1, 0, 1, 0.9);
    capped(1, 1, 0, 99, 0.97);
    capped(1, 1, 2, 25, 0.97);
    capped(2, 3, 2, 50, 0.95);
    capped(4, 4, 0, 150, 0.95);
    capped(4, 3, 9, 60, 0.95);
    capped(4, 6, 0, 390, 0.95);
    capped(4, 8, 0, 30, 0.9);
}

static void test_what_a_cap_leaves_is_others(void **state)
{
    (void)state;
    machine(1);
    assert_int_equal(cap_set(&shares[0], 20), STATUS_OK);
    start_all(2);
    simulate(500 * SLICE);
    assert_true(entity_consumed(&entities[1]) >= 395 * SLICE);
    assert_int_equal(cap_set(&shares[0], 0), STATUS_OK); // and none again
    uint64_t before = entity_consumed(&entities[0]);
    simulate(100 * SLICE);
    assert_true(entity_consumed(&entities[0]) - before >= 40 * SLICE);
}

static void test_nothing_wakes_the_held(void **state)
{
    (void)state;
    machine(1);
    struct entity *e = &entities[0];
    sched_start(e);
    assert_ptr_equal(sched_pick(harts[0]), e);
    assert_int_equal(cap_set(&shares[0], 1), STATUS_OK); // while it runs
    assert_false(sched_relax(harts[0]));
    while (!sched_should_switch(harts[0], now))
        now++;
    sched_put(harts[0], e, PUT_READY, TIME_NEVER, NULL);
    assert_null(sched_pick(harts[0]));
    assert_int_equal(e->state, ENTITY_HELD);
    assert_true(sched_idle_enter(harts[0]));
    sched_idle_leave(harts[0]);
    sched_wake(e);
    sched_start(e);
    sched_sleep(e, now, NULL);
    assert_int_equal(e->state, ENTITY_HELD);
    assert_null(sched_pick(harts[0]));
    uint64_t until = sched_deadline(harts[0]);
    assert_in_range(until, now + 1, now + PERIOD);
    machine_check();
    uint64_t held = until - now;
    now = until;
    sched_expire(harts[0], now);
    assert_ptr_equal(sched_pick(harts[0]), e);
    assert_true(e->stolen >= held);
    machine_check();
}

static void test_sleep_is_not_capped(void **state)
{
    (void)state;
    machine(1);
    assert_int_equal(cap_set(&shares[0], 10), STATUS_OK);
    start_all(1);
    jobs[0].burst = 20; // 4 % of the time
    jobs[0].rest = 480;
    simulate(500 * SLICE);
    assert_true(jobs[0].latency_max <= 1);
    assert_int_equal(cap_set(&shares[0], CAP_MAX + 1), STATUS_INVALID);
}

// --- harts -----------------------------------------------------------------------------------------

static void harts_check(void)
{
    for (unsigned i = 0; i < harts_count; i++) {
        struct entity *e = queues[i].running;
        if (!e)
            continue;
        assert_true(e->share->harts >> i & 1);
        assert_true(!queues[i].owner || queues[i].owner == e->share);
    }
}

// As simulate(), looking at who is where after a short time that it may take to move.
static void simulate_checked(uint64_t ticks)
{
    simulate(2);
    for (uint64_t end = now + ticks; now < end;) {
        simulate(1);
        harts_check();
    }
}

static void assert_about(uint64_t had, uint64_t due, uint64_t tolerance)
{
    if (had + tolerance < due || had > due + tolerance)
        fail_msg("had %u slices, not %u", (unsigned)(had / SLICE), (unsigned)(due / SLICE));
}

static void test_affinity_is_kept(void **state)
{
    (void)state;
    machine(4);
    assert_int_equal(affinity_set(share_of(0, 2), 3), STATUS_OK);
    start_all(3);
    simulate_checked(600 * SLICE);
    for (unsigned i = 0; i < 3; i++) // three on two
        assert_about(entity_consumed(&entities[i]), 400 * SLICE, 8 * SLICE);
    assert_null(queues[2].running);
    assert_null(queues[3].running);
}

static void test_affinity_among_free_ones(void **state)
{
    (void)state;
    machine(2);
    assert_int_equal(affinity_set(share_of(0, 1), 1), STATUS_OK);
    start_all(4); // two pinned to one of two harts, two free: half a hart for each
    simulate_checked(800 * SLICE);
    for (unsigned i = 0; i < 4; i++)
        assert_about(entity_consumed(&entities[i]), 400 * SLICE, 12 * SLICE);
}

// Weights count among those on one hart, while others get on faster elsewhere.
static void test_weights_of_the_pinned(void **state)
{
    (void)state;
    for (unsigned free = 0; free <= 5; free += 5) {
        machine(4);
        for (unsigned i = 0; i < 3; i++) {
            weight_set(i, 100u << i);
            assert_int_equal(affinity_set(&shares[i], 1), STATUS_OK);
        }
        for (unsigned i = 3; i < 3 + free; i++) {
            weight_set(i, 1000);
            assert_int_equal(affinity_set(&shares[i], 14), STATUS_OK);
        }
        start_all(3 + free);
        simulate_checked(700 * SLICE);
        for (unsigned i = 0; i < 3; i++)
            assert_about(entity_consumed(&entities[i]), (100u << i) * SLICE, 4 * SLICE);
    }
}

static void test_affinity_changes(void **state)
{
    (void)state;
    machine(4);
    start_all(5);
    jobs[4].burst = 30;
    jobs[4].rest = 100;
    struct share *s = share_of(0, 4);
    for (unsigned mask = 1; mask < 16; mask++) {
        assert_int_equal(affinity_set(s, mask), STATUS_OK);
        simulate_checked(10 * SLICE);
    }
    assert_int_equal(affinity_set(s, 0), STATUS_INVALID);
    assert_int_equal(affinity_set(s, 16), STATUS_INVALID);
    assert_int_equal(affinity_set(s, ~0UL), STATUS_OK);
    assert_false(s->is_pinned);
    simulate_checked(10 * SLICE);
}

static void test_exclusive_harts(void **state)
{
    (void)state;
    machine(3);
    start_all(8);
    for (unsigned i = 2; i < 8; i++) {
        jobs[i].burst = 50;
        jobs[i].rest = 100 + i;
    }
    simulate(20 * SLICE);
    struct share *s = share_of(0, 0);
    assert_int_equal(affinity_set(s, 4), STATUS_OK);
    assert_int_equal(sched_set_exclusive(s, true), STATUS_OK);
    simulate_checked(2 * SLICE); // it may have waited elsewhere for its turn
    uint64_t before = entity_consumed(&entities[0]);
    for (unsigned i = 0; i < 100 * SLICE; i++) {
        simulate(1);
        harts_check();
        assert_int_equal(sched_deadline(harts[2]), TIME_NEVER); // no tick
        assert_false(take_request(harts[2]));
    }
    assert_int_equal(entity_consumed(&entities[0]) - before, 100 * SLICE);
    assert_true(sched_relax(harts[2]));
    for (unsigned i = 2; i < 8; i++)
        assert_true(jobs[i].latency_max <= 2 * SLICE);
    assert_int_equal(sched_set_exclusive(s, false), STATUS_OK);
    assert_int_equal(affinity_set(s, ~0UL), STATUS_OK);
    simulate(50 * SLICE);
    assert_true(queues[2].running != &entities[0] || switches > 0);
    assert_null(queues[2].owner);
}

// More vcores than harts of their own: these have slices, among themselves.
static void test_siblings_share_their_own_harts(void **state)
{
    (void)state;
    machine(4);
    assert_int_equal(affinity_set(share_of(0, 2), 3), STATUS_OK);
    assert_int_equal(sched_set_exclusive(&shares[0], true), STATUS_OK);
    start_all(8);
    simulate_checked(600 * SLICE);
    for (unsigned i = 0; i < 3; i++)
        assert_about(entity_consumed(&entities[i]), 400 * SLICE, 8 * SLICE);
    for (unsigned i = 3; i < 8; i++)
        assert_about(entity_consumed(&entities[i]), 240 * SLICE, 8 * SLICE);
}

static void test_exclusive_refusals(void **state)
{
    (void)state;
    machine(3);
    assert_int_equal(sched_set_exclusive(&shares[0], true), STATUS_INVALID); // all
    assert_int_equal(affinity_set(&shares[0], 1), STATUS_OK);
    assert_int_equal(affinity_set(&shares[1], 3), STATUS_OK);
    assert_int_equal(affinity_set(&shares[2], 6), STATUS_OK);
    assert_int_equal(sched_set_exclusive(&shares[0], true), STATUS_OK);
    assert_int_equal(sched_set_exclusive(&shares[0], true), STATUS_OK);
    assert_int_equal(affinity_set(&shares[0], 2), STATUS_BUSY);
    assert_int_equal(sched_set_exclusive(&shares[1], true), STATUS_BUSY);
    assert_int_equal(affinity_set(&shares[3], 1), STATUS_BUSY);
    assert_int_equal(sched_set_exclusive(&shares[2], true), STATUS_INVALID); // none left
    assert_true(sched_is_exclusive(harts[0]));
    assert_false(sched_is_exclusive(harts[1]));
    assert_int_equal(sched_set_exclusive(&shares[0], false), STATUS_OK);
    assert_int_equal(sched_set_exclusive(&shares[2], true), STATUS_OK);
    sched_start(&entities[1]); // one of its harts is taken: it runs on the other
    simulate_checked(100);
    assert_ptr_equal(queues[0].running, &entities[1]);
}

// What slept at home there is woken elsewhere, at its time.
static void test_sleepers_leave_exclusive_harts(void **state)
{
    (void)state;
    machine(2);
    for (unsigned i = 0; i < 4; i++) {
        sched_start(&entities[i]);
        assert_ptr_equal(sched_pick(harts[0]), &entities[i]);
        sched_put(harts[0], &entities[i], PUT_WAITING, i == 3 ? TIME_NEVER : now + 100 * (i + 1), NULL);
    }
    assert_int_equal(affinity_set(&shares[5], 1), STATUS_OK);
    assert_int_equal(sched_set_exclusive(&shares[5], true), STATUS_OK);
    assert_int_equal(sched_deadline(harts[0]), TIME_NEVER);
    assert_int_equal(sched_deadline(harts[1]), now + 100);
    assert_true(take_request(harts[1]));
    machine_check();
    sched_wake(&entities[1]);
    sched_wake(&entities[3]);
    assert_ptr_equal(entities[1].home, harts[1]);
    assert_ptr_equal(entities[3].home, harts[1]);
    machine_check();
}

// --- yielding --------------------------------------------------------------------------------------

static void test_yield_to_a_sibling(void **state)
{
    (void)state;
    machine(2);
    start_all(4);
    simulate(40 * SLICE + 7);
    struct entity *from = queues[0].running, *to = NULL;
    for (unsigned i = 0; i < 4; i++)
        to = entities[i].state == ENTITY_READY ? &entities[i] : to;
    uint64_t sum = from->virtual_time + to->virtual_time;
    assert_false(sched_yield_to(harts[0], from));
    assert_false(sched_yield_to(harts[0], queues[1].running));
    assert_true(sched_yield_to(harts[0], to));
    assert_false(sched_yield_to(harts[0], to));
    assert_true(from->virtual_time + to->virtual_time == sum && from->virtual_time >= to->virtual_time);
    sched_put(harts[0], from, PUT_READY, TIME_NEVER, NULL);
    assert_ptr_equal(sched_pick(harts[0]), to);
    machine_check();
    assert_false(sched_yield_to(harts[0], &entities[9])); // parked
}

// --- states ---------------------------------------------------------------------------------------

static struct entity *const e0 = &entities[0], *const e1 = &entities[1], *const e2 = &entities[2];

static void test_start_and_wake_by_state(void **state)
{
    (void)state;
    machine(1);
    sched_wake(e0); // parked
    assert_int_equal(e0->state, ENTITY_PARKED);
    assert_int_equal(harts[0]->requests, 0);
    assert_null(sched_pick(harts[0]));
    sched_start(e0);
    assert_int_equal(e0->state, ENTITY_READY);
    assert_true(take_request(harts[0]));
    sched_start(e0);
    sched_wake(e0);
    machine_check();
    assert_ptr_equal(sched_pick(harts[0]), e0);
    sched_start(e0); // running
    sched_wake(e0);
    assert_int_equal(e0->state, ENTITY_RUNNING);
    assert_int_equal(harts[0]->requests, 0);
    sched_put(harts[0], e0, PUT_WAITING, TIME_NEVER, NULL);
    sched_start(e0); // waiting
    assert_int_equal(e0->state, ENTITY_WAITING);
    sched_wake(e0);
    assert_int_equal(e0->state, ENTITY_READY);
    assert_ptr_equal(sched_pick(harts[0]), e0);
    sched_put(harts[0], e0, PUT_PARKED, TIME_NEVER, NULL);
    assert_int_equal(e0->state, ENTITY_PARKED);
    machine_check();
}

static bool yes(struct entity *e)
{
    return e == e0;
}
static bool no(struct entity *e)
{
    return e != e0;
}

static bool any_cause(struct entity *e)
{
    return e;
}
static bool no_cause(struct entity *e)
{
    return !e;
}

static void test_put_asks_for_causes(void **state)
{
    (void)state;
    for (unsigned how = PUT_READY; how <= PUT_PARKED; how++) {
        machine(1);
        sched_start(e0);
        assert_ptr_equal(sched_pick(harts[0]), e0);
        sched_put(harts[0], e0, (enum put)how, now + 10, yes);
        assert_int_equal(e0->state, ENTITY_READY);
        machine_check();
        assert_ptr_equal(sched_pick(harts[0]), e0);
        sched_put(harts[0], e0, PUT_PARKED, TIME_NEVER, no);
        assert_int_equal(e0->state, ENTITY_PARKED);
        machine_check();
    }
}

static void put_waiting(struct entity *e, uint64_t deadline)
{
    sched_start(e);
    assert_ptr_equal(sched_pick(harts[0]), e);
    sched_put(harts[0], e, PUT_WAITING, deadline, NULL);
}

static void test_sleep_of_the_parked(void **state)
{
    (void)state;
    machine(2);
    sched_sleep(e0, now + 100, NULL);
    assert_int_equal(e0->state, ENTITY_WAITING);
    assert_true(take_request(harts[0])); // whose timer is to be set
    assert_int_equal(sched_deadline(harts[0]), now + 100);
    sched_sleep(e0, now + 10, NULL); // it sleeps already
    assert_int_equal(sched_deadline(harts[0]), now + 100);
    machine_check();
    sched_expire(harts[0], now + 100);
    assert_int_equal(e0->state, ENTITY_READY);
    requests_clear();
    sched_sleep(e1, TIME_NEVER, no_cause);
    assert_int_equal(e1->state, ENTITY_WAITING);
    assert_int_equal(harts[0]->requests, 0);
    sched_wake(e1);
    assert_int_equal(e1->state, ENTITY_READY);
    requests_clear();
    sched_sleep(e2, TIME_NEVER, any_cause);
    assert_int_equal(e2->state, ENTITY_READY);
    assert_true(take_request(harts[0]));
    sched_sleep(e2, TIME_NEVER, NULL);
    assert_int_equal(e2->state, ENTITY_READY);
    machine_check();
}

static void test_deadlines(void **state)
{
    (void)state;
    machine(1);
    put_waiting(e0, now + 300);
    put_waiting(e1, now + 100);
    put_waiting(e2, now + 200);
    assert_int_equal(sched_deadline(harts[0]), now + 100);
    sched_expire(harts[0], now + 99);
    assert_int_equal(e1->state, ENTITY_WAITING);
    sched_expire(harts[0], now + 200);
    assert_int_equal(e0->state, ENTITY_WAITING);
    assert_int_equal(e1->state, ENTITY_READY);
    assert_int_equal(e2->state, ENTITY_READY);
    assert_int_equal(sched_deadline(harts[0]), now + 300);
    machine_check();
    sched_wake(e0); // before its time: nothing is left of the deadline
    assert_int_equal(sched_deadline(harts[0]), TIME_NEVER);
    machine_check();
}

// --- telling harts ---------------------------------------------------------------------------------

static void test_an_idle_hart_has_no_slice(void **state)
{
    (void)state;
    machine(1);
    sched_start(e0);
    sched_start(e1);
    struct entity *first = sched_pick(harts[0]);
    assert_int_equal(sched_deadline(harts[0]), now + SLICE);
    sched_put(harts[0], first, PUT_PARKED, TIME_NEVER, NULL);
    struct entity *second = sched_pick(harts[0]);
    assert_int_equal(sched_deadline(harts[0]), TIME_NEVER);
    sched_start(first);
    assert_false(sched_relax(harts[0]));
    assert_int_equal(sched_deadline(harts[0]), now + SLICE);
    sched_put(harts[0], second, PUT_PARKED, TIME_NEVER, NULL);
    assert_ptr_equal(sched_pick(harts[0]), first);
    sched_put(harts[0], first, PUT_PARKED, TIME_NEVER, NULL);
    assert_true(sched_idle_enter(harts[0]));
    assert_int_equal(sched_deadline(harts[0]), TIME_NEVER);
    sched_idle_leave(harts[0]);
}

static void test_an_idle_hart_is_told(void **state)
{
    (void)state;
    machine(3);
    sched_start(e0);
    assert_ptr_equal(sched_pick(harts[0]), e0);
    assert_true(sched_relax(harts[0]));
    assert_true(sched_idle_enter(harts[1]));
    assert_true(sched_idle_enter(harts[2]));
    requests_clear();
    sched_start(e1); // at home where e0 runs
    assert_false(take_request(harts[0]));
    assert_true(take_request(harts[1]));
    assert_false(take_request(harts[2]));
    sched_idle_leave(harts[1]);
    assert_ptr_equal(sched_pick(harts[1]), e1);
    assert_ptr_equal(e1->home, harts[1]);
    assert_int_equal(sched_deadline(harts[1]), TIME_NEVER);
    machine_check();
    sched_idle_leave(harts[2]);
}

static void test_idle_is_refused_when_somebody_waits(void **state)
{
    (void)state;
    machine(2);
    sched_start(e0);
    assert_false(sched_idle_enter(harts[1]));
    assert_ptr_equal(sched_pick(harts[1]), e0);
}

static void test_relaxed_harts_are_told(void **state)
{
    (void)state;
    machine(3);
    for (unsigned i = 0; i < 3; i++) {
        sched_start(&entities[i]);
        assert_non_null(sched_pick(harts[i]));
        assert_true(sched_relax(harts[i]));
        assert_int_equal(sched_deadline(harts[i]), TIME_NEVER);
    }
    requests_clear();
    sched_start(&entities[3]);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(take_request(harts[i]));
        assert_false(sched_should_switch(harts[i], now));
        assert_false(sched_relax(harts[i]));
        assert_int_equal(sched_deadline(harts[i]), now + SLICE);
    }
    requests_clear();
    sched_start(&entities[4]); // they know already: only its home looks
    assert_true(take_request(harts[0]));
    assert_false(take_request(harts[1]));
    assert_false(take_request(harts[2]));
}

// Contention that begins after a hart has chosen its slice, and before it says that it is relaxed.
static void test_contention_before_relaxing(void **state)
{
    (void)state;
    machine(2);
    sched_start(e0);
    assert_ptr_equal(sched_pick(harts[1]), e0);
    assert_int_equal(sched_deadline(harts[1]), TIME_NEVER);
    sched_start(e1); // at home on hart 0, which alone is told
    assert_false(take_request(harts[1]));
    assert_false(sched_relax(harts[1]));
    assert_int_equal(sched_deadline(harts[1]), now + SLICE);
}

// Two become ready while one hart is idle: both announcements go to it, and it can take one only.
static void test_two_ready_for_one_idle(void **state)
{
    (void)state;
    machine(2);
    sched_start(e0);
    assert_ptr_equal(sched_pick(harts[0]), e0);
    assert_true(sched_relax(harts[0]));
    assert_true(sched_idle_enter(harts[1]));
    requests_clear();
    sched_start(e1);
    sched_start(e2);
    assert_false(take_request(harts[0]));
    assert_true(take_request(harts[1]));
    sched_idle_leave(harts[1]);
    assert_non_null(sched_pick(harts[1]));
    assert_true(take_request(harts[0])); // that has to share now
    assert_int_equal(sched_deadline(harts[1]), now + SLICE);
}

static void test_requests_do_not_prolong_a_slice(void **state)
{
    (void)state;
    machine(2);
    sched_start(e0);
    sched_start(e1);
    struct entity *first = sched_pick(harts[0]);
    uint64_t end = sched_deadline(harts[0]);
    for (unsigned i = 0; i < SLICE / 8; i++) {
        now++;
        assert_false(sched_should_switch(harts[0], now));
    }
    assert_int_equal(sched_deadline(harts[0]), end);
    now = end;
    assert_true(sched_should_switch(harts[0], now));
    sched_put(harts[0], first, PUT_READY, TIME_NEVER, NULL);
    assert_ptr_not_equal(sched_pick(harts[0]), first);
}

// A hart that runs nothing takes its own sleeper; a hart that runs leaves it to an idle one.
static void test_expiry_tells_others_when_busy(void **state)
{
    (void)state;
    machine(2);
    put_waiting(e0, now + 10);
    assert_true(sched_idle_enter(harts[1]));
    requests_clear();
    sched_expire(harts[0], now + 10);
    assert_int_equal(harts[0]->requests | harts[1]->requests, 0);
    assert_ptr_equal(sched_pick(harts[0]), e0);
    sched_idle_leave(harts[1]);

    machine(2);
    put_waiting(e0, now + 10);
    sched_start(e1);
    assert_ptr_equal(sched_pick(harts[0]), e1);
    assert_true(sched_idle_enter(harts[1]));
    requests_clear();
    sched_expire(harts[0], now + 10);
    assert_true(take_request(harts[1]));
    sched_idle_leave(harts[1]);
}

// --- random --------------------------------------------------------------------------------------------

static void random_hart(struct hart *h)
{
    struct entity *e = h->queue->running;

    if (!e) {
        (void)sched_pick(h);
    } else if (rand() % 4 == 0) {
        sched_tighten(h);
        sched_put(h, e, (enum put)(rand() % 3), rand() % 3 ? now + (uint64_t)(rand() % 2000) : TIME_NEVER,
                  rand() % 3   ? NULL
                  : rand() % 2 ? yes
                               : no);
    } else if (sched_should_switch(h, now) || rand() % 8 == 0) {
        sched_tighten(h);
        (void)sched_turn(h, e);
    } else {
        sched_relax(h);
    }
}

static void random_limits(struct entity *e, struct hart *h)
{
    switch (rand() % 4) {
    case 0:
        (void)!cap_set(e->share, rand() % 2 ? (unsigned)rand() % 100 : 0);
        break;
    case 1:
        (void)!affinity_set(e->share, (unsigned long)rand() % 4 ? (unsigned long)rand() % 15 + 1 : ~0UL);
        break;
    case 2:
        (void)!sched_set_exclusive(e->share, rand() % 4 == 0);
        break;
    default:
        if (h->queue->running && sched_yield_to(h, e)) {
            sched_tighten(h);
            (void)sched_turn(h, h->queue->running);
        }
    }
}

static void random_step(void)
{
    struct entity *e = &entities[(unsigned)rand() % ENTITIES];
    struct hart *h = harts[(unsigned)rand() % harts_count];

    now += (uint64_t)(rand() % 60);
    switch (rand() % 10) {
    case 9:
        random_limits(e, h);
        break;
    case 8:
        sched_sleep(e, rand() % 2 ? now + (uint64_t)(rand() % 2000) : TIME_NEVER, rand() % 2 ? yes : NULL);
        break;
    case 0:
        sched_start(e);
        break;
    case 1:
        sched_wake(e);
        break;
    case 2:
        if (sched_deadline(h) <= now)
            sched_expire(h, now);
        break;
    case 3:
        if (!h->queue->running && sched_idle_enter(h))
            sched_idle_leave(h);
        break;
    default:
        random_hart(h);
    }
}

// What makes way goes behind those who had less; in one step or in two, it comes to the same.
static void test_turn(void **state)
{
    (void)state;
    machine(2);
    for (unsigned i = 0; i < 3; i++)
        sched_start(&entities[i]);
    struct entity *first = sched_pick(harts[0]);

    now += SLICE;
    assert_true(sched_should_switch(harts[0], now));
    struct entity *second = sched_turn(harts[0], first);
    assert_non_null(second);
    assert_ptr_not_equal(second, first);
    assert_int_equal(first->state, ENTITY_READY);
    assert_int_equal(first->consumed, SLICE);
    assert_int_equal(second->stolen, SLICE);
    assert_int_equal(sched_deadline(harts[0]), now + SLICE);
    machine_check();

    // Nobody had less: it goes on.
    struct entity *third = &entities[2], *fourth = &entities[3];
    first->virtual_time = first->ready.key = third->virtual_time = third->ready.key = 4 * VIRTUAL_SLICE;
    now += SLICE / 2;
    assert_ptr_equal(sched_turn(harts[0], second), second);
    assert_ptr_equal(second->running, harts[0]);
    machine_check();

    // What waits elsewhere had less than what is first here.
    fourth->home = harts[1];
    sched_start(fourth);
    second->virtual_time = 5 * VIRTUAL_SLICE;
    assert_ptr_equal(sched_turn(harts[0], second), fourth);
    assert_ptr_equal(fourth->home, harts[0]);
    assert_int_equal(second->state, ENTITY_READY);
    machine_check();
}

// Who holds the lock keeps it waiting.
static void wake_late(void)
{
    meanwhile = wake_late;
    if (queues[0].lock.next != queues[0].lock.serving)
        return;
    meanwhile = NULL;
    now += 3;
    sched_wake(&entities[1]);
}

// Who became ready after the hart had looked at the time has not waited.
static void test_turn_to_who_was_just_woken(void **state)
{
    (void)state;
    machine(1);
    sched_start(&entities[1]);
    assert_ptr_equal(sched_pick(harts[0]), &entities[1]);
    sched_put(harts[0], &entities[1], PUT_WAITING, TIME_NEVER, NULL);
    sched_start(&entities[0]);
    assert_ptr_equal(sched_pick(harts[0]), &entities[0]);
    now += SLICE;
    meanwhile = wake_late;
    struct entity *e = sched_turn(harts[0], &entities[0]);
    if (e != &entities[1]) { // it came too late for this turn
        now += 1;
        e = sched_turn(harts[0], e);
    }
    assert_ptr_equal(e, &entities[1]);
    assert_in_range(entities[1].stolen, 0, 1);
    machine_check();
}

static void steal_first(void)
{
    assert_ptr_equal(sched_pick(harts[1]), &entities[0]);
}

static void steal_then(void)
{
    meanwhile = steal_first;
}

// Who is next must not run yet, and another hart has taken who made way: nobody is left, and so there is no slice.
static void test_turn_to_nobody(void **state)
{
    (void)state;
    machine(2);
    sched_start(&entities[0]);
    assert_ptr_equal(sched_pick(harts[0]), &entities[0]);
    assert_int_equal(cap_set(&shares[1], 1), STATUS_OK);
    shares[1].period_end = now + 100 * SLICE; // and it has had its part
    sched_start(&entities[1]);
    now += SLICE;
    meanwhile = steal_then; // the second time that the time is asked for, with no lock held
    assert_null(sched_turn(harts[0], &entities[0]));
    assert_null(meanwhile);
    assert_int_equal(entities[1].state, ENTITY_HELD);
    assert_null(queues[0].running);
    assert_int_equal(queues[0].slice_end, TIME_NEVER);
    machine_check();
}

static void test_nobody_is_lost(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 200 / FEWER; seed++) {
        srand(seed);
        machine(1 + seed % HARTS);
        for (unsigned step = 0; step < 1000; step++) {
            random_step();
            machine_check();
        }
    }
}

// From any state that random operations lead to, all that is ready is run.
static void test_all_that_is_ready_runs(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 50 / FEWER; seed++) {
        srand(seed);
        machine(1 + seed % HARTS);
        memset(jobs, 0, sizeof(jobs));
        for (unsigned step = 0; step < 500; step++)
            random_step();
        for (unsigned i = 0; i < ENTITIES; i++) {
            sched_start(&entities[i]);
            sched_wake(&entities[i]);
            assert_int_equal(cap_set(&shares[i], 0), STATUS_OK);
            entities[i].consumed = 0;
        }
        simulate(40 * SLICE);
        for (unsigned i = 0; i < ENTITIES; i++)
            assert_true(entities[i].consumed > 0 || entities[i].state == ENTITY_RUNNING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_three_on_two),
        cmocka_unit_test(test_shares_twelve_on_two),
        cmocka_unit_test(test_shares_in_other_numbers),
        cmocka_unit_test(test_a_hart_for_each),
        cmocka_unit_test(test_sleepers_are_served_soon),
        cmocka_unit_test(test_credit_is_bounded),
        cmocka_unit_test(test_many_sleepers_among_many),
        cmocka_unit_test(test_ages_of_sleep),
        cmocka_unit_test(test_weights_on_one_hart),
        cmocka_unit_test(test_weights_on_several_harts),
        cmocka_unit_test(test_weight_of_more_than_a_hart),
        cmocka_unit_test(test_weights_out_of_range),
        cmocka_unit_test(test_time_alone_is_free),
        cmocka_unit_test(test_sleepers_among_weights),
        cmocka_unit_test(test_weights_with_sleep),
        cmocka_unit_test(test_stolen_is_ready_and_not_running),
        cmocka_unit_test(test_stolen_and_consumed_are_all_time),
        cmocka_unit_test(test_consumed_is_up_to_date),
        cmocka_unit_test(test_sleep_of_the_parked),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_what_a_cap_leaves_is_others),
        cmocka_unit_test(test_nothing_wakes_the_held),
        cmocka_unit_test(test_sleep_is_not_capped),
        cmocka_unit_test(test_affinity_is_kept),
        cmocka_unit_test(test_affinity_among_free_ones),
        cmocka_unit_test(test_weights_of_the_pinned),
        cmocka_unit_test(test_affinity_changes),
        cmocka_unit_test(test_exclusive_harts),
        cmocka_unit_test(test_siblings_share_their_own_harts),
        cmocka_unit_test(test_exclusive_refusals),
        cmocka_unit_test(test_sleepers_leave_exclusive_harts),
        cmocka_unit_test(test_yield_to_a_sibling),
        cmocka_unit_test(test_start_and_wake_by_state),
        cmocka_unit_test(test_put_asks_for_causes),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_an_idle_hart_has_no_slice),
        cmocka_unit_test(test_an_idle_hart_is_told),
        cmocka_unit_test(test_idle_is_refused_when_somebody_waits),
        cmocka_unit_test(test_relaxed_harts_are_told),
        cmocka_unit_test(test_contention_before_relaxing),
        cmocka_unit_test(test_two_ready_for_one_idle),
        cmocka_unit_test(test_requests_do_not_prolong_a_slice),
        cmocka_unit_test(test_expiry_tells_others_when_busy),
        cmocka_unit_test(test_turn),
        cmocka_unit_test(test_turn_to_who_was_just_woken),
        cmocka_unit_test(test_turn_to_nobody),
        cmocka_unit_test(test_nobody_is_lost),
        cmocka_unit_test(test_all_that_is_ready_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
