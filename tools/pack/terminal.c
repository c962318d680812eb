#include "terminal.h"

#include <stdio.h>
#include <string.h>

#define NAME "console"
#define MEMORY ((uint64_t)16 << 20)
#define RIGHTS (MANIFEST_RIGHT_MANAGE | MANIFEST_RIGHT_CONSOLE)

static bool is_word(const struct text *text, const char *word)
{
    return text->value && strcmp(text->value, word) == 0;
}

static const struct manifest_capsule *capsule_find(const struct manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->count; i++)
        if (is_word(&manifest->capsules[i].name, name))
            return &manifest->capsules[i];
    return NULL;
}

static bool has_keeper(const struct manifest *manifest)
{
    bool found = false;
    for (size_t i = 0; i < manifest->count; i++)
        found = found || (manifest->capsules[i].rights.value & RIGHTS) == RIGHTS;
    return found;
}

static char *text_make(const char *format, const char *word)
{
    char *made;
    if (asprintf(&made, format, word) < 0)
        report_fatal((struct place){"pack", 0}, "out of memory");
    return made;
}

void terminal_complete(struct manifest *manifest, const char *folder)
{
    const struct text *terminal = &manifest->terminal;
    const char *first = terminal->value ? terminal->value : "";
    bool is_all = is_word(terminal, "all"), is_plain = is_word(terminal, "plain");

    if (*first && !is_all && !is_plain && !capsule_find(manifest, first))
        report_error(terminal->place, "terminal: there is no capsule '%s': name one, or say all or plain", first);
    if (!folder || is_plain || has_keeper(manifest))
        return;
    const struct manifest_capsule *other = capsule_find(manifest, NAME);
    if (other)
        report_error(other->name.place, "name '" NAME "' is that of the capsule which keeps the machine's terminal: "
                                        "choose another, or add `terminal: plain` to do without that");
    if (manifest->count == MANIFEST_CAPSULES_MAX)
        report_error(manifest->place,
                     "more than %d capsules, with that which keeps the terminal: leave one out, or add "
                     "`terminal: plain`",
                     MANIFEST_CAPSULES_MAX - 1);
    if (other || manifest->count == MANIFEST_CAPSULES_MAX)
        return;
    manifest->capsules[manifest->count++] = (struct manifest_capsule){
        .place = manifest->place,
        .name = {text_make("%s", NAME), manifest->place},
        .kernel = {text_make("%s/supervisor.bin", folder), manifest->place},
        .initrd = {text_make("%s/programs.cpio", folder), manifest->place},
        .cmdline = {text_make(is_all ? "init=console" : "init=console attach=%s", first), manifest->place},
        .restart = {text_make("%s", "always"), manifest->place},
        .memory = {MEMORY, manifest->place},
        .vcores = {1, manifest->place},
        .weight = {MANIFEST_WEIGHT_DEFAULT, manifest->place},
        .rights = {RIGHTS, manifest->place},
    };
}
