// A capsule's life, in steps short enough that guests on the same hart don't feel them.
#include <string.h>

#include "bits.h"
#include "capsule.h"
#include "capsule_state.h"
#include "console.h"
#include "guest_tree.h"
#include "log.h"
#include "devices.h"
#include "power.h"

#define STEP_BYTES (256u << 10)
#define BACK_OFF_MAX_SHIFT 6          // 64 s
#define BACK_OFF_FORGIVEN_SECONDS 60u // after running this long, earlier failures don't count

static _Atomic uint32_t living = 1; // one for the launch itself
static _Atomic bool all_well = true;

void capsule_count_start(void) { atomic_fetch_add(&living, 1); }
void capsule_count_failure(void) { atomic_store(&all_well, false); }

static void count_end(void)
{
    if (atomic_fetch_sub(&living, 1) != 1)
        return;
    console_announce("all capsules have ended: switching off");
    console_flush();
    harts_stop_others();
    power_off(atomic_load(&all_well));
}

void capsules_launched(void) { count_end(); }

// --- loading ---------------------------------------------------------------------------------------

// Where step by step copies lead: guest memory, piece by piece of host memory.
static uint64_t copy_part(struct space *s, uint64_t guest, const uint8_t *from, uint64_t size)
{
    struct hpa host;
    uint64_t run = space_run(s, gpa(guest), &host);

    CHECK(run > 0); // image_place checked that all lies in RAM
    if (size > run)
        size = run;
    if (size > STEP_BYTES)
        size = STEP_BYTES;
    if (from)
        memcpy(hpa_pointer(host), from, size);
    else
        memset(hpa_pointer(host), 0, size);
    return size;
}

// What there is to copy as piece n: the kernel's pieces, the zeros after each, then the ramdisk.
static bool piece_at(const struct capsule_state *s, unsigned n, uint64_t *guest, const uint8_t **from, uint64_t *size)
{
    const uint8_t *kernel = s->from->kernel.data;

    if (n < 2 * s->image.piece_count) {
        const struct image_piece *p = &s->image.pieces[n / 2];
        bool zeros = n & 1;
        *guest = p->load + (zeros ? p->size : 0);
        *from = zeros ? NULL : kernel + p->offset;
        *size = zeros ? p->memory_size - p->size : p->size;
        if (zeros && s->image.kind == IMAGE_LINUX)
            *size = 0; // Linux clears its own bss
        return true;
    }
    *guest = s->layout.initrd.value;
    *from = s->from->ramdisk.data;
    *size = s->from->ramdisk.size;
    return n == 2 * s->image.piece_count;
}

static bool load_step(struct capsule_state *s)
{
    uint64_t guest, size;
    const uint8_t *from;

    if (!piece_at(s, s->progress.piece, &guest, &from, &size))
        return false;
    if (s->progress.done < size)
        s->progress.done += copy_part(&s->capsule.space, guest + s->progress.done, from ? from + s->progress.done : NULL,
                                      size - s->progress.done);
    if (s->progress.done >= size)
        s->progress = (struct progress){.piece = s->progress.piece + 1};
    return true;
}

static void tree_write(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;
    uint8_t seed[GUEST_TREE_SEED_SIZE];
    struct hpa host;
    struct guest_tree tree = {
        .name = c->name,
        .ram_base = space_base(&c->space),
        .ram_size = c->space.size,
        .vcores = c->vcore_count,
        .isa = &machine_facts.guest_isa,
        .mmu_type = machine_facts.mmu_type,
        .timebase_hz = machine_facts.timebase_hz,
        .cbom_size = machine_facts.cbom_size,
        .cbop_size = machine_facts.cbop_size,
        .cboz_size = machine_facts.cboz_size,
        .initrd_start = s->layout.initrd,
        .initrd_end = gpa(s->layout.initrd.value + s->from->ramdisk.size),
        .bootargs = s->from->bootargs,
        .rng_seed = seed,
        .uart = gpa(UART_BASE),
        .plic = gpa(PLIC_BASE),
        .finisher = gpa(FINISHER_BASE),
        .plic_sources = VPLIC_SOURCES,
    };

    entropy_draw(seed, sizeof(seed));
    bool ok = space_translate(&c->space, s->layout.tree, GUEST_TREE_SIZE(c->vcore_count), &host);
    CHECK(ok);
    enum status status =
        guest_tree_build(&tree, hpa_pointer(host), GUEST_TREE_SIZE(c->vcore_count), &s->tree_size);
    CHECK(status == STATUS_OK);
}

static void start_guest(struct capsule_state *s)
{
    struct capsule *c = &s->capsule;
    struct vcore *first = c->vcores[0];

    tree_write(s);
    capsule_devices_reset(c);
    space_forget(&c->space);
    atomic_store(&c->ending, ENDING_NONE);
    for (unsigned i = 0; i < c->vcore_count; i++)
        atomic_store(&c->vcores[i]->hsm, HSM_STOPPED);
    vcore_boot_state(first, (unsigned long)s->layout.entry.value, (unsigned long)s->layout.tree.value);
    atomic_store(&first->hsm, HSM_START_PENDING);
    s->loaded_at = hart_time();
    s->stage = LIFE_RUNNING;
    atomic_store(&c->active, 1);
}

// --- ending ------------------------------------------------------------------------------------------

static bool is_failure(enum ending why) { return why != ENDING_SHUTDOWN && why != ENDING_REBOOT; }

static bool restarts(const struct capsule_state *s, enum ending why)
{
    if (why == ENDING_REBOOT || s->from->restart == BUNDLE_RESTART_ALWAYS)
        return true;
    return is_failure(why) && s->from->restart == BUNDLE_RESTART_ON_CRASH;
}

static void say_why(const struct capsule_state *s, enum ending why, bool again)
{
    const struct capsule *c = &s->capsule;
    const char *then = again ? "restarting" : "it has ended";

    switch (why) {
    case ENDING_SHUTDOWN:
        console_announce("%s: shut down; %s", c->name, then);
        break;
    case ENDING_REBOOT:
        console_announce("%s: rebooted; restarting", c->name);
        break;
    case ENDING_FAILURE:
        console_announce("%s: shut down, reporting failure %lu; %s", c->name, c->ending_detail[0], then);
        break;
    case ENDING_STOPPED:
        console_announce("%s: all its vcores have stopped; %s", c->name, then);
        break;
    case ENDING_FAULT:
        console_announce("%s: fault the guest can't be given: cause %lu, value 0x%lx, pc 0x%lx; %s", c->name,
                         c->ending_detail[0], c->ending_detail[1], c->ending_detail[2], then);
        break;
    case ENDING_MEMORY:
        console_announce("%s: no memory left for a page of its own; %s", c->name, then);
        break;
    case ENDING_NONE:
        break;
    }
}

static bool scrub_step(struct capsule_state *s)
{
    const struct space *space = &s->capsule.space;

    if (s->progress.piece == space->extent_count)
        return false;
    const struct extent *e = &space->extents[s->progress.piece];
    s->progress.done += copy_part(&s->capsule.space, e->guest.value + s->progress.done, NULL, e->size - s->progress.done);
    if (s->progress.done >= e->size)
        s->progress = (struct progress){.piece = s->progress.piece + 1};
    return true;
}

static void end_guest(struct capsule_state *s)
{
    enum ending why = atomic_load(&s->capsule.ending);
    uint64_t ran = hart_time() - s->loaded_at;
    bool again = restarts(s, why);

    if (ran > (uint64_t)BACK_OFF_FORGIVEN_SECONDS * machine_facts.timebase_hz)
        s->failures = 0;
    s->failures = is_failure(why) ? s->failures + 1 : 0;
    s->ended_well = !is_failure(why);
    say_why(s, why, again);
    s->progress = (struct progress){0};
    s->stage = LIFE_SCRUBBING;
}

static enum put after_scrub(struct capsule_state *s, uint64_t *deadline)
{
    s->progress = (struct progress){0};
    if (!restarts(s, atomic_load(&s->capsule.ending))) {
        if (!s->ended_well)
            capsule_count_failure();
        s->stage = LIFE_GONE;
        return PUT_PARKED;
    }
    s->stage = LIFE_LOADING;
    if (s->failures == 0)
        return PUT_READY;
    unsigned shift = s->failures - 1 < BACK_OFF_MAX_SHIFT ? s->failures - 1 : BACK_OFF_MAX_SHIFT;
    *deadline = hart_time() + ((uint64_t)machine_facts.timebase_hz << shift);
    console_announce("%s: failed %u time%s in a row; restarting in %u s", s->capsule.name, s->failures,
                     s->failures == 1 ? "" : "s", 1u << shift);
    return PUT_WAITING;
}

// --- steps -----------------------------------------------------------------------------------------------

void capsule_vcore_parked(struct capsule *c)
{
    if (atomic_fetch_sub(&c->active, 1) != 1)
        return;
    capsule_end(c, ENDING_STOPPED); // unless it is ending for another reason
    sched_start(&c->life);
}

enum put capsule_life_step(struct capsule *c, uint64_t *deadline)
{
    struct capsule_state *s = state_of(c);

    *deadline = TIME_NEVER;
    switch (s->stage) {
    case LIFE_LOADING:
        if (!load_step(s)) {
            start_guest(s);
            return PUT_PARKED;
        }
        return PUT_READY;
    case LIFE_RUNNING: // its last vcore has parked
        end_guest(s);
        return PUT_READY;
    case LIFE_SCRUBBING:
        return scrub_step(s) ? PUT_READY : after_scrub(s, deadline);
    case LIFE_GONE:
        break;
    }
    return PUT_PARKED;
}

// The first vcore starts no earlier: the last one that parks must find this entity parked, and is the only
// one to start it.
void capsule_life_parked(struct capsule *c)
{
    if (state_of(c)->stage == LIFE_RUNNING) {
        sched_start(&c->vcores[0]->entity);
        return;
    }
    capsule_release(state_of(c));
    count_end();
}
