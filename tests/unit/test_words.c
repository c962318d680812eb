// sources: programs/libc/words.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "words.h"

#define MAX 4

static char *words[MAX];

static unsigned split(const char *line)
{
    static char text[64];
    strcpy(text, line);
    return words_split(text, words, MAX);
}

static void test_spaces(void **state)
{
    (void)state;
    assert_int_equal(split(""), 0);
    assert_int_equal(split("  \t "), 0);
    assert_int_equal(split(" one\ttwo   three "), 3);
    assert_string_equal(words[0], "one");
    assert_string_equal(words[1], "two");
    assert_string_equal(words[2], "three");
}

static void test_quotes(void **state)
{
    (void)state;
    assert_int_equal(split("a \"b c\" \"\" d\"e f\"g"), 4);
    assert_string_equal(words[1], "b c");
    assert_string_equal(words[2], "");
    assert_string_equal(words[3], "de fg");
    assert_int_equal(split("\"open  end"), 1);
    assert_string_equal(words[0], "open  end");
}

static void test_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    assert_int_equal(split("1 2 3 4 5 6"), 4);
    assert_string_equal(words[3], "4");
}

static void test_commands_of_a_line(void **state)
{
    char line[] = "one \"a;b & c\"; two & &three;", *next;
    bool in_background;
    (void)state;
    next = words_command(line, &in_background);
    assert_string_equal(line, "one \"a;b & c\"");
    assert_false(in_background);
    for (unsigned i = 0; i < 2; i++) {
        char *command = next;
        next = words_command(command, &in_background);
        assert_string_equal(command, i ? " " : " two ");
        assert_true(in_background);
    }
    char *command = next;
    next = words_command(command, &in_background);
    assert_string_equal(command, "three");
    assert_false(in_background);
    assert_string_equal(next, "");
    assert_null(words_command(next, &in_background));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_no_more_than_there_is_room_for),
        cmocka_unit_test(test_commands_of_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
