// The hypervisor's own options, from /chosen/bootargs.
#pragma once

#include "bundle.h"
#include "log.h"
#include "types.h"

#define OPTIONS_BAD_MAX 4

enum options_console { OPTIONS_INTERLEAVED, OPTIONS_ATTACHED };

// A word that was not understood, and why. The word is not terminated.
struct options_bad {
    const char *word;
    size_t length;
    const char *text;
};

struct options {
    enum bundle_isolation isolation; // isolation=auto|gstage|pmp: for capsules that say auto
    enum options_console console;    // console=interleaved|attach:NAME
    char attach[CAPSULE_NAME_SIZE];  // NAME
    enum log_level log;              // log=error|info|debug
    bool verify;                     // check the images' hashes
    bool scrub;                      // zero all RAM at boot
    struct options_bad bad[OPTIONS_BAD_MAX];
    size_t bad_count;
};

// Never fails: what is not understood is listed and the default stays.
void options_parse(const char *bootargs, struct options *options);
