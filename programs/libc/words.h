// A line's words, as the shell and programs see them.
#pragma once

// Cuts a line at its spaces, in place, into at most 'max' words; how many. What would be more is in none. "Quotes"
// hold a word together.
unsigned words_split(char *line, char **words, unsigned max);
