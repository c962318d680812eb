// The tree of capsules: who made whom, and what each may hand out.
//
// Each capsule has a parent: the one that created it, or the machine's root. A parent has a quota of memory,
// vcores and capsules for its descendants. What a child sees of RAM and vcores counts against it, and so does
// the quota that the child is given in turn, when it is given: so nobody has to look higher up.
//
// One lock guards the tree, the quotas and the stages of all lives: tree_lock. It is taken by management calls
// and by lives, never on an exit's usual way. Under it: queue, slab, frames, device, console and stream locks.
#pragma once

#include "diosix.h"
#include "list.h"
#include "lock.h"
#include "types.h"

struct node {
    struct node *parent; // NULL: the root
    struct list children, sibling;
    struct list all;                 // every capsule's node, by id
    uint32_t id;                     // from 1, never given again
    uint32_t rights;                 // DIOSIX_RIGHT_...
    struct diosix_quota limit, used; // of its descendants
};

extern struct lock tree_lock;
extern struct node tree_root; // unlimited, all rights

// All that follow are called with the lock held.

// Puts a new node, whose `rights` are set, below its parent, with a quota of its own, and counts `need`, what
// the capsule itself takes, and that quota against the parent's. False if that does not suffice.
must_check bool tree_add(struct node *n, struct node *parent, const struct diosix_quota *need,
                         const struct diosix_quota *limit);
// The id that the next one gets.
uint32_t tree_next_id(void);
// Takes it out and gives back what was counted. It has no children.
void tree_remove(struct node *n, const struct diosix_quota *need);
// Changes a node's quota, at its parent's cost or gain. False if the parent lacks it or the node has given out
// more already.
must_check bool tree_set_limit(struct node *n, const struct diosix_quota *limit);

// Its capsule takes so much more memory, at its parent's cost. False if the parent lacks it.
must_check bool tree_take_memory(struct node *n, uint64_t bytes);
void tree_give_memory(struct node *n, uint64_t bytes);

// Is `n` below `ancestor`? Nobody is below itself.
bool tree_is_below(const struct node *n, const struct node *ancestor);
// The node with that id, NULL if it is not below `ancestor`.
struct node *tree_find(const struct node *ancestor, uint32_t id);
// The one with the next higher id below it, NULL if there is none.
struct node *tree_next(const struct node *ancestor, uint32_t id);
// For a look at all there are, by id: the first for NULL, then the one after `n`, NULL at the end.
struct node *tree_after(const struct node *n);
// How many there are in all.
uint32_t tree_count(void);
