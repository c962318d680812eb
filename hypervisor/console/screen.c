#include "screen.h"

#include "console_state.h"

struct screen screen;

static void out(char c)
{
    if (screen.length < sizeof(screen.out))
        screen.out[screen.length++] = (uint8_t)c;
}

void screen_text(const char *text)
{
    while (*text)
        out(*text++);
}

void screen_number(uint32_t value)
{
    char digits[11];
    unsigned i = sizeof(digits) - 1;
    digits[i] = 0;
    do {
        digits[--i] = (char)('0' + value % 10);
    } while (value /= 10);
    screen_text(digits + i);
}

static void prefix(const struct stream *s)
{
    screen_text("[");
    screen_text(s->name);
    screen_text("] ");
}

// Ends whatever line the cursor is on.
static void line_break(void)
{
    if (screen.line)
        screen.line->cut = true;
    screen.line = NULL;
    if (console.midline)
        screen_text("\r\n");
    console.midline = false;
}

void screen_line_begin(void)
{
    line_break();
    screen_text("[dio] ");
}

void screen_line_end(void)
{
    screen_text("\r\n");
}

void screen_dropped(struct stream *s)
{
    uint32_t dropped = atomic_exchange_explicit(&s->dropped, 0, memory_order_relaxed);
    if (!dropped)
        return;
    screen_line_begin();
    screen_text(s->name);
    screen_text(": ");
    screen_number(dropped);
    screen_text(" bytes of output dropped");
    screen_line_end();
}

static void line_open(struct stream *s)
{
    line_break();
    if (unlikely(s->dropped))
        screen_dropped(s);
    prefix(s);
    screen.line = s;
    console.midline = true;
    s->column = 0;
    s->cut = false;
    s->carriage = false;
}

// A line that another source's line cut in two may have nothing left but its end.
static void line_close(struct stream *s)
{
    bool rest = !s->cut;
    s->carriage = false;
    s->cut = false;
    if (screen.line != s) {
        if (!rest)
            return;
        line_open(s);
    }
    screen_text("\r\n");
    screen.line = NULL;
    console.midline = false;
}

// A lone carriage return would let the line write over its prefix.
static void line_restart(struct stream *s)
{
    s->carriage = false;
    if (!s->column)
        return;
    out('\r');
    prefix(s);
    s->column = 0;
}

static void line_add(struct stream *s, uint8_t byte)
{
    if (screen.line != s)
        line_open(s);
    if (s->carriage)
        line_restart(s);
    out((char)byte);
    if ((byte & 0xc0) != 0x80) // not the rest of a UTF-8 character
        s->column++;
}

static void line_back(struct stream *s)
{
    if (screen.line != s || s->carriage || !s->column)
        return;
    out('\b');
    s->column--;
}

static void byte_plain(struct stream *s, uint8_t byte)
{
    switch (byte) {
    case 0x1b:
        s->filter = FILTER_ESCAPE;
        break;
    case 0xc2:
        s->filter = FILTER_LEAD;
        break;
    case '\r':
        s->carriage = true;
        break;
    case '\b':
        line_back(s);
        break;
    default:
        if ((byte >= 0x20 && byte != 0x7f) || byte == '\t')
            line_add(s, byte);
    }
}

// ECMA-48: ESC [ parameters final, ESC ] string BEL (or ESC \), ESC intermediates final.
static enum stream_filter byte_in_escape(enum stream_filter filter, uint8_t byte)
{
    switch (filter) {
    case FILTER_ESCAPE:
        if (byte == '[')
            return FILTER_SEQUENCE;
        if (byte == ']' || byte == 'P' || byte == '_' || byte == '^' || byte == 'X')
            return FILTER_STRING;
        return byte >= 0x20 && byte < 0x30 ? FILTER_ESCAPE : FILTER_TEXT;
    case FILTER_SEQUENCE:
        return byte >= 0x40 && byte < 0x7f ? FILTER_TEXT : FILTER_SEQUENCE;
    default:
        if (byte == 0x1b)
            return FILTER_ESCAPE;
        return byte == '\a' ? FILTER_TEXT : FILTER_STRING;
    }
}

// What follows 0xc2 in UTF-8: a character, or one of the controls C1, which terminals obey like escape sequences.
static void byte_after_lead(struct stream *s, uint8_t byte)
{
    s->filter = FILTER_TEXT;
    if (byte >= 0xa0 && byte < 0xc0) {
        line_add(s, 0xc2);
        line_add(s, byte);
    } else if (byte < 0x80 || byte >= 0xc0) {
        byte_plain(s, byte);
    }
}

// A line's end ends all sequences, so that a broken one swallows no more than its line.
void screen_byte(struct stream *s, uint8_t byte)
{
    if (byte == '\n') {
        s->filter = FILTER_TEXT;
        line_close(s);
    } else if (s->filter == FILTER_TEXT) {
        byte_plain(s, byte);
    } else if (s->filter == FILTER_LEAD) {
        byte_after_lead(s, byte);
    } else {
        s->filter = byte_in_escape(s->filter, byte);
    }
}
