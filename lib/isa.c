#include "isa.h"

#include <string.h>

struct extension {
    uint8_t rule;
    uint8_t length;
    char name[12]; // without its zero if it is that long
};

#define ISA_EXTENSION(constant, name, rule) {ISA_##rule, sizeof(name) - 1, name},
static const struct extension extensions[ISA_COUNT] = {ISA_TABLE(ISA_EXTENSION)};
#undef ISA_EXTENSION

// What stands for several.
struct bundle_name {
    char letter;
    uint8_t parts[7];
    uint8_t count;
};

static const struct bundle_name bundle_names[] = {
    {'g', {ISA_I, ISA_M, ISA_A, ISA_F, ISA_D, ISA_ZICSR, ISA_ZIFENCEI}, 7},
    {'b', {ISA_ZBA, ISA_ZBB, ISA_ZBS}, 3},
};

static bool bundle_add(struct isa *isa, char letter)
{
    for (size_t i = 0; i < array_length(bundle_names); i++) {
        if (bundle_names[i].letter != letter)
            continue;
        for (unsigned part = 0; part < bundle_names[i].count; part++)
            isa_add(isa, (enum isa_extension)bundle_names[i].parts[part]);
        return true;
    }
    return false;
}

// Names mostly come in the table's order: each search starts where the last one ended.
static void name_add(struct isa *isa, const char *name, size_t length, unsigned *hint)
{
    if (length == 1 && bundle_add(isa, *name))
        return;
    for (unsigned tried = 0, i = *hint; tried < ISA_COUNT; tried++, i++) {
        if (i >= ISA_COUNT)
            i = 0;
        if (extensions[i].length != length || memcmp(extensions[i].name, name, length))
            continue;
        isa_add(isa, (enum isa_extension)i);
        *hint = i + 1;
        return;
    }
}

// "rv32" or "rv64".
static bool base_parse(const char *text, struct isa *isa)
{
    memset(isa, 0, sizeof(*isa));
    if (!memcmp(text, "rv32", 4))
        isa->xlen = 32;
    else if (!memcmp(text, "rv64", 4))
        isa->xlen = 64;
    return isa->xlen != 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Versions: "2", "2p1". Answers where they end.
static size_t version_skip(const char *text, size_t at, size_t length)
{
    while (at < length && is_digit(text[at]))
        at++;
    if (at + 1 < length && text[at] == 'p' && is_digit(text[at + 1]))
        for (at++; at < length && is_digit(text[at]); at++) {
        }
    return at;
}

// The length of a long name without the version at its end ("svinval1p0"). Versions without a 'p' can't
// be told from names that end in a digit, and nobody writes them.
static size_t version_trim(const char *name, size_t length)
{
    size_t end = length;
    while (end && is_digit(name[end - 1]))
        end--;
    if (end == length || end < 2 || name[end - 1] != 'p' || !is_digit(name[end - 2]))
        return length;
    end--;
    while (end && is_digit(name[end - 1]))
        end--;
    return end;
}

static bool is_multi_letter(char c)
{
    return c == 'z' || c == 's' || c == 'x';
}

enum status isa_parse_string(const char *text, size_t length, struct isa *isa)
{
    const char *end = memchr(text, 0, length);
    length = end ? (size_t)(end - text) : length;
    if (length < 5 || !base_parse(text, isa) || (text[4] != 'i' && text[4] != 'g'))
        return STATUS_INVALID;
    unsigned hint = 0;
    for (size_t at = 4; at < length;) {
        size_t start = at;
        if (text[at] == '_') {
            at++;
        } else if (is_multi_letter(text[at])) {
            while (at < length && text[at] != '_')
                at++;
            name_add(isa, text + start, version_trim(text + start, at - start), &hint);
        } else {
            name_add(isa, text + start, 1, &hint);
            at = version_skip(text, at + 1, length);
        }
    }
    // They were part of I when this form was made, and S-mode can't be without.
    isa_add(isa, ISA_ZICSR);
    isa_add(isa, ISA_ZIFENCEI);
    isa_add(isa, ISA_ZICNTR);
    return STATUS_OK;
}

enum status isa_parse_list(const char *base, const char *list, size_t length, struct isa *isa)
{
    if (strlen(base) != 5 || !base_parse(base, isa) || base[4] != 'i')
        return STATUS_INVALID;
    unsigned hint = 0;
    isa_add(isa, ISA_I);
    while (length) {
        const char *end = memchr(list, 0, length);
        if (!end)
            return STATUS_INVALID;
        name_add(isa, list, (size_t)(end - list), &hint);
        length -= (size_t)(end + 1 - list);
        list = end + 1;
    }
    return STATUS_OK;
}

void isa_intersect(struct isa *isa, const struct isa *other)
{
    for (size_t i = 0; i < array_length(isa->bits); i++)
        isa->bits[i] &= other->bits[i];
}

enum isa_rule isa_rule(enum isa_extension extension)
{
    return (enum isa_rule)extensions[extension].rule;
}

void isa_guest_filter(const struct isa *host, struct isa *guest)
{
    *guest = *host;
    for (unsigned i = 0; i < ISA_COUNT; i++)
        if (extensions[i].rule == ISA_KEPT)
            isa_remove(guest, (enum isa_extension)i);
    // Who is told of both takes Svade for what is on at first, and asks firmware for the other.
    if (isa_has(guest, ISA_SVADU))
        isa_remove(guest, ISA_SVADE);
}

// A text under construction. What does not fit is counted, not written.
struct writer {
    char *text;
    size_t size;
    size_t used;
};

static void writer_put(struct writer *w, const char *text, size_t length)
{
    for (; length; length--, text++, w->used++)
        if (w->used < w->size)
            w->text[w->used] = *text;
}

// The names of all there are, a separator before or a zero behind each.
static void names_put(const struct isa *isa, struct writer *w, bool as_list)
{
    for (unsigned i = 0; i < ISA_COUNT; i++) {
        if (!isa_has(isa, (enum isa_extension)i))
            continue;
        if (!as_list && extensions[i].length > 1)
            writer_put(w, "_", 1);
        writer_put(w, extensions[i].name, extensions[i].length);
        if (as_list)
            writer_put(w, "", 1);
    }
}

size_t isa_print_string(const struct isa *isa, char *text, size_t size)
{
    struct writer w = {text, size, 0};
    writer_put(&w, isa->xlen == 32 ? "rv32" : "rv64", 4);
    names_put(isa, &w, false);
    writer_put(&w, "", 1);
    return w.used;
}

size_t isa_print_list(const struct isa *isa, char *text, size_t size)
{
    struct writer w = {text, size, 0};
    names_put(isa, &w, true);
    return w.used;
}
