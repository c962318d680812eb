// A line's words, as the shell and programs see them.
#pragma once

#include <stdbool.h>

// Cuts a line at its spaces, in place, into at most 'max' words; how many. What would be more is in none. "Quotes"
// hold a word together.
unsigned words_split(char *line, char **words, unsigned max);

// Ends a line's first command, in place, at the ; or & that is in no quotes; returns what follows, or NULL.
char *words_command(char *line, bool *in_background);
