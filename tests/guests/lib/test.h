// A suite of tests: each prints `PASS name`, `SKIP name: why` or `FAIL name: why`.
#pragma once

#include "csr.h"
#include "hart.h"
#include "print.h"
#include "sbi.h"
#include "tree.h"

struct test {
    const char *name;
    void (*run)(void);
};

// Every payload's own main: its return value is the shutdown reason.
int payload_main(void);

// Runs the tests (those whose name begins as the boot argument only= says), prints
// `RESULT suite: P passed, F failed, S skipped`; returns REASON_NONE if none failed.
int suite_run(const char *suite, const struct test *tests, size_t count);

// What a test that failed has left behind; NULL: nothing to do.
extern void (*test_clean_up)(void);

void test_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void test_skip(const char *why);

// Ends the test if the condition does not hold.
#define check(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            test_fail(__VA_ARGS__);                                                                                    \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
#define check_error(result, wanted)                                                                                    \
    do {                                                                                                               \
        struct sbi_result r_ = (result);                                                                               \
        check(r_.error == (wanted), "%s: error %ld, not %d", #result, r_.error, (int)(wanted));                        \
    } while (0)
// Ends the test, saying why it does not apply here.
#define skip_if(condition, why)                                                                                        \
    do {                                                                                                               \
        if (condition) {                                                                                               \
            test_skip(why);                                                                                            \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)
// Ends the test on firmware that is known to be laxer than the specification.
#define only_diosix() skip_if(!sbi_is_diosix(), "other firmware is laxer")
