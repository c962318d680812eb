// All that a command needs from one step to the next.
#pragma once

#include "ask.h"
#include "command.h"
#include "out.h"

#define SAMPLES 32u

// What was counted when a capsule was last shown.
struct sample {
    uint32_t id;
    uint32_t exits[DIOSIX_EXIT_KINDS]; // modulo 2^32
    uint64_t at, hart_time;            // nanoseconds
};

struct session {
    char line[EDIT_SIZE];
    char *words[WORDS_MAX]; // in it
    struct run run;
    bool resolving; // the capsule that the command is about, from this id on:
    uint32_t resolve_at;

    uint64_t answer_value;

    // A step's output.
    char out[OUT_SIZE];
    size_t out_length, out_sent;

    // listing.c: where it is in the tree. Parents come before their children and children by age. Ids grow, so a
    // capsule's children have higher ones. Nothing is kept but this: the capsules may change under us.
    struct {
        uint32_t at;     // the one last found
        uint32_t parent; // whose child is looked for next, among those
        uint32_t after;  // with higher ids than this
        unsigned depth;
    } walk;
    struct sample samples[SAMPLES];
    unsigned oldest;
    uint64_t now; // nanoseconds since the machine's start

    // show.c: what of a log's escape sequences is to be left out.
    struct {
        bool midline;
        enum { TEXT, ESCAPE, SEQUENCE, LEAD } state;
    } filter;

    union answer answer; // last, as its end is open
};

extern struct session session;
