// sources: lib/heap.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "heap.h"
#include "types.h"

#define NODES 200

// Walks a tree without recursion limits of interest: the links agree, and no child is before its parent.
static size_t tree_check(const struct heap_node *node, const struct heap_node *prev, uint64_t least)
{
    size_t count = 0;
    for (; node; prev = node, node = node->next) {
        assert_ptr_equal(node->prev, prev);
        assert_true(node->key >= least);
        count += 1 + tree_check(node->child, node, node->key);
    }
    return count;
}

static size_t heap_check(const struct heap *h)
{
    if (!h->root)
        return 0;
    assert_null(h->root->next);
    return tree_check(h->root, NULL, 0);
}

static void test_empty(void **state)
{
    (void)state;
    struct heap h = {0};
    assert_true(heap_empty(&h));
    assert_null(heap_first(&h));
    assert_null(heap_pop(&h));
}

static void test_one(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node node = {.key = 7, .child = (void *)1, .next = (void *)1, .prev = (void *)1};
    heap_insert(&h, &node);
    assert_false(heap_empty(&h));
    assert_ptr_equal(heap_first(&h), &node);
    assert_ptr_equal(heap_pop(&h), &node);
    assert_true(heap_empty(&h));
    heap_insert(&h, &node);
    heap_remove(&h, &node);
    assert_true(heap_empty(&h));
}

static void insert_all(struct heap *h, struct heap_node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        heap_insert(h, &nodes[i]);
        assert_int_equal(heap_check(h), i + 1);
    }
}

static void pop_all_sorted(struct heap *h, size_t count)
{
    uint64_t last = 0;
    for (; count; count--) {
        assert_int_equal(heap_check(h), count);
        struct heap_node *node = heap_pop(h);
        assert_non_null(node);
        assert_true(node->key >= last);
        last = node->key;
    }
    assert_true(heap_empty(h));
}

static void test_sorts(void **state)
{
    (void)state;
    static struct heap_node up[NODES], down[NODES], mixed[NODES];
    struct heap h = {0};
    for (size_t i = 0; i < NODES; i++) {
        up[i].key = i;
        down[i].key = NODES - i;
        mixed[i].key = i * 7919 % 101;
    }
    insert_all(&h, up, NODES);
    pop_all_sorted(&h, NODES);
    insert_all(&h, down, NODES);
    pop_all_sorted(&h, NODES);
    insert_all(&h, mixed, NODES);
    pop_all_sorted(&h, NODES);
}

static void test_extreme_keys(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node never = {.key = UINT64_MAX}, now = {.key = 0}, high = {.key = (uint64_t)1 << 63};
    heap_insert(&h, &never);
    heap_insert(&h, &high);
    heap_insert(&h, &now);
    assert_ptr_equal(heap_pop(&h), &now);
    assert_ptr_equal(heap_pop(&h), &high);
    assert_ptr_equal(heap_pop(&h), &never);
}

static void test_ties_keep_the_older_in_front(void **state)
{
    (void)state;
    struct heap h = {0};
    struct heap_node nodes[5] = {{.key = 3}, {.key = 3}, {.key = 3}, {.key = 3}, {.key = 3}};
    insert_all(&h, nodes, 5);
    assert_ptr_equal(heap_first(&h), &nodes[0]);
    pop_all_sorted(&h, 5);
}

static void test_remove_every_position(void **state)
{
    (void)state;
    for (size_t victim = 0; victim < 20; victim++) {
        struct heap h = {0};
        struct heap_node nodes[20] = {0};
        for (size_t i = 0; i < 20; i++)
            nodes[i].key = i * 7 % 20;
        insert_all(&h, nodes, 20);
        heap_remove(&h, heap_first(&h)); // so that the rest is no longer one level
        if (nodes[victim].key != 0) {
            heap_remove(&h, &nodes[victim]);
            pop_all_sorted(&h, 18);
        }
    }
}

// Random operations against an array that is searched.
static void test_random_against_model(void **state)
{
    (void)state;
    static struct heap_node nodes[NODES];
    static bool in[NODES];
    struct heap h = {0};
    size_t count = 0;
    srand(1);
    for (unsigned step = 0; step < 50000; step++) {
        size_t i = (size_t)rand() % NODES;
        if (!in[i]) {
            nodes[i].key = (uint64_t)(rand() % 50);
            heap_insert(&h, &nodes[i]);
            in[i] = true;
            count++;
        } else if (rand() % 2) {
            heap_remove(&h, &nodes[i]);
            in[i] = false;
            count--;
        } else {
            struct heap_node *first = heap_pop(&h);
            for (size_t j = 0; j < NODES; j++)
                assert_false(in[j] && nodes[j].key < first->key);
            in[first - nodes] = false;
            count--;
        }
        if (step % 64 == 0)
            assert_int_equal(heap_check(&h), count);
    }
    assert_int_equal(heap_check(&h), count);
    pop_all_sorted(&h, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_sorts),
        cmocka_unit_test(test_extreme_keys),
        cmocka_unit_test(test_ties_keep_the_older_in_front),
        cmocka_unit_test(test_remove_every_position),
        cmocka_unit_test(test_random_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
