// An intrusive pairing heap, smallest key first: for deadlines and run queues.
//
// Insertion and the look at the first are O(1), taking one out is O(log n) amortized. Nothing is
// allocated and nothing recurses. The node that is in the heap longer stays in front of a newly
// inserted one of the same key; beyond that the order of equal keys is open. The caller has the lock.
#pragma once

#include "types.h"

struct heap_node {
    struct heap_node *child; // the first of its children
    struct heap_node *next;  // the next of its siblings
    struct heap_node *prev;  // the previous sibling, or the parent for the first; NULL for the root
    uint64_t key;            // set by the owner, fixed while the node is in a heap
};

// All zero is an empty heap.
struct heap {
    struct heap_node *root;
};

static inline bool heap_empty(const struct heap *h)
{
    return !h->root;
}

// The node with the smallest key, NULL if the heap is empty.
static inline struct heap_node *heap_first(const struct heap *h)
{
    return h->root;
}

// Puts in a node that is in no heap. Its key is set; its links need no preparation.
void heap_insert(struct heap *h, struct heap_node *node);

// Takes out a node, wherever it is in this heap.
void heap_remove(struct heap *h, struct heap_node *node);

// Takes out the first node and returns it; NULL if the heap is empty.
struct heap_node *heap_pop(struct heap *h);
