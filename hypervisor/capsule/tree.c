#include "tree.h"

struct lock tree_lock;

struct node tree_root = {
    .children = {&tree_root.children, &tree_root.children},
    .all = {&tree_root.all, &tree_root.all},
    .rights = -1u,
    .limit = {.memory = UINT64_MAX, .vcores = UINT32_MAX, .capsules = UINT32_MAX},
};

static uint32_t last_id, count;

// a + b <= limit, without overflow.
static bool fits(uint64_t a, uint64_t b, uint64_t limit)
{
    return a <= limit && b <= limit - a;
}

// Counts `need` at the node if it has so much left.
static bool take(struct node *n, const struct diosix_quota *need)
{
    if (!fits(n->used.memory, need->memory, n->limit.memory) || !fits(n->used.vcores, need->vcores, n->limit.vcores) ||
        !fits(n->used.capsules, need->capsules, n->limit.capsules))
        return false;
    n->used.memory += need->memory;
    n->used.vcores += need->vcores;
    n->used.capsules += need->capsules;
    return true;
}

static void give_back(struct node *n, const struct diosix_quota *had)
{
    n->used.memory -= had->memory;
    n->used.vcores -= had->vcores;
    n->used.capsules -= had->capsules;
}

static struct node *node_of(struct list *all)
{
    return container_of(all, struct node, all);
}

bool tree_add(struct node *n, struct node *parent, const struct diosix_quota *need, const struct diosix_quota *limit)
{
    if (last_id == UINT32_MAX || !take(parent, need))
        return false;
    if (!take(parent, limit)) {
        give_back(parent, need);
        return false;
    }
    n->parent = parent;
    n->id = ++last_id;
    n->limit = *limit;
    n->used = (struct diosix_quota){0};
    list_init(&n->children);
    list_add_tail(&parent->children, &n->sibling);
    list_add_tail(&tree_root.all, &n->all);
    count++;
    return true;
}

uint32_t tree_next_id(void)
{
    return last_id + 1;
}

void tree_remove(struct node *n, const struct diosix_quota *need)
{
    give_back(n->parent, need);
    give_back(n->parent, &n->limit);
    list_remove(&n->sibling);
    list_remove(&n->all);
    count--;
}

bool tree_set_limit(struct node *n, const struct diosix_quota *limit)
{
    struct diosix_quota old = n->limit;

    if (!fits(n->used.memory, 0, limit->memory) || !fits(n->used.vcores, 0, limit->vcores) ||
        !fits(n->used.capsules, 0, limit->capsules))
        return false;
    give_back(n->parent, &old);
    bool fits_parent = take(n->parent, limit);
    if (fits_parent)
        n->limit = *limit;
    else
        (void)!take(n->parent, &old); // as it was
    return fits_parent;
}

bool tree_take_memory(struct node *n, uint64_t bytes)
{
    return take(n->parent, &(struct diosix_quota){.memory = bytes});
}

void tree_give_memory(struct node *n, uint64_t bytes)
{
    give_back(n->parent, &(struct diosix_quota){.memory = bytes});
}

bool tree_is_below(const struct node *n, const struct node *ancestor)
{
    while (n && n->parent != ancestor)
        n = n->parent;
    return n;
}

struct node *tree_next(const struct node *ancestor, uint32_t id)
{
    for (struct list *at = tree_root.all.next; at != &tree_root.all; at = at->next)
        if (node_of(at)->id > id && tree_is_below(node_of(at), ancestor))
            return node_of(at);
    return NULL;
}

struct node *tree_find(const struct node *ancestor, uint32_t id)
{
    struct node *n = id ? tree_next(ancestor, id - 1) : NULL;
    return n && n->id == id ? n : NULL;
}

struct node *tree_after(const struct node *n)
{
    struct list *next = n ? n->all.next : tree_root.all.next;
    return next == &tree_root.all ? NULL : node_of(next);
}

uint32_t tree_count(void)
{
    return count;
}
