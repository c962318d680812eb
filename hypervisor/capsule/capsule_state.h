// A capsule with all that its life needs. Above this folder, only manage/ includes it.
#pragma once

#include "capsule.h"
#include "image.h"
#include "tree.h"

//                     start                      all loaded
//        STOPPED --------------------> LOADING ------------> RUNNING <-----------> PAUSED
//         |   ^  ^                       |  ^                   |   held, let go     |
//         |   |  | failed, or SCRUBBING  |  | restarts          |                    |
//         |   | FORKING --> RUNNING      |  |                   |  ends              |
//         |   |                          v  |                   v                    |
//         |   +---------------------- SCRUBBING <--------------------<---------------+
//         v
//        GONE (destroyed)
//
// STOPPED has no memory of the guest's. The stage changes under tree_lock, and but for the first and that of
// a clone in the making only by the capsule's own life.
enum life_stage { LIFE_STOPPED, LIFE_LOADING, LIFE_RUNNING, LIFE_PAUSED, LIFE_SCRUBBING, LIFE_FORKING, LIFE_GONE };

// Who holds a capsule (capsule_state.holds).
#define HOLD_PAUSE 1u // somebody asked for it
#define HOLD_FORK 2u  // clones of it are to be made

// Where a copy or a scrub has got to; each step does a bounded part of it.
struct progress {
    unsigned piece; // of the image, then the ramdisk; or extent
    uint64_t done;  // bytes of it
};

// A clone that is to be made of a capsule; lies in the clone.
struct fork {
    struct capsule_state *next;     // in the original's queue
    struct capsule_state *original; // NULL: not, or no longer, in the making
    struct vcore *caller;           // of the original, if it forks itself; else NULL
    uint64_t progress;
    unsigned slot;  // of its devices, that is copied
    uint32_t block; // of that one's disk
    bool begun;
};

// What the vcore did that ended the capsule the last time.
struct crash {
    unsigned vcore; // plus 1; 0: nothing is kept but `detail`
    unsigned long detail[3];
    unsigned long pc, x[32];
    unsigned backtrace_count;
    unsigned long backtrace[8];
};

struct capsule_state {
    struct capsule capsule;
    struct node node;
    struct bundle_capsule plan; // what it is made of
    char *own_bootargs;         // plan.bootargs, if it is not the bundle's

    // Under tree_lock:
    enum life_stage stage;
    unsigned holds;
    bool again;  // SCRUBBING: starts again after it
    bool asked;  // the guest has been asked to shut down
    bool doomed; // is to go when it has stopped
    bool on_console;
    bool counts;                 // for the machine's end
    uint32_t last;               // enum ending: why it ended the last time
    uint64_t until;              // host time: asked: when it is killed; LOADING: when that begins
    struct capsule_state *forks; // clones that wait to be made of it, the first

    // Its life's:
    struct fork fork;
    struct progress progress;
    struct image image;
    struct image_layout layout;
    uint64_t started_at; // when it last started
    uint32_t starts;
    uint32_t failures; // in a row
    bool keeps_memory; // SCRUBBING: for the restart
    struct crash crash;
};

static inline struct capsule_state *state_of(struct capsule *c)
{
    return container_of(c, struct capsule_state, capsule);
}
static inline struct capsule_state *state_of_node(struct node *n)
{
    return container_of(n, struct capsule_state, node);
}

// --- capsule.c, with tree_lock held -----------------------------------------------------------------

// What a console service has.
#define RIGHTS_SERVICE (DIOSIX_RIGHT_MANAGE | DIOSIX_RIGHT_CONSOLE)
static inline bool may_keep_terminal(const struct capsule_state *s)
{
    return (s->node.rights & RIGHTS_SERVICE) == RIGHTS_SERVICE;
}

#define CAPSULES_MAX 1024u
#define VCORES_MAX 4096u

// Makes a capsule of the plan, STOPPED, below `parent`. `own_bootargs`: copies the plan's. Answers an error
// of enum diosix_lack; DIOSIX_LACK_NONE: *out is it.
enum diosix_lack capsule_create(const struct bundle_capsule *plan, struct node *parent, bool own_bootargs,
                                struct capsule_state **out);
// Gets memory for a STOPPED capsule and lets it load and run. On failure *why says what is wrong, and nothing
// has changed. STATUS_NO_MEMORY, STATUS_UNSUPPORTED, STATUS_INVALID (its images).
enum status capsule_start(struct capsule_state *s, struct image_error *why) must_check;
// The memory alone. The images' layout in it is found anew.
enum status capsule_memory_get(struct capsule_state *s, struct image_error *why) must_check;
// Which back end the plan's choice comes to on this machine.
enum isolation_kind capsule_isolation(const struct bundle_capsule *plan);
// Lets the scheduler know of the plan's weight, cap, affinity and exclusive. STATUS_INVALID: out of range, or no
// such hart; STATUS_BUSY: no hart would be left for the others, or it is another's own.
enum status capsule_share_set(struct capsule_state *s) must_check;
// What it takes of its parent's quota.
struct diosix_quota capsule_need(const struct bundle_capsule *plan);
void capsule_devices_reset(struct capsule *c);

// --- life.c ---------------------------------------------------------------------------------------

// With tree_lock held: what a person or an ancestor asks. Each is possible in some stages only: false.
bool life_kill(struct capsule_state *s);
bool life_restart(struct capsule_state *s);
bool life_ask_stop(struct capsule_state *s, uint64_t until);
bool life_pause(struct capsule_state *s);
bool life_resume(struct capsule_state *s);
// In any stage: it ends, with all its descendants, and goes.
void life_destroy(struct capsule_state *s);
// Lets a clone be made of a RUNNING or PAUSED capsule; the clone is FORKING, below its parent already.
void life_fork(struct capsule_state *original, struct capsule_state *clone, struct vcore *caller);

// What had memory has none any more: it is STOPPED, and harts of its own are everybody's.
void life_stopped(struct capsule_state *s);
// It begins to run, or has ended, and may be a console service.
void life_expect(const struct capsule_state *s, bool begins);

// The machine ends when as many have ended as have started, with failure if one was counted.
void life_count_start(struct capsule_state *s);
void life_count_failure(void);
bool life_all_over(void); // with tree_lock held
bool life_all_well(void); // no failure was counted

// --- fork.c, loading.c -------------------------------------------------------------------------------

// One bounded step of making the first clone that waits; takes it off the queue when it is done.
void fork_step(struct capsule_state *original);
// Gives up the first clone that waits; it is STOPPED then.
void fork_fail(struct capsule_state *original, enum diosix_lack lack);
// One bounded step of loading; false when all is loaded.
bool load_step(struct capsule_state *s);
void tree_write(struct capsule_state *s);
// One bounded step of clearing RAM that is kept; false when all is clear.
bool clear_step(struct capsule_state *s);
