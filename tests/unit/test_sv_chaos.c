// sources: supervisor bearssl
//
// Random system calls of several tasks, with the checker after each. SV_SEED=N does that one alone, SV_RUNS=N more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "chaos.h"

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static unsigned run(uint64_t seed)
{
    static uint8_t input[60000 / FEWER];
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;

    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)next_random(&state);
    fprintf(stderr, "seed %u\r", (unsigned)seed); // the last one is who failed
    return chaos_run(input, sizeof(input));
}

static void test_random_calls(void **state)
{
    (void)state;
    const char *seed = getenv("SV_SEED"), *runs = getenv("SV_RUNS");
    unsigned first = seed ? (unsigned)atoi(seed) : 1, count = runs ? (unsigned)atoi(runs) : seed ? 1 : 12;
    unsigned succeeded = 0;

    for (unsigned i = 0; i < count; i++)
        succeeded += run(first + i);
    assert_true(succeeded > count * 300 / FEWER);
    fprintf(stderr, "%u calls succeeded\n", succeeded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
