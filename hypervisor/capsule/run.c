// What a hart does: run what the scheduler gives it, until the machine ends.
#include "capsule.h"
#include "csr.h"
#include "log.h"
#include "sbi.h"
#include "trace.h"
#include "uplink.h"

// It has run for long enough, or others come first; answers who that is.
static struct entity *vcore_make_way(struct hart *h, struct vcore *v)
{
    v->asleep = false;
    sched_tighten(h);
    world_leave(h, &v->world);
    h->current = NULL;
    if (unlikely(v->reports_steal))
        sbi_sta_preempted(v);
    return sched_turn(h, &v->entity);
}

static __attribute__((noinline)) void vcore_leave(struct hart *h, struct vcore *v, enum exit exit)
{
    // Read before the world is put away; a fresh deadline needs the guest's enable bit.
    uint64_t deadline = TIME_NEVER;
    if (exit == EXIT_WAIT)
        deadline = isolation_features.sstc ? world_timer_deadline() : v->timer;

    v->asleep = exit == EXIT_WAIT;
    v->wake_at = deadline;
    sched_tighten(h);
    world_leave(h, &v->world);
    h->current = NULL;
    if (exit == EXIT_WAIT) {
        sched_put(h, &v->entity, PUT_WAITING, deadline, vcore_is_pending);
        return;
    }
    sched_put(h, &v->entity, PUT_PARKED, TIME_NEVER, NULL);
    atomic_store(&v->hsm, HSM_STOPPED);
    capsule_vcore_parked(v->capsule);
}

// Its capsule ends, or is held: it is parked. A held one keeps its state.
static __attribute__((noinline)) void vcore_halt(struct hart *h, struct vcore *v)
{
    bool held = !(atomic_load(&v->capsule->halt) & HALT_ENDING);

    v->held = held;
    sched_put(h, &v->entity, PUT_PARKED, TIME_NEVER, NULL);
    if (!held)
        atomic_store(&v->hsm, HSM_STOPPED);
    capsule_vcore_parked(v->capsule);
}

// After it was held, a vcore goes on as it was: one that slept sleeps on if nothing came meanwhile.
static __attribute__((noinline)) bool vcore_sleeps_on(struct hart *h, struct vcore *v)
{
    v->held = false;
    if (!v->asleep || v->wake_at <= hart_time() || vcore_is_pending(&v->entity))
        return false;
    sched_put(h, &v->entity, PUT_WAITING, v->wake_at, vcore_is_pending);
    return true;
}

static void vcore_wake(struct vcore *v)
{
    uint32_t state = atomic_load_explicit(&v->hsm, memory_order_relaxed);

    if (likely(state == HSM_STARTED))
        return;
    if (state == HSM_SUSPENDED && v->resume_fresh)
        vcore_resume_state(v);
    if (state == HSM_SUSPENDED || state == HSM_START_PENDING)
        atomic_store(&v->hsm, HSM_STARTED);
}

// What came while the vcore was away. Whoever sends from now on finds it running, and tells this hart.
static void pending_merge(struct vcore *v)
{
    unsigned long pending = v->world.pending & ~(1UL << INTERRUPT_S_EXTERNAL);

    if (atomic_load_explicit(&v->posted, memory_order_relaxed))
        pending |= atomic_exchange(&v->posted, 0);
    if (atomic_load(&v->external))
        pending |= 1UL << INTERRUPT_S_EXTERNAL;
    if (!isolation_features.sstc && v->timer <= hart_time()) {
        v->timer = TIME_NEVER;
        pending |= 1UL << INTERRUPT_S_TIMER;
    }
    v->world.pending = pending;
}

static __attribute__((noinline)) void vcore_enter_extras(struct vcore *v)
{
    if (v->reports_steal)
        sbi_sta_running(v);
    if (v->traced)
        trace_enter(v);
}

// True if the vcore is now loaded.
static bool vcore_enter(struct hart *h, struct vcore *v)
{
    if (unlikely(atomic_load(&v->capsule->halt))) {
        vcore_halt(h, v);
        return false;
    }
    if (unlikely(v->held) && vcore_sleeps_on(h, v))
        return false;
    vcore_wake(v);
    if (unlikely(v->extras))
        vcore_enter_extras(v);
    v->context.hart = h;
    h->current = &v->context;
    pending_merge(v);
    world_enter(h, &v->world);
    world_trap_wait(!sched_relax(h));
    hart_arm(h);
    return true;
}

// Something changed after its life had looked.
static bool life_is_called(struct entity *e)
{
    return atomic_load(&container_of(e, struct capsule, life)->attention);
}

static void life_run(struct hart *h, struct capsule *c)
{
    atomic_store(&c->attention, false);
    struct life_step step = capsule_life_step(c);
    sched_put(h, &c->life, step.put, step.deadline, step.gone ? NULL : life_is_called);
    if (step.gone)
        capsule_life_gone(c);
}

static void worker_run(struct hart *h, struct capsule *c)
{
    if (atomic_load(&c->halt)) {
        sched_put(h, &c->worker, PUT_PARKED, TIME_NEVER, NULL);
        capsule_worker_parked(c);
        return;
    }
    uint64_t next = capsule_work_step(c);
    sched_put(h, &c->worker, PUT_WAITING, next, worker_is_called);
}

static void uplink_run(struct hart *h, struct entity *e)
{
    sched_put(h, e, uplink_step(), TIME_NEVER, uplink_is_woken);
}

// What works in short steps.
static __attribute__((noinline)) void step_run(struct hart *h, struct entity *e)
{
    hart_arm(h); // others sleep meanwhile
    if (e->kind == ENTITY_LIFE)
        life_run(h, container_of(e, struct capsule, life));
    else if (e->kind == ENTITY_WORKER)
        worker_run(h, container_of(e, struct capsule, worker));
    else
        uplink_run(h, e);
}

static void idle(struct hart *h)
{
    if (!sched_idle_enter(h))
        return;
    hart_arm(h);
    uint64_t since = hart_time();
    h->idle_since = since;
    hart_wait();
    h->idle_since = 0;
    h->idle += hart_time() - since;
    sched_idle_leave(h);
}

// A guest would be left for the hart's interrupts; here and in the idle loop nobody else takes them.
static __attribute__((noinline)) struct entity *run_on(struct hart *h)
{
    unsigned long pending = csr_read(CSR_MIP) & INTERRUPT_M_ALL;

    if (pending)
        hart_interrupts(h, pending);
    return sched_pick(h);
}

// What is done instead of running a guest.
static __attribute__((noinline)) struct entity *run_otherwise(struct hart *h, struct entity *e)
{
    if (e)
        step_run(h, e);
    else
        idle(h);
    return run_on(h);
}

static struct context *run(struct hart *h, struct entity *e)
{
    for (;;) {
        if (unlikely(!e) || unlikely(e->kind != ENTITY_VCORE))
            e = run_otherwise(h, e);
        else if (likely(vcore_enter(h, container_of(e, struct vcore, entity))))
            return h->current;
        else
            e = run_on(h); // it is parked, and may be gone
    }
}

// A suspended vcore that need not wait after all.
static bool goes_on(struct vcore *v, enum exit exit)
{
    if (exit != EXIT_WAIT || v->resume_fresh || !world_interrupt_ready())
        return false;
    atomic_store(&v->hsm, HSM_STARTED);
    return true;
}

static __attribute__((noinline)) struct context *switch_from(struct vcore *v, enum exit exit)
{
    struct hart *h = v->context.hart;

    if (likely(exit == EXIT_RESCHEDULE))
        return run(h, vcore_make_way(h, v));
    if (goes_on(v, exit))
        return &v->context;
    vcore_leave(h, v, exit);
    return run(h, sched_pick(h));
}

struct context *hart_exit(struct context *c, unsigned long fast)
{
    enum exit exit = (enum exit)fast;

    if (likely(exit == EXIT_SLOW))
        exit = guest_exit(vcore_of(c));
    c = this_hart()->current; // asked again rather than kept: cheaper on the way that is measured
    return likely(exit == EXIT_RESUME) ? c : switch_from(vcore_of(c), exit);
}

_Noreturn void hart_run(void)
{
    struct hart *h = this_hart();
    guest_resume(run(h, sched_pick(h)));
}
