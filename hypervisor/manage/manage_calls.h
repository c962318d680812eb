// The insides of the management calls: one function each, in calls.c (what changes something) and queries.c
// (what tells something). Nobody outside this folder includes it.
#pragma once

#include "capsule_state.h"
#include "manage.h"
#include "sbi.h"

struct request {
    const struct node *caller; // whose subtree it reaches; &tree_root: the machine's root
    struct vcore *vcore;       // that makes the call; NULL: the root
    struct capsule_state *target;
    struct manage_call *call;
};

enum direction { BUFFER_NONE, BUFFER_IN, BUFFER_OUT };
// Whom n[0] may name: nobody; oneself too; others only; also the hypervisor (as no target), if it is the root.
enum reach { REACH_NONE, REACH_SELF, REACH_OTHERS, REACH_STREAM };

// How a call is decoded and checked before its function is called, with tree_lock held.
struct manage_kind {
    long (*function)(struct request *r);
    uint8_t arguments; // in n, before the buffer
    bool wide;         // the last of them comes in two registers
    enum direction direction;
    enum reach reach;
    bool is_keepers;    // the caller keeps the terminal
    bool spares_caller; // who keeps the terminal reaches all, but does not end itself for good by a slip of the hand
    uint32_t rights;    // the caller needs
    uint16_t size;      // least size of the buffer, BUFFER_IN only
};

// NULL: no such function.
const struct manage_kind *manage_kind(unsigned long function);
// All checks that need no decoding, then the call. Takes tree_lock.
long manage_do(const struct manage_kind *kind, struct request *r);

bool is_root(const struct request *r);

// Whose output: a capsule's, or the hypervisor's.
struct stream *stream_of(const struct request *r);

// calls.c: there is not enough of that. The answer to the call.
long lack(struct request *r, enum diosix_lack what);

// terminal.c
bool has_terminal(const struct request *r);
long call_keep(struct request *r);
long call_typed(struct request *r);
long call_show(struct request *r);
long call_news(struct request *r);
long call_shown(struct request *r);
long call_watch(struct request *r);

// queries.c
long call_status(struct request *r);
long call_next(struct request *r);
long call_image(struct request *r);
long call_output(struct request *r);
long call_trace(struct request *r);
long call_machine(struct request *r);
long call_memory(struct request *r);
long call_hart(struct request *r);
// What the caller has room for of a structure.
long answer_struct(struct request *r, const void *from, size_t size);
extern const struct bundle *manage_bundle;

// devices.c
long call_device(struct request *r);
long call_device_set(struct request *r);
long call_attach(struct request *r);
long call_equip(struct request *r);
// Is there a port for each network device among these, which the caller's child is to have?
bool has_ports(const struct request *r, const struct bundle_device *devices, unsigned count);

#define DIOSIX_RELEASE "0.1"
