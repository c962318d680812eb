// The machine's disks, whatever drives them (virtio_disk.c so far).
//
// Who uses one, or a partition, opens it and has a place for one request at a time, with a buffer of its own. So
// there is always room for what is asked, and a device never touches memory that is not the hypervisor's. What was
// asked when its user went away is finished, and forgotten.
//
// A disk's lock guards its users and its driver's state. Under it: queue locks (the users' calls).
#pragma once

#include <stdatomic.h>

#include "lock.h"
#include "status.h"
#include "types.h"

#define BLOCK_SECTOR 512u
#define BLOCK_BUFFER_ORDER 3u // of frames
#define BLOCK_BUFFER_SIZE ((uint32_t)FRAME_SIZE << BLOCK_BUFFER_ORDER)
#define BLOCK_USERS_MAX 16u // of one disk
#define BLOCK_DISKS_MAX 8u
#define BLOCK_SERIAL_SIZE 21u // with its terminating zero

// Names of disks and parts of them, as people write them: a serial number or a partition's name, or, which of several
// disks no more is asked for, with one of these before it.
#define BLOCK_BY_NAME "name="   // a partition's name in a GPT, 36 characters
#define BLOCK_BY_LABEL "label=" // the label of the file system on it, 16 characters
#define BLOCK_NAME_SIZE 42u     // of the longest, with its terminating zero
#define BLOCK_LABEL_SIZE 23u

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_IDENTIFY };

struct block_disk;

// A disk as a whole, or a partition, as it was found at boot.
struct block_volume {
    uint64_t start, sectors;
    unsigned number;                                     // in the table, from 1; 0: the whole
    char name[BLOCK_NAME_SIZE], label[BLOCK_LABEL_SIZE]; // each with its prefix; empty: it has none
};

// A user of a disk: its part of it, and its request.
struct block_user {
    struct block_disk *disk;
    unsigned index;   // among the disk's
    const char *name; // as it can be opened by again, for as long as the machine runs
    bool is_open;
    bool is_readonly;
    uint64_t start, sectors; // its part
    uint8_t *buffer;         // BLOCK_BUFFER_SIZE bytes; the user's while no request is under way

    _Atomic bool is_busy; // a request is under way
    bool failed;          // the last one, valid when it is not busy
    // Called on any hart when a request is over, with the disk's lock held. NULL: nobody waits.
    void (*done)(void *owner);
    // Its part has become larger or smaller. As done().
    void (*resized)(void *owner);
    void *owner;
};

struct block_driver {
    // Begins a request, with the disk's lock held: sectors of the disk, `bytes` in the user's buffer.
    void (*submit)(struct block_disk *d, struct block_user *u, enum block_operation what, uint64_t sector,
                   uint32_t bytes);
    // Looks for requests that are over, and tells block_over() of each; with the lock held.
    void (*poll)(struct block_disk *d);
};

struct block_disk {
    const struct block_driver *driver;
    struct lock lock;
    uint32_t irq;
    uint64_t sectors;
    bool is_readonly, has_flush;
    char serial[BLOCK_SERIAL_SIZE];
    struct block_volume whole, *parts;
    unsigned part_count;
    struct block_user users[BLOCK_USERS_MAX];
};

extern struct block_disk *block_disks[BLOCK_DISKS_MAX];
extern unsigned block_count;

// A driver's disk, ready to serve, with a buffer for its first user, before guests run: it is read for what is on it.
void block_add(struct block_disk *d);
// A request is over. By the driver.
void block_over(struct block_user *u, bool failed);
// The disk has another size, with its lock held. By the driver.
void block_resize(struct block_disk *d, uint64_t sectors);
// The interrupt of some device: true if it was a disk's.
bool block_interrupt(uint32_t irq);

struct block_place {
    struct block_disk *disk;
    const struct block_volume *volume;
};

// The disk or part that is named so; a disk's serial number comes before a partition's name. STATUS_NOT_FOUND: there is
// none; STATUS_INVALID: there are two, in both places.
must_check enum status block_find(const char *name, struct block_place found[2]);
// STATUS_NOT_FOUND: it does not lie on the disk any more; STATUS_BUSY: others use it, or this would write to what
// others use, or too many do; STATUS_DENIED: it can't be written; STATUS_NO_MEMORY: for the buffer.
must_check enum status block_open(const struct block_place *place, bool is_readonly, struct block_user **out);
// May be called while a request is under way.
void block_close(struct block_user *u);

// Begins a request; the user is not busy. `sector` counts from the start of its part, in which all of it lies;
// `bytes` is a multiple of BLOCK_SECTOR, at most BLOCK_BUFFER_SIZE. Any hart.
void block_submit(struct block_user *u, enum block_operation what, uint64_t sector, uint32_t bytes);
static inline bool block_is_busy(struct block_user *u)
{
    return atomic_load_explicit(&u->is_busy, memory_order_acquire);
}
