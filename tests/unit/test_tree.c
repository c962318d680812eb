// sources: hypervisor/capsule/tree.c
//
// The tree of capsules and what each may hand out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tree.h"

#define NODES 6u
static struct node nodes[NODES];
static const struct diosix_quota none = {0}, one = {1, 1, 1};

static bool add(unsigned n, struct node *parent, struct diosix_quota need, struct diosix_quota limit)
{
    return tree_add(&nodes[n], parent, &need, &limit);
}

static void used_check(const struct node *n, uint64_t memory, uint32_t vcores, uint32_t capsules)
{
    assert_int_equal(n->used.memory, memory);
    assert_int_equal(n->used.vcores, vcores);
    assert_int_equal(n->used.capsules, capsules);
}

static void test_balance(void **state)
{
    (void)state;
    assert_true(add(0, &tree_root, (struct diosix_quota){10, 2, 1}, (struct diosix_quota){100, 8, 4}));
    used_check(&tree_root, 110, 10, 5);
    assert_true(add(1, &nodes[0], (struct diosix_quota){60, 5, 1}, none));
    used_check(&nodes[0], 60, 5, 1);
    used_check(&tree_root, 110, 10, 5); // given out already
    tree_remove(&nodes[1], &(struct diosix_quota){60, 5, 1});
    used_check(&nodes[0], 0, 0, 0);
    tree_remove(&nodes[0], &(struct diosix_quota){10, 2, 1});
    used_check(&tree_root, 0, 0, 0);
    assert_int_equal(tree_count(), 0);
}

// What is refused has changed nothing, whichever of the numbers it was.
static void test_too_much(void **state)
{
    static const struct diosix_quota too_much[] = {{101, 0, 0},        {0, 9, 0},          {0, 0, 5},
                                                   {UINT64_MAX, 0, 0}, {0, UINT32_MAX, 0}, {0, 0, UINT32_MAX}};

    (void)state;
    assert_true(add(0, &tree_root, one, (struct diosix_quota){100, 8, 4}));
    for (unsigned i = 0; i < array_length(too_much); i++) {
        assert_false(add(1, &nodes[0], too_much[i], none));
        assert_false(add(1, &nodes[0], none, too_much[i]));
        used_check(&nodes[0], 0, 0, 0);
    }
    assert_false(add(1, &nodes[0], (struct diosix_quota){1, 0, 0}, (struct diosix_quota){100, 0, 0}));
    used_check(&nodes[0], 0, 0, 0);
    assert_true(add(1, &nodes[0], (struct diosix_quota){0, 8, 1}, (struct diosix_quota){100, 0, 3}));
    used_check(&nodes[0], 100, 8, 4);
    assert_int_equal(tree_count(), 2);
    tree_remove(&nodes[1], &(struct diosix_quota){0, 8, 1});
    tree_remove(&nodes[0], &one);
}

static void test_sums_do_not_wrap(void **state)
{
    (void)state;
    assert_true(add(0, &tree_root, one, (struct diosix_quota){UINT64_MAX - 1, UINT32_MAX - 1, UINT32_MAX - 1}));
    assert_false(add(1, &tree_root, one, none));
    assert_true(add(2, &nodes[0], (struct diosix_quota){UINT64_MAX - 1, 0, 1}, none));
    assert_false(add(3, &nodes[0], (struct diosix_quota){2, 0, 0}, none));
    tree_remove(&nodes[2], &(struct diosix_quota){UINT64_MAX - 1, 0, 1});
    tree_remove(&nodes[0], &one);
    used_check(&tree_root, 0, 0, 0);
}

static void test_set_limit(void **state)
{
    (void)state;
    assert_true(add(0, &tree_root, one, (struct diosix_quota){100, 8, 4}));
    assert_true(add(1, &nodes[0], (struct diosix_quota){10, 1, 1}, (struct diosix_quota){20, 2, 2}));
    assert_true(add(2, &nodes[1], (struct diosix_quota){15, 1, 1}, none));
    assert_true(tree_set_limit(&nodes[1], &(struct diosix_quota){90, 7, 3})); // all that there is
    used_check(&nodes[0], 100, 8, 4);
    assert_false(tree_set_limit(&nodes[1], &(struct diosix_quota){91, 7, 3}));
    assert_false(tree_set_limit(&nodes[1], &(struct diosix_quota){90, 8, 3}));
    assert_false(tree_set_limit(&nodes[1], &(struct diosix_quota){90, 7, 4}));
    assert_false(tree_set_limit(&nodes[1], &(struct diosix_quota){UINT64_MAX, 7, 3}));
    assert_false(tree_set_limit(&nodes[1], &(struct diosix_quota){14, 7, 3})); // given out
    assert_false(tree_set_limit(&nodes[1], &(struct diosix_quota){90, 0, 3}));
    assert_false(tree_set_limit(&nodes[1], &(struct diosix_quota){90, 7, 0}));
    used_check(&nodes[0], 100, 8, 4);
    assert_int_equal(nodes[1].limit.memory, 90);
    assert_true(tree_set_limit(&nodes[1], &(struct diosix_quota){15, 1, 1}));
    used_check(&nodes[0], 25, 2, 2);
    tree_remove(&nodes[2], &(struct diosix_quota){15, 1, 1});
    tree_remove(&nodes[1], &(struct diosix_quota){10, 1, 1});
    used_check(&nodes[0], 0, 0, 0);
    tree_remove(&nodes[0], &one);
    used_check(&tree_root, 0, 0, 0);
}

static void test_reach(void **state)
{
    (void)state;
    assert_true(add(0, &tree_root, one, (struct diosix_quota){9, 9, 9}));
    assert_true(add(1, &nodes[0], one, (struct diosix_quota){2, 2, 2}));
    assert_true(add(2, &nodes[1], one, none));
    assert_true(add(3, &tree_root, one, none));
    assert_true(tree_is_below(&nodes[2], &nodes[0]) && tree_is_below(&nodes[2], &tree_root));
    assert_false(tree_is_below(&nodes[0], &nodes[2]) || tree_is_below(&nodes[0], &nodes[0]));
    assert_false(tree_is_below(&tree_root, &tree_root));
    assert_ptr_equal(tree_find(&nodes[0], nodes[2].id), &nodes[2]);
    assert_null(tree_find(&nodes[0], nodes[3].id));
    assert_null(tree_find(&nodes[0], nodes[0].id));
    assert_null(tree_find(&tree_root, 0));
    assert_null(tree_find(&tree_root, UINT32_MAX));
    assert_ptr_equal(tree_after(NULL), &nodes[0]);
    assert_ptr_equal(tree_after(&nodes[2]), &nodes[3]);
    assert_null(tree_after(&nodes[3]));
    assert_ptr_equal(tree_next(&nodes[0], 0), &nodes[1]);
    assert_ptr_equal(tree_next(&nodes[0], nodes[1].id), &nodes[2]);
    assert_null(tree_next(&nodes[0], nodes[2].id));
    uint32_t id = nodes[3].id;
    for (unsigned i = 4; i; i--)
        tree_remove(&nodes[i - 1], &one);
    assert_true(add(4, &tree_root, one, none));
    assert_true(nodes[4].id > id); // never again
    tree_remove(&nodes[4], &one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balance),   cmocka_unit_test(test_too_much), cmocka_unit_test(test_sums_do_not_wrap),
        cmocka_unit_test(test_set_limit), cmocka_unit_test(test_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
