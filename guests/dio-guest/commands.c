// The prompt's commands, carried out here.
#include <string.h>

#include "command.h"
#include "guest.h"
#include "out.h"
#include "prompt.h"
#include "session.h"

const bool prompt_is_at_terminal = false;
static bool is_dialogue, has_failed;

uint64_t prompt_time(unsigned milliseconds)
{
    return system_milliseconds() + milliseconds;
}

// Ctrl-C ends us.
bool prompt_is_interrupted(void)
{
    return false;
}

void prompt_finished(bool any, bool failed)
{
    has_failed = failed;
    if (any && !failed && is_dialogue) {
        out_text("ok");
        out_line_end();
    }
}

// Errors are a step's last line; what capsules print has `| ` before each.
static size_t error_find(const char *bytes, size_t count)
{
    static const char begin[] = "error: ";

    for (size_t i = 0; i + sizeof(begin) <= count; i++)
        if ((!i || bytes[i - 1] == '\n') && !memcmp(bytes + i, begin, sizeof(begin) - 1))
            return i;
    return count;
}

size_t out_write(const char *bytes, size_t count)
{
    size_t good = is_dialogue ? count : error_find(bytes, count);

    if (!system_write_all(STDOUT, bytes, good) || !system_write_all(STDERR, bytes + good, count - good))
        system_exit(2);
    return count;
}

static void command_do(void)
{
    uint64_t deadline, now;

    command_begin();
    (void)!out_flush();
    while (session.run.command) {
        enum next next = command_run(&deadline);
        (void)!out_flush();
        if (next == NEXT_WAIT && (now = system_milliseconds()) < deadline)
            system_poll(NULL, 0, deadline - now);
    }
}

// Words with spaces are quoted, as the prompt has it.
static void line_make(int count, char **words)
{
    char *line = session.line;
    size_t length = 0;

    for (int i = 0; i < count; i++) {
        size_t size = strlen(words[i]);
        bool is_quoted = strchr(words[i], ' ') || !size;
        if (length + size + 4 > sizeof(session.line) || strpbrk(words[i], "\"\n"))
            die("the command is too long, or has quotes in it", "");
        if (is_quoted)
            line[length++] = '"';
        memcpy(line + length, words[i], size);
        length += size;
        if (is_quoted)
            line[length++] = '"';
        line[length++] = i + 1 < count ? ' ' : 0;
    }
}

int command_of_words(int count, char **words)
{
    line_make(count, words);
    if (!service_connect())
        return 1;
    command_do();
    return has_failed;
}

// A line of input, without its end. False: there is no more.
static bool line_read(void)
{
    size_t length = 0;
    char byte = 0;
    bool any = false;

    while (byte != '\n' && system_call(SYSTEM_READ, STDIN, (long)&byte, 1, 0, 0) == 1) {
        any = true;
        if (byte != '\n' && byte != '\r' && length < sizeof(session.line) - 1)
            session.line[length++] = byte;
    }
    session.line[length] = 0;
    return any;
}

int commands_of_input(void)
{
    bool is_terminal = system_is_terminal(STDIN);

    is_dialogue = true;
    if (!service_connect())
        return 1;
    for (;;) {
        if (is_terminal)
            put(STDOUT, "dio> ");
        if (!line_read())
            return has_failed;
        command_do();
    }
}
