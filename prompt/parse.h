// Words and values that people type.
#pragma once

#include "types.h"

#define WORDS_MAX 40u

// Cuts the line into words, in place; spaces are kept between double quotes, which go. How many; -1: a quote
// has no end, -2: there are more than WORDS_MAX.
int parse_words(char *line, char *words[WORDS_MAX]);

// A list of words is one string, each word with its zero: "one\0two\0" (the last zero is C's own).
// Where the word is in the list, -1 if it isn't; the n-th, "?" if there are less.
int list_find(const char *list, const char *word);
const char *list_word(const char *list, unsigned n);

// Decimal, or hexadecimal with 0x.
must_check bool parse_number(const char *text, uint64_t *value);

// Kinds of values.
enum value_kind {
    VALUE_NUMBER,
    VALUE_SIZE,    // bytes: 64M
    VALUE_HARTS,   // as a mask: 0,2-3
    VALUE_FLAG,    // yes, no
    VALUE_RESTART, // the enums of include/diosix.h
    VALUE_ISOLATION,
    VALUE_RIGHTS, // as a mask: manage,console
    VALUE_LINK,   // up, down: whether it is down
    VALUE_WEIGHT, // numbers of which the least and the most are known
    VALUE_CAP,
    VALUE_VCORES,
};

extern const char words_restart[], words_isolation[], words_rights[];

must_check bool parse_value(enum value_kind kind, const char *text, uint64_t *value);

// What such a value looks like: "a number".
const char *value_hint(enum value_kind kind);
