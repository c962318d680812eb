// Second-stage page tables (Sv39x4, Sv32x4): plain memory, tested on the host.
//
// The root is four pages, aligned to its size; tables below are one page. They come from a pool in the
// hypervisor's zone, sized for what the bundle asks, which PMP lets hardware read and nobody below M write.
// When that is empty they come from general memory, as frames of the capsule. Then only the second
// stage itself keeps guests from them: no table maps a frame that another use has, as the frames' owners
// say. H extension, "Two-Stage Address Translation".
#pragma once

#include "lock.h"
#include "status.h"
#include "types.h"

#define GSTAGE_ROOT_SIZE (4 * FRAME_SIZE)

// A pool of table pages: roots grow from the start, tables from the end.
struct gstage_pool {
    struct lock lock;
    struct range memory;
    uint64_t roots_next, tables_next; // the gap between is untouched
    uint64_t free_root, free_table;   // lists through the first word; 0 ends
};

struct gstage_user;

// The geometry of one translation mode.
struct gstage_mode {
    unsigned levels, index_bits, entry_bytes;
    unsigned long hgatp_mode; // as it stands in hgatp
};
extern const struct gstage_mode gstage_sv39x4, gstage_sv32x4;

// What a leaf lets the guest do. All can be read and executed.
enum gstage_rights {
    GSTAGE_OWN,    // written, too
    GSTAGE_SHARED, // not written: its frames are SHARED
    GSTAGE_FRESH,  // not written yet: a copy, until all harts have forgotten what was there before
};

// A leaf as it was found.
struct gstage_leaf {
    void *entry;
    unsigned level;
    struct hpa host; // of its first byte
    uint64_t size;
    enum gstage_rights rights;
};

void gstage_pool_init(struct gstage_pool *pool, struct range memory);
// A zeroed root. STATUS_NO_MEMORY when pool and memory are empty, also below.
enum status gstage_root_create(struct gstage_pool *pool, struct gstage_user *user, struct hpa *root) must_check;
// Maps [guest, guest + size) to [host, ...), as OWN, with the largest pages that alignment allows. All are
// multiples of 4 KiB, and nothing was mapped there. On STATUS_NO_MEMORY the root may hold part of the
// mapping: destroy it.
enum status gstage_map(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                       struct hpa root, struct gpa guest, struct hpa host, uint64_t size) must_check;
// Gives root and tables back to where they came from.
void gstage_root_destroy(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                         struct hpa root);
// What the hardware would find; for tests and reports.
bool gstage_lookup(const struct gstage_mode *mode, struct hpa root, struct gpa a, struct hpa *out);

// --- one leaf at a time; the caller sees to it that nobody else changes the table -----------------------

// The leaf that maps an address, which is within what the mode can translate.
bool gstage_find(const struct gstage_mode *mode, struct hpa root, struct gpa a, struct gstage_leaf *out);
// Makes it lead elsewhere or changes its rights, in one store.
void gstage_change(const struct gstage_mode *mode, struct gstage_leaf *leaf, struct hpa host,
                   enum gstage_rights rights);
// Puts a table of next smaller leaves in its place, which map the same; `leaf` becomes that of `a`. No fence
// is needed: until there is one, harts use either ("Address Translation and Protection", on superpages).
enum status gstage_cut(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                       struct gstage_leaf *leaf, struct gpa a) must_check;
// How many leaves, at most `most`, follow each other from this one on, in its table, in host memory and with
// the same rights; at least 1.
unsigned gstage_run(const struct gstage_mode *mode, const struct gstage_leaf *leaf, unsigned most);
// The entry for a leaf of that level, made with the tables above if it wasn't there.
enum status gstage_slot(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode,
                        struct hpa root, struct gpa a, unsigned level, void **out) must_check;
// Makes `count` leaves SHARED, and as many entries from `to` on the same.
void gstage_share(const struct gstage_mode *mode, const struct gstage_leaf *from, void *to, unsigned count);
// Gives back the table of smallest leaves that `a` is in.
void gstage_prune(struct gstage_pool *pool, struct gstage_user *user, const struct gstage_mode *mode, struct hpa root,
                  struct gpa a);
