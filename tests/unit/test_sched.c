// sources: hypervisor/sched/sched.c lib/heap.c
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

uint64_t hart_time(void)
{
    return now;
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

static void weight_set(unsigned entity, unsigned weight)
{
    assert_int_equal(sched_set_weight(&shares[entity], weight), STATUS_OK);
}

// Each entity is where its state says, once, and what is counted is there.
static void machine_check(void)
{
    size_t ready = 0, waiting = 0, in[4] = {0};
    bool timed = false;

    for (unsigned i = 0; i < ENTITIES; i++) {
        struct entity *e = &entities[i];
        in[e->state]++;
        if (e->state == ENTITY_RUNNING && e->home->queue->next != e) {
            assert_ptr_equal(e->home, e->running);
            assert_ptr_equal(queues[e->running->index].running, e);
        } else {
            assert_null(e->running);
        }
        timed |= e->state == ENTITY_WAITING && e->timer.key != TIME_NEVER;
        waiting += e->state == ENTITY_WAITING && e->timer.key != TIME_NEVER;
    }
    for (unsigned i = 0; i < harts_count; i++) {
        size_t length = count_heap(queues[i].ready.root);
        assert_int_equal(length, queues[i].length);
        ready += length;
        waiting -= count_heap(queues[i].sleepers.root);
        assert_int_equal(queues[i].lock.next, queues[i].lock.serving);
    }
    assert_int_equal(ready, in[ENTITY_READY]);
    assert_int_equal(ready, sched_ready_total);
    assert_int_equal(waiting, 0);
    (void)timed;
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
        leave(h, PUT_READY, TIME_NEVER);
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
    } else if (sched_should_switch(h, now)) {
        sched_put(h, e, PUT_READY, TIME_NEVER, NULL);
    } else {
        sched_relax(h);
    }
}

static void random_step(void)
{
    struct entity *e = &entities[(unsigned)rand() % ENTITIES];
    struct hart *h = harts[(unsigned)rand() % harts_count];

    now += (uint64_t)(rand() % 60);
    switch (rand() % 9) {
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

static void test_nobody_is_lost(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 200; seed++) {
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
    for (unsigned seed = 0; seed < 50; seed++) {
        srand(seed);
        machine(1 + seed % HARTS);
        memset(jobs, 0, sizeof(jobs));
        for (unsigned step = 0; step < 500; step++)
            random_step();
        for (unsigned i = 0; i < ENTITIES; i++) {
            sched_start(&entities[i]);
            sched_wake(&entities[i]);
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
        cmocka_unit_test(test_nobody_is_lost),
        cmocka_unit_test(test_all_that_is_ready_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
