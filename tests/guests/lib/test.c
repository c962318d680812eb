#include "test.h"

#include <string.h>

static enum { NOTHING, SKIPPED, FAILED } outcome;
static const char *test_name;
void (*test_clean_up)(void);

void test_fail(const char *format, ...)
{
    char why[300];
    va_list arguments;
    va_start(arguments, format);
    print_format(why, sizeof why, format, arguments);
    va_end(arguments);
    if (outcome != FAILED)
        print("FAIL %s: %s\n", test_name, why);
    outcome = FAILED;
}

void test_skip(const char *why)
{
    if (outcome == NOTHING)
        print("SKIP %s: %s\n", test_name, why);
    outcome = SKIPPED;
}

// Leaves nothing of one test to the next.
static void test_reset(void)
{
    struct hart *h = hart_self();
    interrupts_off();
    csr_clear(sip, 1ul << INTERRUPT_SOFTWARE);
    sbi_set_timer((uint64_t)-1);
    h->on_external = NULL;
    h->on_software = NULL;
    h->timer_direct = false;
    outcome = NOTHING;
}

int suite_run(const char *suite, const struct test *tests, size_t count)
{
    unsigned counts[3] = {0};
    char only[32] = "";
    tree_option("only", only, sizeof only);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(tests[i].name, only, strlen(only)))
            continue;
        test_reset();
        test_name = tests[i].name;
        tests[i].run();
        if (outcome == FAILED && test_clean_up)
            test_clean_up();
        if (outcome == NOTHING)
            print("PASS %s\n", test_name);
        counts[outcome]++;
    }
    test_reset();
    print("RESULT %s: %u passed, %u failed, %u skipped\n", suite, counts[NOTHING], counts[FAILED], counts[SKIPPED]);
    return counts[FAILED] ? REASON_FAILURE : REASON_NONE;
}

_Noreturn void payload_start(unsigned long boot_hart, const void *fdt)
{
    if (!tree_read(fdt, boot_hart)) {
        print("FAIL start: device tree unusable\n");
        sbi_reset(RESET_SHUTDOWN, REASON_FAILURE);
    }
    sbi_reset(RESET_SHUTDOWN, payload_main());
}
