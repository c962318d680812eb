// sources: tests/unit/explored/sched.c tests/unit/explored/limits.c tests/unit/explored/run.c
// sources: tests/unit/explored/queue.c tests/unit/explored/wake.c tests/unit/explored/pinned.c
// sources: tests/unit/explored/exit.c tests/unit/explored/interrupts.c tests/unit/explored/fence.c
// sources: tests/unit/explored/vcore.c tests/unit/explored/sbi_system.c tests/unit/fake/explore.c lib/heap.c
// sources: tests/unit/fake/uplink.c
//
// Guests that wait, sleep, suspend, stop and start each other, send interrupts and end their capsules, on
// harts whose steps interleave at random. Each interrupt and each timer must arrive, each vcore must get
// its turn, none may be in two places, and a capsule's life may go on only when all its vcores are parked.
#include "explore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block.h"
#include "capsule.h"
#include "console.h"
#include "devices.h"
#include "emulate.h"
#include "fences.h"
#include "log.h"
#include "plic.h"
#include "power.h"
#include "sbi.h"
#include "trace.h"

#define HARTS_MOST 4u
#define CAPSULES 2u
#define VCORES 3u     // of each capsule
#define ORIGIN 500ULL // host time when the guests' begins
#define BOOT_PC 0x1000u
#define RESUME_PC 0x2000u
#define BITS (1UL << INTERRUPT_S_SOFT | 1UL << INTERRUPT_S_TIMER)

// --- the machine ----------------------------------------------------------------------------------

struct machine_hart {
    struct hart hart;
    struct queue queue;
    unsigned long csr[4096];
    uint32_t msip;
    uint64_t mtimecmp;
    const struct world *loaded;
};

struct hart *harts[HARTS_MAX];
unsigned harts_count;
struct isolation_features isolation_features;
uint64_t world_delta = -ORIGIN;
static struct machine_hart machine[HARTS_MOST];
static uint64_t now;
static bool done;

struct hart *this_hart(void)
{
    return harts[explore_self()];
}

static struct machine_hart *here(void)
{
    return &machine[explore_self()];
}

uint64_t hart_time(void)
{
    return now;
}

void hart_request(struct hart *h, unsigned long bits)
{
    explore_point();
    h->requests |= bits;
    explore_point();
    machine[h->index].msip = 1;
}

static bool timer_is_due(const struct machine_hart *m)
{
    return isolation_features.sstc && now + world_delta >= m->csr[CSR_STIMECMP + CSR_VS_OFFSET];
}

unsigned long fake_csr_read(unsigned csr)
{
    struct machine_hart *m = here();

    switch (csr) {
    case CSR_MIP:
        return (m->msip ? 1UL << INTERRUPT_M_SOFT : 0) | (now >= m->mtimecmp ? 1UL << INTERRUPT_M_TIMER : 0);
    case CSR_SIP + CSR_VS_OFFSET:
        return m->csr[CSR_HVIP] >> 1 | (timer_is_due(m) ? 1UL << INTERRUPT_S_TIMER : 0);
    default:
        return m->csr[csr];
    }
}

unsigned long fake_csr_write(unsigned csr, unsigned long value, const char *function)
{
    unsigned long old = here()->csr[csr];
    (void)function;
    here()->csr[csr] = value;
    return old;
}

static void all_done_check(void);

static void time_pass(void)
{
    now++;
    all_done_check();
    explore_point();
}

// Sleep ends with an interrupt, and only with one.
void hart_wait(void)
{
    while (!csr_read(CSR_MIP)) {
        if (done)
            explore_end();
        time_pass();
    }
}

_Noreturn void panic(const char *format, ...)
{
    explore_fail("panic: %s", format);
}

// --- what is not of interest here -------------------------------------------------------------------

struct stream *_Atomic console_events;
_Atomic bool console_timed;
struct stream *console_event_take(void)
{
    return NULL;
}
uint64_t console_deadline_read(void)
{
    return UINT64_MAX;
}
bool console_off_asked(void)
{
    return false;
}
void console_poll(uint64_t at)
{
    (void)at;
}
void console_interrupt(void) {}
struct stream console_terminal;
void console_keep(bool kept)
{
    (void)kept;
}
void console_flush(void) {}
void console_announce(const char *format, ...)
{
    (void)format;
}
_Noreturn void power_off(bool success)
{
    explore_fail("power off: %d", success);
}
_Noreturn void hart_park(void)
{
    explore_fail("parked");
}
void harts_stop_others(void) {}
uint32_t plic_claim(uint32_t context)
{
    return context * 0;
}
void plic_complete(uint32_t context, uint32_t irq)
{
    (void)context, (void)irq;
}
void vplic_set_level(struct vplic *p, unsigned source, bool level)
{
    (void)p, (void)source, (void)level;
}
void vuart_poll(struct vuart *u)
{
    (void)u;
}
void vuart_ask(struct vuart *u)
{
    (void)u;
}
// None has devices.
void vconsole_ask(struct vconsole *c)
{
    (void)c;
}
void capsule_work(struct capsule *c, unsigned slot)
{
    (void)c, (void)slot;
}
enum exit slots_work_here(struct vcore *v)
{
    (void)v;
    return EXIT_RESUME;
}
enum exit mmio_fault(struct vcore *v, unsigned long cause, uint32_t saved)
{
    (void)v, (void)cause, (void)saved;
    return EXIT_RESUME;
}
enum exit emulate_instruction(struct vcore *v)
{
    (void)v;
    return EXIT_RESUME;
}
enum exit emulate_misaligned(struct vcore *v, unsigned long cause)
{
    (void)v, (void)cause;
    return EXIT_RESUME;
}
enum exit sbi_call(struct vcore *v)
{
    (void)v;
    return EXIT_RESUME;
}
void world_fence(const struct fence_request *r)
{
    (void)r;
}

void isolation_protect(struct hart *h)
{
    (void)h;
}

void space_forget(struct space *s)
{
    (void)s;
}

void fake_fence(struct fence fence)
{
    (void)fence;
}

// The page of stolen time is written while the vcore is loaded nowhere, and its hart's.
static void sta_check(const struct vcore *v)
{
    for (unsigned i = 0; i < harts_count; i++)
        if (machine[i].loaded == &v->world)
            explore_fail("stolen time is told to a vcore that runs");
    if (v->hsm == HSM_STOPPED)
        explore_fail("stolen time is told to a vcore that is stopped");
}
void sbi_sta_running(struct vcore *v)
{
    sta_check(v);
    if (!v->reports_steal || v->entity.running != this_hart())
        explore_fail("a vcore runs elsewhere");
}
void sbi_sta_preempted(struct vcore *v)
{
    sta_check(v);
}

void trace_enter(struct vcore *v)
{
    (void)v;
    explore_fail("nobody is traced");
}

bool space_translate(const struct space *s, struct gpa a, uint64_t size, struct hpa *out)
{
    (void)s, (void)size;
    *out = hpa(a.value);
    return true;
}

// --- worlds: the interrupts of them ---------------------------------------------------------------------

void world_reset(struct world *w)
{
    w->ie = w->pending = 0;
    w->timecmp = UINT64_MAX;
}

void world_enter(struct hart *h, struct world *w)
{
    struct machine_hart *m = &machine[h->index];
    for (unsigned i = 0; i < harts_count; i++)
        if (machine[i].loaded == w)
            explore_fail("loaded on two harts");
    m->loaded = w;
    m->csr[CSR_SIE + CSR_VS_OFFSET] = w->ie;
    m->csr[CSR_HVIP] = w->pending << 1;
    m->csr[CSR_STIMECMP + CSR_VS_OFFSET] = w->timecmp;
}

void world_leave(struct hart *h, struct world *w)
{
    struct machine_hart *m = &machine[h->index];
    if (m->loaded != w)
        explore_fail("not loaded");
    m->loaded = NULL;
    w->ie = m->csr[CSR_SIE + CSR_VS_OFFSET];
    w->pending = m->csr[CSR_HVIP] >> 1;
    w->timecmp = m->csr[CSR_STIMECMP + CSR_VS_OFFSET];
    m->csr[CSR_SIE + CSR_VS_OFFSET] = m->csr[CSR_HVIP] = 0;
}

void world_set_timer(uint64_t guest_time)
{
    here()->csr[CSR_STIMECMP + CSR_VS_OFFSET] = guest_time;
}

// --- capsules and their lives -------------------------------------------------------------------------------

static struct capsule capsules[CAPSULES];
static struct vcore vcores[CAPSULES][VCORES];
static struct share shares[CAPSULES];

// What the guest of a vcore has to do, and what it is owed.
struct guest {
    unsigned left;  // things it will still do
    unsigned inbox; // sent to it; taken when the interrupt comes
    bool timer;     // it has set one
};
static struct guest guests[CAPSULES][VCORES];
static unsigned restarts_left;

static unsigned capsule_of(const struct vcore *v)
{
    return (unsigned)(v->capsule - capsules);
}

static struct guest *guest_of(const struct vcore *v)
{
    return &guests[capsule_of(v)][v->index];
}

// Lives as in capsule/life.c, as far as their vcores are concerned.

static void capsule_start(struct capsule *c)
{
    c->ending = ENDING_NONE;
    c->halt = 0;
    vcore_boot_state(c->vcores[0], BOOT_PC, 0);
    c->vcores[0]->hsm = HSM_START_PENDING;
    c->active = 1;
    sched_start(&c->vcores[0]->entity);
}

void capsule_vcore_parked(struct capsule *c)
{
    if (atomic_fetch_sub(&c->active, 1) == 1)
        capsule_notify(c);
}

static void all_parked_check(const struct capsule *c)
{
    for (unsigned i = 0; i < VCORES; i++)
        if (c->vcores[i]->entity.state != ENTITY_PARKED ||
            (c->halt & HALT_ENDING && c->vcores[i]->hsm != HSM_STOPPED && !c->vcores[i]->held))
            explore_fail("a life goes on while vcore %u is not parked", i);
}

static struct life_step life_later(void)
{
    struct life_step wait = {.put = PUT_WAITING, .deadline = now + explore_random(20)};
    struct life_step at_once = {.put = PUT_READY, .deadline = TIME_NEVER};
    return explore_random(2) ? wait : at_once;
}

struct life_step capsule_life_step(struct capsule *c)
{
    struct life_step parked = {.put = PUT_PARKED, .deadline = TIME_NEVER};

    if (atomic_load(&c->active))
        return parked;
    if (c->ending == ENDING_NONE && !(c->halt & HALT_HELD))
        capsule_end(c, ENDING_STOPPED);
    all_parked_check(c);
    if (explore_random(3))
        return life_later();
    if (c->ending != ENDING_NONE) {
        for (unsigned i = 0; i < VCORES; i++) // one that was held before the end kept its state
            atomic_store(&c->vcores[i]->hsm, HSM_STOPPED);
        capsule_start(c);
        return parked;
    }
    capsule_let_go(c);
    return life_later(); // all may have stopped before
}

void capsule_life_gone(struct capsule *c)
{
    explore_fail("capsule %u is gone", (unsigned)(c - capsules));
}

// --- guests --------------------------------------------------------------------------------------------------

static void all_done_check(void)
{
    for (unsigned c = 0; c < CAPSULES; c++) {
        if (capsules[c].halt)
            return;
        for (unsigned i = 0; i < VCORES; i++) {
            const struct guest *g = &guests[c][i];
            if (vcores[c][i].hsm == HSM_STOPPED && i)
                continue;
            if (g->left || g->inbox || g->timer || vcores[c][i].hsm == HSM_START_PENDING)
                return;
        }
    }
    done = true;
}

static enum exit hsm_call(struct vcore *v, unsigned long function, unsigned long a0, unsigned long a1)
{
    v->context.x[10] = a0;
    v->context.x[11] = a1;
    v->context.x[12] = 0;
    return sbi_hsm(v, function);
}

// Refused unless all others are stopped; then nobody starts one.
static enum exit system_suspend(struct vcore *v)
{
    v->context.x[10] = 0;
    v->context.x[11] = RESUME_PC;
    enum exit exit = sbi_susp(v, 0);
    for (unsigned i = 0; i < VCORES; i++)
        if (exit == EXIT_WAIT && i != v->index && v->capsule->vcores[i]->hsm != HSM_STOPPED)
            explore_fail("the system is suspended while vcore %u runs", i);
    if (exit != EXIT_WAIT && (long)v->context.x[10] != SBI_ERR_DENIED)
        explore_fail("system suspend: error %ld", (long)v->context.x[10]);
    return exit;
}

// Interrupts as the guest's handler takes them.
static void guest_interrupts(struct vcore *v)
{
    unsigned long pending = csr_read(CSR_SIP + CSR_VS_OFFSET) & csr_read(CSR_SIE + CSR_VS_OFFSET);

    if (pending & 1UL << INTERRUPT_S_SOFT) {
        world_lower(1UL << INTERRUPT_S_SOFT);
        guest_of(v)->inbox = 0;
    }
    if (pending & 1UL << INTERRUPT_S_TIMER) {
        world_lower(1UL << INTERRUPT_S_TIMER);
        world_set_timer(UINT64_MAX);
        guest_of(v)->timer = false;
    }
}

static unsigned long hart_interrupts_take(struct context *c)
{
    unsigned long pending = csr_read(CSR_MIP);
    explore_point();
    return pending ? exit_fast(c, CAUSE_INTERRUPT | (unsigned long)__builtin_ctzl(pending)) : EXIT_RESUME;
}

// Asleep in the guest, unseen by us, until an interrupt of the guest's or of the hart's.
static unsigned long guest_wait(struct context *c)
{
    if (csr_read(CSR_HSTATUS) & HSTATUS_VTW)
        return EXIT_WAIT;
    while (!world_interrupt_ready() && !csr_read(CSR_MIP)) {
        if (done)
            explore_end();
        time_pass();
    }
    return hart_interrupts_take(c);
}

static void guest_timer(struct vcore *v)
{
    uint64_t when = now + explore_random(explore_random(4) ? 60 : 1000);

    guest_of(v)->timer = true;
    if (isolation_features.sstc) {
        world_set_timer(when + world_delta);
        return;
    }
    v->timer = when; // as in sbi_set_timer
    world_lower(1UL << INTERRUPT_S_TIMER);
    hart_arm(this_hart());
}

static void guest_send(struct vcore *v)
{
    struct vcore *to = v->capsule->vcores[explore_random(VCORES)];
    guest_of(to)->inbox++;
    vcore_post(to, 1UL << INTERRUPT_S_SOFT);
}

// Somebody at the prompt changes what a capsule may have, at any time.
static void limits_change(void)
{
    unsigned c = explore_random(CAPSULES);
    struct share *s = &shares[c];

    switch (explore_random(4)) {
    case 0:
        (void)!sched_set_weight(s, 1 + explore_random(WEIGHT_MAX));
        break;
    case 1:
        (void)!sched_set_cap(s, explore_random(2) ? 20 + explore_random(200) : 0);
        break;
    case 2:
        (void)!sched_set_affinity(s, 1 + explore_random(16));
        break;
    default:
        (void)!sched_set_exclusive(s, explore_random(2));
    }
    capsule_vcores_look(&capsules[c]);
}

static unsigned long guest_act(struct vcore *v)
{
    if (explore_random(24) == 0)
        limits_change();
    guest_of(v)->left--;
    switch (explore_random(16)) {
    case 0:
    case 1:
    case 2:
        guest_send(v);
        return EXIT_RESUME;
    case 3:
        guest_timer(v);
        return EXIT_RESUME;
    case 4:
        guest_timer(v); // who has more to do relies on nobody else
        return hsm_call(v, 3, 0, 0);
    case 5:
        guest_timer(v);
        v->reports_steal = true;
        return explore_random(2) ? hsm_call(v, 3, 0x80000000, RESUME_PC) : system_suspend(v);
    case 6:
        return v->index ? hsm_call(v, 1, 0, 0) : EXIT_RESUME;
    case 7:
    case 8:
        return hsm_call(v, 0, explore_random(VCORES), BOOT_PC);
    case 9:
        vcore_yield(v);
        return EXIT_RESCHEDULE;
    case 10:
        if (restarts_left && explore_random(4) == 0) {
            restarts_left--;
            capsule_end(v->capsule, ENDING_REBOOT);
            return EXIT_END;
        }
        return EXIT_RESUME;
    case 11: // somebody pauses it
        if (explore_random(4) == 0)
            capsule_hold(v->capsule);
        return EXIT_RESUME;
    case 12:
        for (unsigned i = explore_random(200); i; i--)
            time_pass();
        return EXIT_RESUME;
    default:
        guest_timer(v);
        return guest_wait(&v->context);
    }
}

static unsigned long guest_step(struct vcore *v)
{
    struct context *c = &v->context;

    if (v->hsm != HSM_STARTED || v->entity.running != this_hart() || c->hart != this_hart() ||
        this_hart()->current != c || here()->loaded != &v->world)
        explore_fail("vcore %u runs, and doesn't", v->index);
    if (c->pc == BOOT_PC) {
        guest_of(v)->inbox = 0;
        guest_of(v)->timer = false;
    }
    if (c->pc && csr_read(CSR_SIE + CSR_VS_OFFSET))
        explore_fail("vcore %u starts with interrupts enabled", v->index);
    if (c->pc && c->x[10] != v->index)
        explore_fail("vcore %u starts as %lu", v->index, c->x[10]);
    c->pc = 0;
    csr_write(CSR_SIE + CSR_VS_OFFSET, BITS);
    guest_interrupts(v);
    unsigned long exit = guest_of(v)->left ? guest_act(v) : guest_wait(c);
    return exit == EXIT_RESUME ? hart_interrupts_take(c) : exit;
}

_Noreturn void guest_resume(struct context *c)
{
    while (!done) {
        unsigned long exit = guest_step(vcore_of(c));
        now++;
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

// --- runs ------------------------------------------------------------------------------------------------------

static void machine_create(unsigned count, bool sstc)
{
    isolation_features = (struct isolation_features){.hypervisor = true, .sstc = sstc};
    harts_count = count;
    for (unsigned i = 0; i < HARTS_MOST; i++) {
        struct machine_hart *m = &machine[i];
        m->hart.index = i;
        sched_tighten(&m->hart); // what the last run left
        sched_idle_leave(&m->hart);
        *m = (struct machine_hart){.hart = {.index = i, .armed = TIME_NEVER}, .mtimecmp = TIME_NEVER};
        m->hart.msip = (uintptr_t)&m->msip;
        m->hart.mtimecmp = (uintptr_t)&m->mtimecmp;
        m->csr[CSR_STIMECMP + CSR_VS_OFFSET] = -1UL;
        harts[i] = &m->hart;
        sched_hart_init(harts[i], &m->queue);
    }
    sched_ready_total = 0;
    sched_init(64);
    now = ORIGIN;
    done = false;
}

unsigned long space_visitors(struct space *s)
{
    (void)s;
    return 0;
}

unsigned block_count;
bool block_interrupt(uint32_t irq)
{
    (void)irq;
    return false;
}

uint64_t capsule_work_step(struct capsule *c)
{
    (void)c;
    return TIME_NEVER;
}

bool worker_is_called(struct entity *e)
{
    (void)e;
    return false;
}

void capsule_worker_parked(struct capsule *c)
{
    (void)c;
}

void capsule_worker_start(struct capsule *c)
{
    (void)c;
}

static void capsules_create(void)
{
    for (unsigned c = 0; c < CAPSULES; c++) {
        capsules[c] = (struct capsule){.vcore_count = VCORES};
        share_init(&shares[c]);
        entity_init(&capsules[c].life, ENTITY_LIFE, harts[0]);
        for (unsigned i = 0; i < VCORES; i++) {
            struct vcore *v = &vcores[c][i];
            *v = (struct vcore){.capsule = &capsules[c], .index = i, .hsm = HSM_STOPPED, .timer = TIME_NEVER};
            capsules[c].vcores[i] = v;
            entity_init(&v->entity, ENTITY_VCORE, harts[0]);
            v->entity.share = &shares[c];
            guests[c][i] = (struct guest){.left = 40};
        }
        capsule_start(&capsules[c]);
    }
    restarts_left = 3;
}

static void run_seeds(unsigned count, bool sstc, unsigned seeds)
{
    for (unsigned seed = 1; seed <= (seeds + FEWER - 1) / FEWER; seed++) {
        machine_create(count, sstc);
        capsules_create();
        if (!explore_run(count, hart_main, seed, 2000000))
            fail_msg("%u harts, sstc %d, seed %u: %s", count, sstc, seed, explore_message);
    }
}

#define SEEDS 150u

static void test_timers_of_ours(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= HARTS_MOST; count++)
        run_seeds(count, false, SEEDS);
}

static void test_timers_of_the_guests(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= HARTS_MOST; count++)
        run_seeds(count, true, SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_of_ours),
        cmocka_unit_test(test_timers_of_the_guests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
