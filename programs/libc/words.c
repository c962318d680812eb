#include "words.h"

#include <stddef.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

// Takes the quotes out of the word at 'from', ends it, and returns what follows.
static char *word_end(char *from)
{
    bool quoted = false;
    char *to = from;
    for (; *from && (quoted || !is_space(*from)); from++) {
        if (*from == '"')
            quoted = !quoted;
        else
            *to++ = *from;
    }
    char *next = *from ? from + 1 : from;
    *to = 0;
    return next;
}

unsigned words_split(char *line, char **words, unsigned max)
{
    unsigned count = 0;
    while (count < max) {
        while (is_space(*line))
            line++;
        if (!*line)
            break;
        words[count++] = line;
        line = word_end(line);
    }
    return count;
}

char *words_command(char *line, bool *in_background)
{
    bool quoted = false;
    *in_background = false;
    for (; *line; line++) {
        if (*line == '"')
            quoted = !quoted;
        if (quoted || (*line != ';' && *line != '&'))
            continue;
        *in_background = *line == '&';
        *line = 0;
        return line + 1;
    }
    return NULL;
}
