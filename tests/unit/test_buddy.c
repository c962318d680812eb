// sources: lib/buddy.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buddy.h"

#define UNITS 1000
#define FIRST 0x80003 // blocks are aligned by the number, not by the place in the table

static struct buddy buddy;
static uint64_t table[UNITS + BUDDY_LISTS];
static uint8_t owner[UNITS]; // what we think

static void start(void)
{
    assert_int_equal(buddy_table_size(UNITS), sizeof(table));
    memset(table, 0xff, sizeof(table));
    buddy_init(&buddy, table, FIRST, UNITS);
}

static unsigned nonempty(void)
{
    unsigned lists = 0;
    for (unsigned order = 0; order < BUDDY_ORDERS; order++)
        lists |= (unsigned)(buddy.table[UNITS + order].next < UNITS) << order;
    assert_int_equal(buddy.table[UNITS + BUDDY_ORDERS].prev, lists);
    return lists;
}

static void nothing_is_free_at_first(void **state)
{
    (void)state;
    uint64_t unit;
    start();
    assert_int_equal(buddy_free_units(&buddy), 0);
    assert_int_equal(buddy_take(&buddy, 0, &unit), STATUS_NO_MEMORY);
    assert_int_equal(buddy_take(&buddy, BUDDY_ORDERS, &unit), STATUS_INVALID);
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    start();
    assert_int_equal(buddy_release(&buddy, FIRST - 1, 2), STATUS_INVALID);
    assert_int_equal(buddy_release(&buddy, FIRST, UNITS + 1), STATUS_INVALID);
    assert_int_equal(buddy_release(&buddy, FIRST + 1, UINT64_MAX), STATUS_INVALID);
    assert_int_equal(buddy_release(&buddy, FIRST + UNITS + 1, 0), STATUS_INVALID);
    assert_int_equal(buddy_give(&buddy, FIRST - 1, 0), STATUS_INVALID);
    assert_int_equal(buddy_give(&buddy, FIRST + UNITS, 0), STATUS_INVALID);
    assert_int_equal(buddy_give(&buddy, FIRST, 0), STATUS_INVALID); // never taken
    assert_int_equal(buddy_free_units(&buddy), 0);
}

static void what_is_free_is_not_freed_again(void **state)
{
    (void)state;
    uint64_t unit;
    start();
    assert_int_equal(buddy_release(&buddy, FIRST, UNITS), STATUS_OK);
    assert_int_equal(buddy_release(&buddy, FIRST + 5, 1), STATUS_INVALID);
    assert_int_equal(buddy_free_units(&buddy), UNITS);
    assert_int_equal(buddy_take(&buddy, 3, &unit), STATUS_OK);
    assert_int_equal(unit % 8, 0);
    assert_int_equal(buddy_release(&buddy, unit, 1), STATUS_INVALID);
    assert_int_equal(buddy_give(&buddy, unit, 2), STATUS_INVALID); // another size
    assert_int_equal(buddy_give(&buddy, unit + 1, 0), STATUS_INVALID);
    assert_int_equal(buddy_give(&buddy, unit, 3), STATUS_OK);
    assert_int_equal(buddy_give(&buddy, unit, 3), STATUS_INVALID);
    assert_int_equal(buddy_free_units(&buddy), UNITS);
}

static void all_comes_together_again(void **state)
{
    (void)state;
    static uint64_t units[UNITS];
    uint64_t unit;
    start();
    assert_int_equal(buddy_release(&buddy, FIRST, UNITS), STATUS_OK);
    unsigned before = nonempty();
    for (unsigned i = 0; i < UNITS; i++)
        assert_int_equal(buddy_take(&buddy, 0, &units[i]), STATUS_OK);
    assert_int_equal(buddy_take(&buddy, 0, &unit), STATUS_NO_MEMORY);
    assert_int_equal(buddy_free_units(&buddy), 0);
    assert_int_equal(nonempty(), 0);
    for (unsigned i = 0; i < UNITS; i++)
        assert_int_equal(buddy_give(&buddy, units[i * 7 % UNITS], 0), STATUS_OK);
    assert_int_equal(buddy_free_units(&buddy), UNITS);
    assert_int_equal(nonempty(), before);
    assert_int_equal(buddy_take(&buddy, 8, &unit), STATUS_OK); // 256 units in one piece
    assert_int_equal(unit % 256, 0);
}

static void what_is_between_holes_is_given_only(void **state)
{
    (void)state;
    uint64_t unit, sum = 0;
    start();
    assert_int_equal(buddy_release(&buddy, FIRST + 10, 3), STATUS_OK);
    assert_int_equal(buddy_release(&buddy, FIRST + 20, 1), STATUS_OK);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(buddy_take(&buddy, 0, &unit), STATUS_OK);
        sum += unit - FIRST;
    }
    assert_int_equal(sum, 10 + 11 + 12 + 20);
    assert_int_equal(buddy_take(&buddy, 0, &unit), STATUS_NO_MEMORY);
}

static void mark(uint64_t unit, unsigned order, uint8_t from, uint8_t to)
{
    for (uint64_t i = unit - FIRST; i < unit - FIRST + (1u << order); i++) {
        assert_true(i < UNITS);
        assert_int_equal(owner[i], from);
        owner[i] = to;
    }
}

// No unit is ever given twice, and the counts are right.
static void random_takes_and_gives(void **state)
{
    (void)state;
    struct block {
        uint64_t unit;
        unsigned order;
    } blocks[64];
    unsigned count = 0, taken = 0;
    start();
    memset(owner, 0, sizeof(owner));
    assert_int_equal(buddy_release(&buddy, FIRST, UNITS), STATUS_OK);
    srand(1);
    for (unsigned turn = 0; turn < 200000 / FEWER; turn++) {
        if (count < 64 && rand() % 2) {
            struct block *b = &blocks[count];
            b->order = (unsigned)rand() % 7;
            if (buddy_take(&buddy, b->order, &b->unit) != STATUS_OK)
                continue;
            assert_int_equal(b->unit & ((1u << b->order) - 1), 0);
            mark(b->unit, b->order, 0, 1);
            taken += 1u << b->order;
            count++;
        } else if (count) {
            unsigned n = (unsigned)rand() % count;
            mark(blocks[n].unit, blocks[n].order, 1, 0);
            taken -= 1u << blocks[n].order;
            assert_int_equal(buddy_give(&buddy, blocks[n].unit, blocks[n].order), STATUS_OK);
            blocks[n] = blocks[--count];
        }
        assert_int_equal(buddy_free_units(&buddy), UNITS - taken);
    }
}

static void orders(void **state)
{
    (void)state;
    assert_int_equal(buddy_order(0), 0);
    assert_int_equal(buddy_order(1), 0);
    assert_int_equal(buddy_order(2), 1);
    assert_int_equal(buddy_order(3), 2);
    assert_int_equal(buddy_order(1024), 10);
    assert_int_equal(buddy_order(UINT64_MAX), BUDDY_ORDERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_free_at_first),
        cmocka_unit_test(what_is_not_there_is_refused),
        cmocka_unit_test(what_is_free_is_not_freed_again),
        cmocka_unit_test(all_comes_together_again),
        cmocka_unit_test(what_is_between_holes_is_given_only),
        cmocka_unit_test(random_takes_and_gives),
        cmocka_unit_test(orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
