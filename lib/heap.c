#include "heap.h"

// Makes b, which came later, the first child of a.
static inline void adopt(struct heap_node *a, struct heap_node *b)
{
    struct heap_node *child = a->child;
    b->next = child;
    b->prev = a;
    if (child)
        child->prev = b;
    a->child = b;
}

// Makes one tree of two and returns its root, whose siblings and parent the caller sets. On a tie a wins.
static inline struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (b->key < a->key) {
        adopt(b, a);
        return b;
    }
    adopt(a, b);
    return a;
}

// Makes one tree of a list of siblings, in two passes: neighbours are paired from left to right, then the
// pairs are melded from right to left. This is what makes removal logarithmic. The list is newest
// first, so the right one of two wins a tie.
static inline __attribute__((always_inline)) struct heap_node *meld_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL; // a stack, linked by prev
    while (first) {
        struct heap_node *a = first, *b = a->next;
        first = NULL;
        if (b) {
            first = b->next;
            a = meld(b, a);
        }
        a->prev = pairs;
        pairs = a;
    }
    struct heap_node *root = pairs;
    if (!root)
        return NULL;
    for (struct heap_node *pair = root->prev, *left; pair; pair = left) {
        left = pair->prev;
        root = meld(root, pair);
    }
    root->next = root->prev = NULL;
    return root;
}

// The root has neither siblings nor a parent, which saves writing them here.
void heap_insert(struct heap *h, struct heap_node *node)
{
    struct heap_node *root = h->root;
    node->child = NULL;
    if (root && root->key <= node->key) {
        adopt(root, node);
        return;
    }
    node->next = node->prev = NULL;
    if (root)
        adopt(node, root);
    h->root = node;
}

// Apart from heap_pop(), so that the short way there needs no stack frame.
static __attribute__((noinline)) struct heap_node *pop_from_siblings(struct heap *h, struct heap_node *root)
{
    h->root = meld_siblings(root->child);
    return root;
}

struct heap_node *heap_pop(struct heap *h)
{
    struct heap_node *root = h->root;
    if (!root)
        return NULL;
    struct heap_node *child = root->child;
    if (child) {
        if (child->next)
            return pop_from_siblings(h, root);
        child->prev = NULL;
    }
    h->root = child;
    return root;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    if (node == h->root) {
        heap_pop(h);
        return;
    }
    if (node->prev->child == node)
        node->prev->child = node->next;
    else
        node->prev->next = node->next;
    if (node->next)
        node->next->prev = node->prev;

    struct heap_node *rest = meld_siblings(node->child);
    if (!rest)
        return;
    struct heap_node *root = meld(h->root, rest);
    root->next = root->prev = NULL;
    h->root = root;
}
