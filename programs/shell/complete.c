// Tab: completes the name of a command or program.
#include "shell.h"

#include <stdio.h>
#include <string.h>

#include "edit.h"

struct completion {
    const char *begun; // what was typed of the name
    unsigned length;
    char common[SV_NAME_SIZE]; // what all that begin so have in common
    unsigned common_length, count;
    bool is_listing;
};

static void name_consider(struct completion *c, const char *name)
{
    if (strncmp(name, c->begun, c->length))
        return;
    if (c->is_listing) {
        printf("%s  ", name);
        return;
    }
    if (!c->count++) {
        c->common_length = (unsigned)strnlen(name, SV_NAME_SIZE - 1);
        memcpy(c->common, name, c->common_length);
    }
    unsigned same = c->length;
    while (same < c->common_length && name[same] == c->common[same])
        same++;
    c->common_length = same;
}

static void names_consider(struct completion *c)
{
    struct sv_program program;
    const char *name;

    for (unsigned i = 0; (name = command_name(i)); i++)
        name_consider(c, name);
    for (uint32_t from = 0, id;
         sv_inspect(sv_granted("system"), SV_KIND_PROGRAM, from, &program, sizeof(program), &id) == SV_OK;
         from = id + 1)
        name_consider(c, program.name);
}

// The name that is being typed: a command's first word, or what follows `run`. NULL: it is something else.
static const char *name_begun(const char *line, unsigned *length)
{
    for (unsigned i = *length; i--;) {
        if (line[i] == ';') {
            line += i + 1;
            *length -= i + 1;
            break;
        }
    }
    while (*length && *line == ' ')
        line++, --*length;
    if (*length >= 4 && !strncmp(line, "run ", 4))
        line += 4, *length -= 4;
    return memchr(line, ' ', *length) || *length >= SV_NAME_SIZE ? NULL : line;
}

void complete(void)
{
    struct completion c = {0};
    const char *line = edit_before_cursor(&c.length);

    c.begun = name_begun(line, &c.length);
    if (c.begun)
        names_consider(&c);
    if (c.count == 1 || c.common_length > c.length) {
        edit_insert(c.common + c.length, c.common_length - c.length);
        if (c.count == 1)
            edit_insert(" ", 1);
        return;
    }
    edit_bell();
    if (!c.count)
        return;
    line_make_way();
    c.is_listing = true;
    names_consider(&c);
    printf("\n");
    line_show_again();
}
