#include "parse.h"

#include <string.h>

const char words_restart[] = "never\0on-crash\0always\0";
const char words_isolation[] = "auto\0gstage\0pmp\0";
const char words_rights[] = "manage\0console\0";

// The end of the word that begins here, moved together without its quotes.
static char *word_take(char *from, char *to, bool *closed)
{
    bool quoted = false;
    for (; *from && (quoted || *from != ' '); from++)
        if (*from == '"')
            quoted = !quoted;
        else
            *to++ = *from;
    char *next = *from ? from + 1 : from;
    *to = 0;
    *closed = !quoted;
    return next;
}

int parse_words(char *line, char *words[WORDS_MAX])
{
    int count = 0;
    bool closed = true;
    for (;;) {
        while (*line == ' ')
            line++;
        if (!*line)
            return count;
        if (count == (int)WORDS_MAX)
            return -2;
        words[count++] = line;
        line = word_take(line, line, &closed);
        if (!closed)
            return -1;
    }
}

int list_find(const char *list, const char *word)
{
    for (int i = 0; *list; i++, list += strlen(list) + 1)
        if (!strcmp(list, word))
            return i;
    return -1;
}

const char *list_word(const char *list, unsigned n)
{
    for (; *list; list += strlen(list) + 1)
        if (!n--)
            return list;
    return "?";
}

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

// Reads digits as far as they go; NULL if there are none, or too many.
static const char *number(const char *text, uint64_t *value)
{
    unsigned base = 10;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    if (digit(*text) >= base)
        return NULL;
    for (*value = 0; digit(*text) < base; text++) {
        uint64_t before = *value;
        *value = before * base + digit(*text);
        if (before > UINT64_MAX >> 4)
            return NULL;
    }
    return text;
}

bool parse_number(const char *text, uint64_t *value)
{
    text = number(text, value);
    return text && !*text;
}

static bool size(const char *text, uint64_t *value)
{
    unsigned shift = 0;
    text = number(text, value);
    if (!text)
        return false;
    if (*text) {
        const char *unit = strchr("KMGT", *text & ~0x20);
        if (!unit || text[1])
            return false;
        shift = 10 * (unsigned)(unit - "KMGT" + 1);
    }
    if (*value > UINT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

static bool harts(const char *text, uint64_t *mask)
{
    *mask = 0;
    if (!strcmp(text, "all"))
        return true;
    for (;; text++) {
        uint64_t first, last;
        text = number(text, &first);
        last = first;
        if (text && *text == '-')
            text = number(text + 1, &last);
        if (!text || first > last || last > 63)
            return false;
        *mask |= (UINT64_MAX >> (63 - (last - first))) << first;
        if (*text != ',')
            return !*text;
    }
}

static bool rights(const char *text, uint64_t *mask)
{
    char word[8];
    *mask = 0;
    if (!strcmp(text, "none"))
        return true;
    for (;;) {
        const char *comma = strchr(text, ',');
        size_t length = comma ? (size_t)(comma - text) : strlen(text);
        if (length >= sizeof(word))
            return false;
        memcpy(word, text, length);
        word[length] = 0;
        int n = list_find(words_rights, word);
        if (n < 0)
            return false;
        *mask |= 1u << n;
        if (!comma)
            return true;
        text = comma + 1;
    }
}

static bool one_of(const char *list, const char *text, uint64_t *value)
{
    int n = list_find(list, text);
    *value = (uint64_t)n;
    return n >= 0;
}

static bool in_range(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    return parse_number(text, value) && *value >= least && *value <= most;
}

bool parse_value(enum value_kind kind, const char *text, uint64_t *value)
{
    switch (kind) {
    case VALUE_SIZE:
        return size(text, value);
    case VALUE_HARTS:
        return harts(text, value);
    case VALUE_FLAG:
        return one_of("no\0yes\0", text, value);
    case VALUE_RESTART:
        return one_of(words_restart, text, value);
    case VALUE_ISOLATION:
        return one_of(words_isolation, text, value);
    case VALUE_RIGHTS:
        return rights(text, value);
    case VALUE_LINK:
        return one_of("up\0down\0", text, value);
    case VALUE_WEIGHT:
        return in_range(text, 1, 1000, value);
    case VALUE_CAP:
        return in_range(text, 0, 6400, value);
    case VALUE_VCORES:
        return in_range(text, 1, 64, value);
    default:
        return parse_number(text, value);
    }
}

const char *value_hint(enum value_kind kind)
{
    return list_word("a number\0"
                     "bytes, like 64M or 1G\0"
                     "harts, like 0,2-3, or all\0"
                     "yes or no\0"
                     "never, on-crash or always\0"
                     "auto, gstage or pmp\0"
                     "none, manage, console or manage,console\0"
                     "up or down\0"
                     "1 to 1000\0"
                     "0 to 6400, in percent of one hart\0"
                     "1 to 64\0",
                     kind);
}
