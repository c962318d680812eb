// sources: programs/libc/store.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store.h"

#define REGION 4096u
#define REGIONS 8u

static _Alignas(16) unsigned char regions[2 * REGIONS][REGION]; // every second one, so that they do not touch
static unsigned grown;

void *store_grow(size_t *size)
{
    if (*size > REGION || grown == REGIONS)
        return NULL;
    *size = REGION;
    return regions[2 * grown++];
}

static void test_pieces_are_apart_and_aligned(void **state)
{
    (void)state;
    unsigned char *pieces[64];
    for (unsigned i = 0; i < 64; i++) {
        pieces[i] = store_take(i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % STORE_ALIGNMENT, 0);
        assert_true(store_size(pieces[i]) >= i);
        memset(pieces[i], (int)i, i);
    }
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i);
        store_give(pieces[i]);
    }
}

static void test_what_is_given_back_melts_together(void **state)
{
    (void)state;
    unsigned before = grown;
    void *pieces[20];
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 20; i++)
            pieces[i] = store_take(100);
        for (unsigned i = 0; i < 20; i++) // odd ones first
            store_give(pieces[i < 10 ? 2 * i + 1 : 2 * (i - 10)]);
    }
    void *whole = store_take(REGION - 64);
    assert_non_null(whole);
    store_give(whole);
    assert_true(grown <= before + 1);
}

static void test_too_much(void **state)
{
    (void)state;
    assert_null(store_take(REGION + 1));
    assert_null(store_take(SIZE_MAX));
    assert_null(store_take(SIZE_MAX - 8));
    assert_null(store_take(SIZE_MAX / 2));
}

// A seeded mix; each piece keeps what was written to it.
static void test_random(void **state)
{
    (void)state;
    unsigned char *pieces[32] = {0};
    size_t sizes[32];
    uint32_t seed = 1;
    for (unsigned step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = seed >> 27;
        if (pieces[i]) {
            for (size_t j = 0; j < sizes[i]; j++)
                assert_int_equal(pieces[i][j], i);
            store_give(pieces[i]);
            pieces[i] = NULL;
        } else if ((pieces[i] = store_take(sizes[i] = seed >> 8 & 511))) {
            memset(pieces[i], (int)i, sizes[i]);
        }
    }
    for (unsigned i = 0; i < 32; i++)
        if (pieces[i])
            store_give(pieces[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_apart_and_aligned),
        cmocka_unit_test(test_what_is_given_back_melts_together),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
