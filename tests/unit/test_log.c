// sources: lib/format.c hypervisor/console/log.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "console.h"
#include "format.h"
#include "log.h"
#include "power.h"

static char said[1024], raw[1024];
static bool said_urgent;
static unsigned seized, stopped;
static jmp_buf stop;

void console_say(const char *line, size_t length, bool urgent)
{
    memcpy(said, line, length);
    said[length] = 0;
    said_urgent = urgent;
}

void console_seize(void)
{
    seized++;
}

void console_raw(const char *text, size_t length)
{
    strncat(raw, text, length);
}

_Noreturn void panic_stop(void)
{
    stopped++;
    longjmp(stop, 1);
}

_Noreturn void power_off(bool success)
{
    (void)success;
    longjmp(stop, 2);
}

// Compared with the host's libc: the same text, the same length, and the same cut.
static void __attribute__((format(printf, 1, 2))) compare(const char *format, ...)
{
    static const size_t sizes[] = {0, 1, 2, 7, 300};
    for (size_t i = 0; i < array_length(sizes); i++) {
        char ours[300], theirs[300];
        va_list a, b;
        memset(ours, 'x', sizeof(ours));
        memset(theirs, 'x', sizeof(theirs));
        va_start(a, format);
        va_copy(b, a);
        assert_int_equal(format_text(ours, sizes[i], format, a), vsnprintf(theirs, sizes[i], format, b));
        va_end(b);
        va_end(a);
        if (sizes[i])
            assert_string_equal(ours, theirs);
    }
}

static void test_integers(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 9, 10, -10, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 0x123456789ab};
    for (size_t i = 0; i < array_length(values); i++) {
        int64_t v = values[i];
        compare("%d|%i|%u|%x|%X", (int)v, (int)v, (unsigned)v, (unsigned)v, (unsigned)v);
        compare("%ld|%lu|%lx|%lld|%llu|%llx", (long)v, (long)v, (long)v, (long long)v, (long long)v, (long long)v);
        compare("%hd|%hu|%hhd|%hhx", (short)v, (unsigned short)v, (signed char)v, (unsigned char)v);
        compare("%zu|%zd|%jd|%ju|%td", (size_t)v, (ssize_t)v, (intmax_t)v, (uintmax_t)v, (ptrdiff_t)v);
        compare("%5d|%-5d|%05d|%20lld|%-20lld|%020lld", (int)v, (int)v, (int)v, (long long)v, (long long)v,
                (long long)v);
        compare("%016llx|%*d|%-*d|%0*d", (unsigned long long)v, 12, (int)v, 12, (int)v, 12, (int)v);
    }
}

static void test_text(void **state)
{
    (void)state;
    compare("plain");
    compare("%s|%10s|%-10s|%.2s|%10.2s|%.*s|%.0s", "abc", "abc", "abc", "abc", "abc", 2, "abc", "abc");
    compare("%c|%5c|%-5c|%%", 'x', 'y', 'z');
    compare("%p", (void *)(uintptr_t)0x1234);
}

static void test_line(void **state)
{
    (void)state;
    log_error("frame %u of %s", 7u, "x");
    assert_string_equal(said, "frame 7 of x\n");
    assert_true(said_urgent);
    log_info("info");
    assert_string_equal(said, "info\n");
    assert_false(said_urgent);
    console_announce("gone");
    assert_true(said_urgent);
}

static void test_levels(void **state)
{
    (void)state;
    *said = 0;
    log_debug("hidden");
    assert_string_equal(said, "");
    log_level_set(LOG_DEBUG);
    log_debug("shown");
    assert_string_equal(said, "shown\n");
    log_level_set(LOG_ERROR);
    log_info("hidden");
    assert_string_equal(said, "shown\n");
    log_level_set(LOG_INFO);
}

// What comes from outside neither ends a line nor steers the terminal.
static void test_controls(void **state)
{
    (void)state;
    log_info("a\nb\r\033[2Jc\177");
    assert_string_equal(said, "a?b??[2Jc?\n");
}

static void test_long(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    log_info("%s", text);
    assert_int_equal(strlen(said), 201);
    assert_string_equal(said + 196, "a...\n");
}

static void test_panic(void **state)
{
    (void)state;
    int how = setjmp(stop);
    if (!how) {
        panic_line("registers %d", 1);
        panic("broken %d", 2);
    }
    assert_int_equal(how, 1);
    assert_string_equal(raw, "[dio] registers 1\n[dio] panic: broken 2\n");
    assert_int_equal(seized, 1);

    // A second one does not print, and ends all the same.
    how = setjmp(stop);
    if (!how)
        panic("again");
    assert_int_equal(how, 2);
    assert_int_equal(stopped, 1);
    assert_null(strstr(raw, "again"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers), cmocka_unit_test(test_text),     cmocka_unit_test(test_line),
        cmocka_unit_test(test_levels),   cmocka_unit_test(test_controls), cmocka_unit_test(test_long),
        cmocka_unit_test(test_panic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
