// sources: hypervisor/boot/options.c hypervisor/capsule/bundle.c libfdt bearssl
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

static struct options options;

static void defaults(void **state)
{
    (void)state;
    options_parse("", &options);
    assert_int_equal(options.isolation, BUNDLE_ISOLATION_AUTO);
    assert_int_equal(options.console, OPTIONS_INTERLEAVED);
    assert_int_equal(options.log, LOG_INFO);
    assert_false(options.verify);
    assert_false(options.scrub);
    assert_int_equal(options.bad_count, 0);
}

static void all_are_read(void **state)
{
    (void)state;
    options_parse("  isolation=pmp\tconsole=attach:web-1  log=debug verify scrub \n", &options);
    assert_int_equal(options.isolation, BUNDLE_ISOLATION_PMP);
    assert_int_equal(options.console, OPTIONS_ATTACHED);
    assert_string_equal(options.attach, "web-1");
    assert_int_equal(options.log, LOG_DEBUG);
    assert_true(options.verify);
    assert_true(options.scrub);
    assert_int_equal(options.bad_count, 0);
}

static void last_one_counts(void **state)
{
    (void)state;
    options_parse("isolation=pmp isolation=gstage console=attach:long-name console=attach:a log=error log=info",
                  &options);
    assert_int_equal(options.isolation, BUNDLE_ISOLATION_GSTAGE);
    assert_string_equal(options.attach, "a");
    assert_int_equal(options.log, LOG_INFO);
    options_parse("isolation=gstage isolation=auto console=attach:a console=interleaved", &options);
    assert_int_equal(options.isolation, BUNDLE_ISOLATION_AUTO);
    assert_int_equal(options.console, OPTIONS_INTERLEAVED);
}

static void unknown_ones_are_reported_and_others_kept(void **state)
{
    (void)state;
    options_parse("quiet verify isolation=none", &options);
    assert_true(options.verify);
    assert_int_equal(options.isolation, BUNDLE_ISOLATION_AUTO);
    assert_int_equal(options.bad_count, 2);
    assert_int_equal(options.bad[0].length, 5);
    assert_memory_equal(options.bad[0].word, "quiet", 5);
    assert_non_null(strstr(options.bad[0].text, "unknown"));
    assert_memory_equal(options.bad[1].word, "isolation=none", 14);
    assert_non_null(strstr(options.bad[1].text, "auto, gstage or pmp"));
}

static void bad_values_leave_the_default(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "isolation=",
        "isolation=pmpx",
        "isolation=pm",
        "console=",
        "console=attach:",
        "console=attach",
        "log=",
        "log=errors",
        "verifyx",
        "verify=1",
        "scru",
        "=",
        "console=attach:a-name-that-is-longer-than-the-31-characters",
    };
    for (size_t i = 0; i < array_length(texts); i++) {
        options_parse(texts[i], &options);
        assert_int_equal(options.bad_count, 1);
        assert_int_equal(options.isolation, BUNDLE_ISOLATION_AUTO);
        assert_int_equal(options.console, OPTIONS_INTERLEAVED);
        assert_int_equal(options.log, LOG_INFO);
        assert_false(options.verify || options.scrub);
    }
}

static void longest_name_fits(void **state)
{
    (void)state;
    options_parse("console=attach:abcdefghijklmnopqrstuvwxyz01234", &options);
    assert_int_equal(options.bad_count, 0);
    assert_string_equal(options.attach, "abcdefghijklmnopqrstuvwxyz01234");
}

static void reports_are_bounded(void **state)
{
    (void)state;
    options_parse("a b c d e f g h verify", &options);
    assert_int_equal(options.bad_count, OPTIONS_BAD_MAX);
    assert_true(options.verify);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(all_are_read),
        cmocka_unit_test(last_one_counts),
        cmocka_unit_test(unknown_ones_are_reported_and_others_kept),
        cmocka_unit_test(bad_values_leave_the_default),
        cmocka_unit_test(longest_name_fits),
        cmocka_unit_test(reports_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
