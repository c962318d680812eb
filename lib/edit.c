#include "edit.h"

#include <string.h>

#define CTRL(letter) ((letter) - '@')
#define DELETE 0x7f
#define LINES 9u // of history, and the line that is being typed

static struct {
    char line[EDIT_SIZE];
    unsigned length, cursor;
    bool was_return;                    // the last key
    enum { NO, ESCAPE, SEQUENCE } keys; // of a key that is sent as an escape sequence (ECMA-48)
    unsigned parameter;                 // of the sequence
    char history[LINES][EDIT_SIZE];
    unsigned newest; // where the line being typed is kept while older ones are looked at
    unsigned kept;   // older ones
    unsigned back;   // how far one has gone back in them
} e;

static void put_repeat(char c, unsigned count)
{
    while (count--)
        edit_put(c);
}

static void put_text(const char *text)
{
    while (*text)
        edit_put(*text++);
}

void edit_bell(void)
{
    edit_put('\a');
}

void edit_draw(void)
{
    put_text(edit_prompt);
    put_text(e.line);
    put_repeat('\b', e.length - e.cursor);
}

// All changes: `removed` bytes at `from`, no further right than the cursor, make way for the text, whose end
// the cursor goes to.
static void replace(unsigned from, unsigned removed, const char *text, unsigned added)
{
    unsigned rest = e.length - from - removed, before = e.length;

    if (from + added + rest >= EDIT_SIZE) {
        edit_bell();
        return;
    }
    memmove(e.line + from + added, e.line + from + removed, rest + 1);
    memcpy(e.line + from, text, added);
    e.length = from + added + rest;
    put_repeat('\b', e.cursor - from);
    put_text(e.line + from);
    unsigned shorter = before > e.length ? before - e.length : 0;
    put_repeat(' ', shorter);
    e.cursor = from + added;
    put_repeat('\b', rest + shorter);
}

void edit_insert(const char *text, unsigned length)
{
    replace(e.cursor, 0, text, length);
}

const char *edit_before_cursor(unsigned *length)
{
    *length = e.cursor;
    return e.line;
}

static void move(unsigned to)
{
    while (e.cursor > to) {
        edit_put('\b');
        e.cursor--;
    }
    while (e.cursor < to)
        edit_put(e.line[e.cursor++]);
}

static void erase(unsigned from)
{
    replace(from, e.cursor - from, "", 0);
}

static void erase_forward(unsigned count)
{
    replace(e.cursor, count, "", 0);
}

static unsigned word_begin(void)
{
    unsigned at = e.cursor;
    while (at && e.line[at - 1] == ' ')
        at--;
    while (at && e.line[at - 1] != ' ')
        at--;
    return at;
}

static char *history_line(unsigned back)
{
    return e.history[(e.newest + LINES - back) % LINES];
}

static void history_go(unsigned back)
{
    if (back > e.kept) { // or below 0
        edit_bell();
        return;
    }
    memcpy(history_line(e.back), e.line, EDIT_SIZE);
    e.back = back;
    move(e.length);
    const char *line = history_line(back);
    replace(0, e.length, line, (unsigned)strlen(line));
}

static void history_keep(void)
{
    e.back = 0;
    if (!e.length || (e.kept && !strcmp(history_line(1), e.line)))
        return;
    memcpy(history_line(0), e.line, EDIT_SIZE);
    e.newest = (e.newest + 1) % LINES;
    if (e.kept < LINES - 1)
        e.kept++;
}

void edit_line_take(char line[EDIT_SIZE])
{
    move(e.length);
    put_text("\r\n");
    memcpy(line, e.line, EDIT_SIZE);
    history_keep();
    e.length = e.cursor = 0;
    e.line[0] = 0;
}

static void control(uint8_t key)
{
    switch (key) {
    case CTRL('A'):
        move(0);
        break;
    case CTRL('B'):
        move(e.cursor - (e.cursor > 0));
        break;
    case CTRL('D'):
        erase_forward(e.cursor < e.length);
        break;
    case CTRL('E'):
        move(e.length);
        break;
    case CTRL('F'):
        move(e.cursor + (e.cursor < e.length));
        break;
    case CTRL('H'):
    case DELETE:
        erase(e.cursor - (e.cursor > 0));
        break;
    case CTRL('K'):
        erase_forward(e.length - e.cursor);
        break;
    case CTRL('N'):
        history_go(e.back - 1);
        break;
    case CTRL('P'):
        history_go(e.back + 1);
        break;
    case CTRL('C'):
        move(e.length);
        erase(0);
        break;
    case CTRL('U'):
        erase(0);
        break;
    case CTRL('W'):
        erase(word_begin());
        break;
    }
}

// What a sequence's last byte, or the parameter of one that ends in ~, stands for, as a control key.
static uint8_t sequence_key(uint8_t last)
{
    static const char pairs[] = "APBNCFDBHAFE"
                                "1A3D4E7A8E";
    if (last == '~')
        last = (uint8_t)(e.parameter < 10 ? '0' + e.parameter : 0);
    for (const char *pair = pairs; *pair; pair += 2)
        if (*pair == (char)last)
            return (uint8_t)CTRL(pair[1]);
    return 0;
}

// True if the key was part of a sequence.
static bool sequence(uint8_t key)
{
    if (key < ' ' || e.keys == NO) { // a line's end ends any sequence
        e.keys = key == 0x1b ? ESCAPE : NO;
        e.parameter = 0;
        return key == 0x1b;
    }
    if (e.keys == ESCAPE) {
        e.keys = key == '[' || key == 'O' ? SEQUENCE : NO;
    } else if (key >= '0' && key <= '9') {
        e.parameter = e.parameter < 10 ? e.parameter * 10 + key - '0' : e.parameter;
    } else if (key >= '@') {
        e.keys = NO;
        control(sequence_key(key));
    }
    return true;
}

bool edit_is_rest_of_line_end(uint8_t key)
{
    bool rest = key == '\n' && e.was_return;
    e.was_return = key == '\r';
    return rest;
}

enum edit edit_key(uint8_t key)
{
    if (edit_is_rest_of_line_end(key) || sequence(key))
        return EDIT_MORE;
    if (key == '\r' || key == '\n')
        return EDIT_LINE;
    if (key == '\t')
        return EDIT_COMPLETE;
    if (key >= ' ' && key < DELETE)
        edit_insert((const char *)&key, 1);
    else
        control(key);
    return EDIT_MORE;
}
