// Copying by our own functions, beside bytes one by one.
#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#include "copy.c"
#undef memcpy
#undef memmove
#undef memset

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIZE 700u

static uint8_t before[SIZE], expected[SIZE], *bytes;

static void begin(void)
{
    for (unsigned i = 0; i < SIZE; i++)
        before[i] = expected[i] = bytes[i] = (uint8_t)rand();
}

// Of all alignments and lengths, apart and over each other, up and down.
static void test_moves(void **state)
{
    (void)state;
    bytes = malloc(SIZE); // exactly: an access beyond is found
    for (unsigned i = 0; i < 60000 / FEWER; i++) {
        unsigned size = (unsigned)rand() % (i & 1 ? 40 : 350), room = SIZE - size;
        unsigned to = (unsigned)rand() % (room + 1), from = (unsigned)rand() % (room + 1);
        if (i & 2)
            from = to + (i >> 2) % 40 <= room ? to + (i >> 2) % 40 : room;
        begin();
        for (unsigned k = 0; k < size; k++)
            expected[to + k] = before[from + k];
        assert_ptr_equal(own_memmove(bytes + to, bytes + from, size), bytes + to);
        assert_memory_equal(bytes, expected, SIZE);
    }
    free(bytes);
}

static void test_fills(void **state)
{
    (void)state;
    bytes = malloc(SIZE);
    for (unsigned i = 0; i < 5000 / FEWER; i++) {
        unsigned size = (unsigned)rand() % 300, to = (unsigned)rand() % (SIZE - size);
        begin();
        for (unsigned k = 0; k < size; k++)
            expected[to + k] = (uint8_t)i;
        assert_ptr_equal(own_memset(bytes + to, (int)i, size), bytes + to);
        assert_memory_equal(bytes, expected, SIZE);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moves), cmocka_unit_test(test_fills)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
