#include "isa.h"

#include <string.h>

// The table as bytes, one name after the other, without padding or pointers: a head, then the name's
// letters. The head is the rule in the upper four bits and the name's length in the lower four.
#define ISA_ENTRY_TYPE(constant, name, rule)                                                                           \
    struct {                                                                                                           \
        uint8_t head;                                                                                                  \
        char letters[sizeof(name) - 1];                                                                                \
    } constant;
#define ISA_ENTRY(constant, name, rule) {ISA_##rule << 4 | (sizeof(name) - 1), name},
static const struct {
    ISA_TABLE(ISA_ENTRY_TYPE)
} entries = {ISA_TABLE(ISA_ENTRY)};
#undef ISA_ENTRY_TYPE
#undef ISA_ENTRY

struct entry {
    const char *name;
    uint8_t length;
    uint8_t rule;
};

// Takes the entry at `*at` and goes on to the next.
static struct entry entry_next(const char **at)
{
    uint8_t head = (uint8_t)(*at)[0];
    struct entry entry = {*at + 1, head & 15, head >> 4};
    *at += 1 + entry.length;
    return entry;
}

static void name_add(struct isa *isa, const char *name, size_t length)
{
    const char *at = (const char *)&entries;
    for (unsigned i = 0; i < ISA_COUNT; i++) {
        struct entry entry = entry_next(&at);
        if (entry.length == length && !memcmp(entry.name, name, length))
            isa_add(isa, (enum isa_extension)i);
    }
}

// "rv32i" or "rv64i".
static bool base_parse(const char *text, struct isa *isa)
{
    memset(isa, 0, sizeof(*isa));
    if (!memcmp(text, "rv32i", 5))
        isa->xlen = 32;
    else if (!memcmp(text, "rv64i", 5))
        isa->xlen = 64;
    isa_add(isa, ISA_I);
    return isa->xlen != 0;
}

static void implied_add(struct isa *isa)
{
    if (!isa_has(isa, ISA_B))
        return;
    isa_add(isa, ISA_ZBA);
    isa_add(isa, ISA_ZBB);
    isa_add(isa, ISA_ZBS);
}

// Versions, which nobody writes any more: digits and a 'p' after a single letter are unknown names of
// their own and so passed over; a long name with one is unknown.
enum status isa_parse_string(const char *text, size_t length, struct isa *isa)
{
    length = strnlen(text, length);
    if (length < 5 || !base_parse(text, isa))
        return STATUS_INVALID;
    for (const char *at = text + 5, *end = text + length; at < end;) {
        const char *start = at++;
        if (*start == 'z' || *start == 's' || *start == 'x')
            while (at < end && *at != '_')
                at++;
        name_add(isa, start, (size_t)(at - start));
    }
    implied_add(isa);
    // They were part of I when this form was made, and S-mode can't be without.
    isa_add(isa, ISA_ZICSR);
    isa_add(isa, ISA_ZIFENCEI);
    isa_add(isa, ISA_ZICNTR);
    return STATUS_OK;
}

enum status isa_parse_list(const char *base, const char *list, size_t length, struct isa *isa)
{
    if (strlen(base) != 5 || !base_parse(base, isa))
        return STATUS_INVALID;
    for (size_t name; length; list += name + 1, length -= name + 1) {
        name = strnlen(list, length);
        if (name == length)
            return STATUS_INVALID; // the last one has no end
        name_add(isa, list, name);
    }
    implied_add(isa);
    return STATUS_OK;
}

void isa_intersect(struct isa *isa, const struct isa *other)
{
    for (size_t i = 0; i < array_length(isa->bits); i++)
        isa->bits[i] &= other->bits[i];
}

void isa_drop(struct isa *isa, enum isa_rule rule)
{
    const char *at = (const char *)&entries;
    for (unsigned i = 0; i < ISA_COUNT; i++)
        if (entry_next(&at).rule == rule)
            isa_remove(isa, (enum isa_extension)i);
}

void isa_guest_filter(const struct isa *host, struct isa *guest)
{
    *guest = *host;
    isa_drop(guest, ISA_KEPT);
    if (!isa_has(host, ISA_F))
        isa_drop(guest, ISA_FLOAT);
    if (!isa_has(host, ISA_V))
        isa_drop(guest, ISA_VECTOR);
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
    size_t end = w->used + length;
    while (w->used < end && w->used < w->size)
        w->text[w->used++] = *text++;
    w->used = end;
}

// The names of all there are, a separator before or a zero behind each.
static void names_put(const struct isa *isa, struct writer *w, bool as_list)
{
    const char *at = (const char *)&entries;
    for (unsigned i = 0; i < ISA_COUNT; i++) {
        struct entry entry = entry_next(&at);
        if (!isa_has(isa, (enum isa_extension)i))
            continue;
        if (!as_list && entry.length > 1)
            writer_put(w, "_", 1);
        writer_put(w, entry.name, entry.length);
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
