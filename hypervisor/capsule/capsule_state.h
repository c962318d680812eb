// A capsule with all that its life needs. Nobody outside this folder includes it.
#pragma once

#include "capsule.h"
#include "image.h"

//      LOADING --> RUNNING --> SCRUBBING --> LOADING (restart; after a while if it failed)
//                                       \--> GONE
enum life_stage { LIFE_LOADING, LIFE_RUNNING, LIFE_SCRUBBING, LIFE_GONE };

// Where a copy or a scrub has got to; each step does a bounded part of it.
struct progress {
    unsigned piece; // of the image, then the ramdisk; or extent
    uint64_t done;  // bytes of it
};

struct capsule_state {
    struct capsule capsule;
    const struct bundle_capsule *from;
    enum life_stage stage;
    struct progress progress;
    struct image image;
    struct image_layout layout;
    size_t tree_size;
    uint64_t loaded_at;     // when it last started
    unsigned failures;      // in a row
    bool ended_well;
};

static inline struct capsule_state *state_of(struct capsule *c) { return container_of(c, struct capsule_state, capsule); }

// capsule.c
void capsule_devices_reset(struct capsule *c);
// Gives back all that the capsule had. Its memory is scrubbed.
void capsule_release(struct capsule_state *s);

// life.c: the machine ends when as many have ended as have started.
void capsule_count_start(void);
void capsule_count_failure(void);
