#include "options.h"

#include <string.h>

// A word of the command line, not terminated.
struct word {
    const char *text;
    size_t length;
};

static bool word_is(struct word w, const char *text)
{
    return w.length == strlen(text) && !memcmp(w.text, text, w.length);
}

// What comes after `key` (which ends in '='); false if the word is another.
static bool value_of(struct word w, const char *key, struct word *value)
{
    size_t length = strlen(key);
    if (w.length < length || memcmp(w.text, key, length))
        return false;
    *value = (struct word){w.text + length, w.length - length};
    return true;
}

static bool console_parse(struct word value, struct options *options)
{
    struct word name;
    if (word_is(value, "interleaved")) {
        options->console = OPTIONS_INTERLEAVED;
        return true;
    }
    if (!value_of(value, "attach:", &name) || !name.length || name.length >= CAPSULE_NAME_SIZE)
        return false;
    options->console = OPTIONS_ATTACHED;
    memset(options->attach, 0, sizeof(options->attach));
    memcpy(options->attach, name.text, name.length);
    return true;
}

static bool log_parse(struct word value, struct options *options)
{
    static const char levels[][6] = {[LOG_ERROR] = "error", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    for (unsigned i = 0; i < array_length(levels); i++) {
        if (!word_is(value, levels[i]))
            continue;
        options->log = (enum log_level)i;
        return true;
    }
    return false;
}

// Null if the word was understood.
static const char *word_parse(struct word w, struct options *options)
{
    struct word value;
    if (value_of(w, "isolation=", &value))
        return bundle_isolation_parse(value.text, value.length, &options->isolation)
                   ? NULL
                   : "isolation must be auto, gstage or pmp";
    if (value_of(w, "console=", &value))
        return console_parse(value, options) ? NULL : "console must be interleaved or attach:NAME";
    if (value_of(w, "log=", &value))
        return log_parse(value, options) ? NULL : "log must be error, info or debug";
    if (word_is(w, "verify"))
        options->verify = true;
    else if (word_is(w, "scrub"))
        options->scrub = true;
    else
        return "unknown (isolation=, console=, log=, verify, scrub are known)";
    return NULL;
}

void options_parse(const char *bootargs, struct options *options)
{
    static const char blanks[] = " \t\r\n";
    *options = (struct options){.isolation = BUNDLE_ISOLATION_AUTO, .log = LOG_INFO};
    for (const char *at = bootargs + strspn(bootargs, blanks); *at; at += strspn(at, blanks)) {
        struct word w = {at, strcspn(at, blanks)};
        const char *problem = word_parse(w, options);
        if (problem && options->bad_count < OPTIONS_BAD_MAX)
            options->bad[options->bad_count++] = (struct options_bad){w.text, w.length, problem};
        at += w.length;
    }
}
