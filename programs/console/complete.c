#include "complete.h"

#include <string.h>

#include "session.h"

#define WORDS_A_STEP 16u

enum kind {
    KIND_NONE,
    KIND_COMMANDS,
    KIND_CAPSULES,
    KIND_IMAGES,
    KIND_SETTINGS,
    KIND_OPTIONS,
    KIND_DEVICE_SETTINGS,
    KIND_VALUES,
};

static struct {
    bool busy;
    bool listing; // the second time round: more than one fits, and nothing is common to them
    enum kind kind;
    uint32_t at;        // among all words of the kind
    const char *values; // those of KIND_VALUES
    const char *typed;
    unsigned length; // of what was typed
    unsigned matches;
    char common[DIOSIX_NAME_SIZE]; // what all matches begin with
} c;

// What a setting or option can be, NULL if that is no word of a few.
static const char *values_of(const char *setting)
{
    static const struct {
        const char *setting, *values;
    } all[] = {
        {"restart", words_restart}, {"isolation", words_isolation}, {"rights", "none\0manage\0console\0"},
        {"exclusive", "yes\0no\0"}, {"affinity", "all\0"},          {"link", "up\0down\0"},
    };
    for (unsigned i = 0; i < array_length(all); i++)
        if (!strcmp(all[i].setting, setting))
            return all[i].values;
    return NULL;
}

// What belongs where the word is: `words` come before it on the line, the last of them is `last`.
static enum kind kind_of(const struct command *command, const char *name, unsigned words, const char *last)
{
    if (words == 0 || (words == 1 && !strcmp(name, "help")))
        return KIND_COMMANDS;
    if (!command)
        return KIND_NONE;
    if (words == 1)
        return command->flags & COMMAND_CAPSULE ? KIND_CAPSULES : KIND_NONE;
    if (command->step != STEP_SET && command->step != STEP_CREATE)
        return KIND_NONE;
    if (words > 2 && (c.values = values_of(last)))
        return KIND_VALUES;
    if (command->step == STEP_SET && words == 2)
        return KIND_SETTINGS;
    if (command->step == STEP_SET)
        return words == 3 && list_find(words_settings, last) < 0 ? KIND_DEVICE_SETTINGS : KIND_NONE;
    return !strcmp(last, "from") || !strcmp(last, "initrd") || !strcmp(last, "disk") ? KIND_IMAGES : KIND_OPTIONS;
}

void complete_begin(void)
{
    static char before[EDIT_SIZE];
    char *words[WORDS_MAX];
    unsigned length, word;
    const char *line = edit_before_cursor(&length);

    for (word = length; word && line[word - 1] != ' ';)
        word--;
    memcpy(before, line, word);
    before[word] = 0;
    int count = parse_words(before, words);
    if (count < 0)
        count = 0;
    memset(&c, 0, sizeof(c));
    c.busy = true;
    c.typed = line + word;
    c.length = length - word;
    c.kind = kind_of(count ? command_find(words[0]) : NULL, count ? words[0] : "", (unsigned)count,
                     count ? words[count - 1] : "");
}

bool complete_is_busy(void)
{
    return c.busy;
}

static const char *listed(const char *list)
{
    const char *word = list_word(list, c.at++);
    return *word == '?' ? NULL : word;
}

static const char *capsule(void)
{
    c.at = ask_next(c.at, ASK_NAME);
    return c.at ? session.answer.status.name : NULL;
}

static const char *image(void)
{
    return ask(DIOSIX_IMAGE, c.at++, 0, sizeof(session.answer.image)) == SBI_SUCCESS ? session.answer.image.name : NULL;
}

// The next word there is, NULL after the last.
static const char *word_next(void)
{
    static char name[COMMAND_NAME_SIZE];
    switch (c.kind) {
    case KIND_COMMANDS:
        return command_name(c.at++, name);
    case KIND_CAPSULES:
        return capsule();
    case KIND_IMAGES:
        return image();
    case KIND_SETTINGS:
        return listed(words_settings);
    case KIND_OPTIONS:
        return listed(words_options);
    case KIND_DEVICE_SETTINGS:
        return listed(words_device_settings);
    case KIND_VALUES:
        return listed(c.values);
    default:
        return NULL;
    }
}

static void match(const char *word)
{
    unsigned same = 0;
    if (c.listing) {
        out_format("%s  ", word);
        return;
    }
    if (!c.matches++) {
        strncpy(c.common, word, sizeof(c.common) - 1);
        return;
    }
    while (c.common[same] && c.common[same] == word[same])
        same++;
    c.common[same] = 0;
}

static void line_again(void)
{
    out_line_end();
    edit_draw();
    c.busy = false;
}

// All words have been looked at once.
static enum next decide(void)
{
    unsigned common = (unsigned)strlen(c.common);

    if (common > c.length || c.matches == 1) {
        edit_insert(c.common + c.length, common - c.length);
        if (c.matches == 1)
            edit_insert(" ", 1);
    } else if (c.matches) {
        c.listing = true;
        c.at = 0;
        out_line_end();
        return NEXT_MORE;
    } else {
        edit_bell();
    }
    c.busy = false;
    return NEXT_MORE;
}

enum next complete_step(void)
{
    for (unsigned i = 0; i < WORDS_A_STEP; i++) {
        const char *word = word_next();
        if (!word && !c.listing)
            return decide();
        if (!word) {
            line_again();
            return NEXT_MORE;
        }
        if (*word && !strncmp(word, c.typed, c.length))
            match(word);
    }
    return NEXT_MORE;
}
