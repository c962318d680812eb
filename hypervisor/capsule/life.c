// A capsule's life: what its stages are is drawn in capsule_state.h. Each step looks at what is wanted and does
// a bounded part of it; who wants something says so under tree_lock and calls capsule_notify().
#include <string.h>

#include "capsule.h"
#include "capsule_state.h"
#include "console.h"
#include "endings.h"
#include "equip.h"
#include "log.h"
#include "power.h"

#define BACK_OFF_MAX_SHIFT 6 // 64 s
#define LAST_WORDS_SECONDS 2u
#define LAST_WORDS_LOOKS 20u          // in a second
#define BACK_OFF_FORGIVEN_SECONDS 60u // after running this long, earlier failures don't count

// --- the machine's end ------------------------------------------------------------------------------

static _Atomic uint32_t living = 1; // one for the launch itself
static _Atomic bool all_well = true;

// A console service is there for the others, and does not keep the machine going.
void life_count_start(struct capsule_state *s)
{
    s->counts = !may_keep_terminal(s);
    if (s->counts)
        atomic_fetch_add(&living, 1);
}
void life_count_failure(void)
{
    atomic_store(&all_well, false);
}

static void count_end(void)
{
    if (atomic_fetch_sub(&living, 1) != 1)
        return;
    if (console_is_kept()) { // who is there may start another
        console_announce("all capsules have ended");
        return;
    }
    console_announce("all capsules have ended: switching off");
    console_flush();
    harts_stop_others();
    power_off(atomic_load(&all_well));
}

bool life_all_over(void)
{
    return !atomic_load(&living);
}

bool life_all_well(void)
{
    return atomic_load(&all_well);
}

void capsules_launched(void)
{
    count_end();
}

// --- starting ---------------------------------------------------------------------------------------

// All that needs no lock, and takes long.
static void guest_prepare(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;

    tree_write(s);
    capsule_devices_reset(c);
    space_forget(&c->space);
    vcore_boot_state(c->vcores[0], (unsigned long)s->layout.entry.value, (unsigned long)s->layout.tree.value);
    atomic_store(&c->vcores[0]->hsm, HSM_START_PENDING);
}

static void guest_start(struct capsule_state *s)
{
    s->started_at = hart_time();
    s->starts++;
    s->stage = LIFE_RUNNING;
    atomic_store(&s->capsule.active, 1);
    sched_start(&s->capsule.vcores[0]->entity);
    capsule_worker_start(&s->capsule);
}

// --- ending -----------------------------------------------------------------------------------------

// What ends with it: its descendants are its own.
static void children_destroy(struct capsule_state *s)
{
    struct list *next, *at = s->node.children.next;

    for (; at != &s->node.children; at = next) {
        next = at->next;
        life_destroy(state_of_node(container_of(at, struct node, sibling)));
    }
}

static void forks_fail(struct capsule_state *s)
{
    while (s->forks)
        fork_fail(s, DIOSIX_LACK_NONE);
}

static void back_off_set(struct capsule_state *s)
{
    unsigned shift = s->failures - 1 < BACK_OFF_MAX_SHIFT ? s->failures - 1 : BACK_OFF_MAX_SHIFT;

    s->until = hart_time();
    if (!s->again || !s->failures)
        return;
    s->until += (uint64_t)machine_facts.timebase_hz << shift;
    log_print(ending_level(s), "%s: failed %u time%s in a row; restarting in %u s", s->capsule.name,
              (unsigned)s->failures, s->failures == 1 ? "" : "s", 1u << shift);
}

static void guest_end(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;
    enum ending why = atomic_load(&c->ending);
    uint64_t ran = hart_time() - s->started_at;

    if (terminal_keeper() == c)
        terminal_keeper_set(NULL);
    forks_fail(s);
    equip_silence(c);
    crash_record(s, why);
    for (unsigned i = 0; i < c->vcore_count; i++) // those that were held kept their state
        atomic_store(&c->vcores[i]->hsm, HSM_STOPPED);
    if (ran > (uint64_t)BACK_OFF_FORGIVEN_SECONDS * machine_facts.timebase_hz)
        s->failures = 0;
    s->failures = ending_is_failure(why) ? s->failures + 1 : 0;
    s->again = !s->doomed && !s->asked && ending_restarts(s, why);
    ending_say(s, why);
    back_off_set(s);
    children_destroy(s);
    s->last = why;
    s->holds = 0;
    s->asked = false;
    s->keeps_memory = s->again && !c->space.forked;
    s->progress = (struct progress){0};
    s->stage = LIFE_SCRUBBING;
}

void life_expect(const struct capsule_state *s, bool begins)
{
    if (may_keep_terminal(s))
        console_expect(begins);
}

void life_stopped(struct capsule_state *s)
{
    s->stage = LIFE_STOPPED;
    equip_settle(&s->capsule); // what came while it ended: nobody else would before it starts again
    life_expect(s, false);
    enum status status = sched_set_exclusive(&s->capsule.share, false);
    CHECK(status == STATUS_OK);
    console_change();
}

// All memory is clear, and given back if it is not kept.
static void scrubbed(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;
    struct image_error why = {0};

    s->progress = (struct progress){0};
    atomic_store(&c->ending, ENDING_NONE);
    atomic_store(&c->halt, 0);
    c->ended_by = 0;
    memset(c->ending_detail, 0, sizeof(c->ending_detail));
    if (s->again && !s->keeps_memory && capsule_memory_get(s, &why) != STATUS_OK) {
        s->last = ENDING_MEMORY;
        s->again = false;
        log_print(ending_level(s), "%s: can't restart: %s", c->name, why.text);
        return; // here once more: nothing is left to clear
    }
    if (s->again) {
        s->stage = LIFE_LOADING;
        life_expect(s, true);
        return;
    }
    if (s->keeps_memory)
        space_destroy(&c->space);
    life_stopped(s);
    // Others' failures are their parents' business, and a clone that was not made has not failed itself.
    if (ending_is_failure(s->last) && s->node.parent == &tree_root && s->starts)
        life_count_failure();
    if (s->counts)
        count_end();
}

// --- steps -----------------------------------------------------------------------------------------------

static const struct life_step ready = {.put = PUT_READY, .deadline = TIME_NEVER};
static const struct life_step parked = {.put = PUT_PARKED, .deadline = TIME_NEVER};

static struct life_step waiting(uint64_t until)
{
    return (struct life_step){.put = PUT_WAITING, .deadline = until};
}

static struct life_step step_loading(struct capsule_state *s)
{
    if (atomic_load(&s->capsule.ending) != ENDING_NONE) {
        guest_end(s);
        return ready;
    }
    if (hart_time() < s->until)
        return waiting(s->until);
    lock_release(&tree_lock);
    bool more = load_step(s);
    if (!more)
        guest_prepare(s);
    lock_acquire(&tree_lock);
    if (more || atomic_load(&s->capsule.ending) != ENDING_NONE)
        return ready;
    guest_start(s);
    return parked;
}

// Whoever notifies the life next goes on; capsule_end() does, too.
static struct life_step until_killed(struct capsule_state *s)
{
    if (!s->asked || atomic_load(&s->capsule.ending) != ENDING_NONE)
        return parked;
    if (hart_time() < s->until)
        return waiting(s->until);
    capsule_end(&s->capsule, ENDING_KILLED); // it was asked long enough
    return parked;
}

// All has been told to stop, and the vcores have. Nobody begins to use its memory any more; who has begun is about to
// end.
static bool is_at_work(struct capsule *c)
{
    return atomic_load(&c->worker_is_on) || space_visitors(&c->space);
}

static struct life_step step_running(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;

    if (atomic_load(&c->active))
        return until_killed(s);
    if (!atomic_load(&c->halt))
        capsule_end(c, ENDING_STOPPED);
    if (is_at_work(c))
        return atomic_load(&c->worker_is_on) ? parked : ready;
    // Whoever held it may have let go meanwhile; its vcores have parked for that all the same.
    if (atomic_load(&c->ending) == ENDING_NONE && atomic_load(&c->halt) & HALT_HELD) {
        s->stage = LIFE_PAUSED;
        return ready;
    }
    guest_end(s);
    return ready;
}

static struct life_step step_paused(struct capsule_state *s)
{
    if (atomic_load(&s->capsule.ending) != ENDING_NONE) {
        guest_end(s);
        return ready;
    }
    if (s->forks) {
        fork_step(s);
        return ready;
    }
    s->holds &= ~HOLD_FORK;
    if (s->holds)
        return until_killed(s);
    s->stage = LIFE_RUNNING;
    capsule_let_go(&s->capsule);
    return ready; // all its vcores may have stopped before
}

// A console service has still to show what it printed: it is given some time.
static bool console_stays(const struct capsule_state *s)
{
    return s->on_console && console_is_kept() && console_owes(&s->capsule.stream) &&
           hart_time() < s->until + (uint64_t)machine_facts.timebase_hz * LAST_WORDS_SECONDS;
}

// Without the lock, as it takes long: shows its last words, and takes it off the console.
static void console_leave(struct capsule_state *s)
{
    s->on_console = false;
    lock_release(&tree_lock);
    console_remove(&s->capsule.stream);
    console_events_settle();
    lock_acquire(&tree_lock);
}

// The lock is let go meanwhile: clearing takes long, and nobody else touches what is cleared.
static struct life_step step_scrubbing(struct capsule_state *s)
{
    lock_release(&tree_lock);
    bool more = s->keeps_memory ? clear_step(s) : space_release_step(&s->capsule.space);
    if (!more && !s->again)
        more = equip_release_step(s);
    lock_acquire(&tree_lock);
    if (more)
        return ready;
    if (!s->again && console_stays(s))
        return waiting(hart_time() + machine_facts.timebase_hz / LAST_WORDS_LOOKS);
    if (!s->again && s->on_console)
        console_leave(s);
    scrubbed(s);
    return ready;
}

static struct life_step step_stopped(struct capsule_state *s)
{
    if (!s->doomed || !list_empty(&s->node.children))
        return parked;
    struct diosix_quota need = capsule_need(&s->plan);
    struct node *parent = s->node.parent;
    tree_remove(&s->node, &need);
    if (parent != &tree_root) // which may wait for its last child to go
        capsule_notify(&state_of_node(parent)->capsule);
    s->stage = LIFE_GONE;
    return (struct life_step){.put = PUT_PARKED, .deadline = TIME_NEVER, .gone = true};
}

static struct life_step step(struct capsule_state *s)
{
    switch (s->stage) {
    case LIFE_STOPPED:
        return step_stopped(s);
    case LIFE_LOADING:
        return step_loading(s);
    case LIFE_RUNNING:
        return step_running(s);
    case LIFE_PAUSED:
        return step_paused(s);
    case LIFE_SCRUBBING:
        return step_scrubbing(s);
    case LIFE_FORKING: // the original's life makes it
    case LIFE_GONE:
        break;
    }
    return parked;
}

struct life_step capsule_life_step(struct capsule *c)
{
    struct capsule_state *s = state_of(c);

    lock_acquire(&tree_lock);
    struct life_step result = step(s);
    lock_release(&tree_lock);
    return result;
}

// Under the lock, so that the capsule can't be gone before its life has been called.
void capsule_vcore_parked(struct capsule *c)
{
    lock_acquire(&tree_lock);
    if (atomic_fetch_sub(&c->active, 1) == 1)
        capsule_notify(c);
    lock_release(&tree_lock);
}

// Likewise.
void capsule_worker_parked(struct capsule *c)
{
    lock_acquire(&tree_lock);
    atomic_store(&c->worker_is_on, false);
    capsule_notify(c);
    lock_release(&tree_lock);
}

// --- what is wanted ----------------------------------------------------------------------------------

static bool is_alive(const struct capsule_state *s)
{
    return s->stage == LIFE_LOADING || s->stage == LIFE_RUNNING || s->stage == LIFE_PAUSED;
}

bool life_kill(struct capsule_state *s)
{
    if (s->stage == LIFE_SCRUBBING) {
        s->again = false;
        return true;
    }
    if (!is_alive(s))
        return false;
    s->asked = true; // even if it is ending for another reason already
    s->until = 0;
    capsule_end(&s->capsule, ENDING_KILLED);
    return true;
}

bool life_restart(struct capsule_state *s)
{
    if (!is_alive(s) || !capsule_end(&s->capsule, ENDING_RESTARTED))
        return false; // it ends for another reason, after which it may start again or not
    s->asked = false;
    return true;
}

bool life_ask_stop(struct capsule_state *s, uint64_t until)
{
    if (s->stage != LIFE_RUNNING && s->stage != LIFE_PAUSED)
        return life_kill(s);
    s->asked = true;
    s->until = until;
    s->holds &= ~HOLD_PAUSE;
    capsule_ask_shutdown(&s->capsule);
    capsule_notify(&s->capsule);
    return true;
}

bool life_pause(struct capsule_state *s)
{
    if ((s->stage != LIFE_RUNNING && s->stage != LIFE_PAUSED) || s->holds & HOLD_PAUSE)
        return false; // PAUSED: for clones, or about to go on
    s->holds |= HOLD_PAUSE;
    capsule_hold(&s->capsule);
    return true;
}

bool life_resume(struct capsule_state *s)
{
    if (!(s->holds & HOLD_PAUSE))
        return false;
    s->holds &= ~HOLD_PAUSE;
    capsule_notify(&s->capsule);
    return true;
}

void life_destroy(struct capsule_state *s)
{
    s->doomed = true;
    if (s->stage == LIFE_FORKING && s->fork.original)
        capsule_notify(&s->fork.original->capsule);
    else if (!life_kill(s))
        capsule_notify(&s->capsule);
}

void life_fork(struct capsule_state *original, struct capsule_state *clone, struct vcore *caller)
{
    struct capsule_state **last = &original->forks;

    while (*last)
        last = &(*last)->fork.next;
    *last = clone;
    clone->stage = LIFE_FORKING;
    clone->fork = (struct fork){.original = original, .caller = caller};
    original->holds |= HOLD_FORK;
    capsule_hold(&original->capsule);
}
