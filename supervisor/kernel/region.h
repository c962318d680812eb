// Regions: pieces of memory at one address for everybody, mapped for whoever holds a capability to them.
//
// A region lies in a frame of its own, with a table of its pages: their frame numbers, or for larger ones the numbers
// of frames that hold those. A page that was never touched is 0 there: its frame is promised by the budget, and taken
// when somebody touches it first. What a task has mapped is a part of what it may access, and never more; each page is
// mapped when the task touches it. So sending a region is to take it out of the sender's page table, whatever its size.
//
// A program's image is one region of several parts with their own accesses. Nothing is writable and executable.
#pragma once

#include "capability.h"

#define ACCESS_ALL (SV_RIGHT_READ | SV_RIGHT_WRITE | SV_RIGHT_EXECUTE)
#define REGION_PARTS 16

struct region_part {
    uint32_t end;    // page behind it
    uint32_t access; // 0: nothing is there
};

struct region {
    struct object object;
    struct funds *payer;
    struct region *chain;    // in its bucket
    struct capability *root; // that all others come from
    uintptr_t address, base; // where it begins, and the range it was given
    uint32_t size;           // in pages
    uint32_t promised;       // frames, for pages and tables that are not there yet
    uint32_t pages;          // that are there
    uint32_t holders;        // capabilities
    uint8_t order;           // of its range
    uint8_t part_count;
    struct region_part part[REGION_PARTS];
    uint32_t slot[]; // frame numbers of pages, or of tables of these
};

#define REGION_SLOTS ((FRAME_SIZE - sizeof(struct region)) / sizeof(uint32_t))
#define REGION_TABLE (FRAME_SIZE / sizeof(uint32_t)) // pages that a further table has
#define REGION_PAGES_MAX (sizeof(sv_word) == 8 ? SV_REGION_MAX / FRAME_SIZE : SV_REGION_MAX / FRAME_SIZE / 4)

must_check enum status regions_init(uint64_t frames);

struct region_plan {
    uint32_t size;  // in pages, 1 to REGION_PAGES_MAX
    uint32_t pages; // that are to be paid; the others are in parts without access
    bool guarded;
    unsigned part_count; // 0: one with all accesses
    struct region_part part[REGION_PARTS];
};

// With one reference, the caller's. SV_NO_MEMORY
must_check enum sv_status region_create(struct funds *pays, const struct region_plan *plan, struct region **out);
bool region_destroy(struct object *o);

// The region that has this address; NULL: none.
struct region *region_at(uintptr_t address);

// The kernel's view of a page that is there (as it is after region_populate()), NULL if it isn't. Needs no lock while
// nobody else knows of the region.
void *region_page(const struct region *r, uint32_t page);

// Makes sure that a page is there. SV_NO_MEMORY: what was promised can't be had: never, but for frames in one piece.
must_check bool region_populate(struct region *r, uint32_t page);

// For what a task may access a page of it now.
unsigned region_access(const struct task *t, const struct region *r);
unsigned region_part_access(const struct region *r, uint32_t page);

// Maps the page at this address for the task, if it may access it so.
enum touch { TOUCH_MAPPED, TOUCH_DENIED, TOUCH_NO_MEMORY };
enum touch region_touch(struct task *t, uintptr_t address, unsigned access);

// A capability has come to its holder, or goes.
void region_gained(struct capability *c);
void region_lost(struct capability *c);

// (frames, size, access, flags), (region, access)
enum sv_status call_allocate(struct task *t, struct capability *c);
enum sv_status call_access(struct task *t, struct capability *c);
