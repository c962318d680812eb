// Second-stage page tables (Sv39x4, Sv32x4): pure memory, tested on the host.
//
// The root is four pages, aligned to its size; tables below are one page. Both come from one pool,
// because the pool alone is readable below M-mode. H extension, "Two-Stage Address Translation".
#pragma once

#include "lock.h"
#include "status.h"
#include "types.h"

#define GSTAGE_ROOT_SIZE (4 * FRAME_SIZE)

// A pool of table pages: roots grow from the start, tables from the end.
struct gstage_pool {
    struct lock lock;
    uint64_t roots_next, tables_next; // the gap between is untouched
    uint64_t free_root, free_table;   // lists through the first word; 0 ends
};

// The geometry of one translation mode.
struct gstage_mode {
    unsigned levels, index_bits, entry_bytes;
    unsigned long hgatp_mode; // as it stands in hgatp
};
extern const struct gstage_mode gstage_sv39x4, gstage_sv32x4;

void gstage_pool_init(struct gstage_pool *pool, struct range memory);
// A zeroed root. STATUS_NO_MEMORY when the pool is empty.
enum status gstage_root_create(struct gstage_pool *pool, struct hpa *root) must_check;
// Maps [guest, guest + size) to [host, ...), readable, writable, executable, with the largest pages
// that alignment allows. All are multiples of 4 KiB, and nothing was mapped there. On
// STATUS_NO_MEMORY the root may hold part of the mapping: destroy it.
enum status gstage_map(struct gstage_pool *pool, const struct gstage_mode *mode, struct hpa root, struct gpa guest,
                       struct hpa host, uint64_t size) must_check;
// Gives root and tables back to the pool.
void gstage_root_destroy(struct gstage_pool *pool, const struct gstage_mode *mode, struct hpa root);
// What the hardware would find; for tests and reports.
bool gstage_lookup(const struct gstage_mode *mode, struct hpa root, struct gpa a, struct hpa *out);
