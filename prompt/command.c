#include "command.h"

#include <stdarg.h>
#include <string.h>

#include "format.h"
#include "prompt.h"
#include "session.h"

#define CAPSULES_A_STEP 16u // that are looked at

// Of each command: its name and arguments; what it does.
static const char texts[] =
    "help [COMMAND]\0"
    "says what commands there are\0"
    "list\0"
    "all capsules: state, memory, hart time, exits per second\0"
    "top\0"
    "the same, once a second, until a key is typed\0"
    "console NAME\0"
    "goes to the capsule's terminal; Ctrl-] leads back\0"
    "log NAME\0"
    "what it printed last, and how it ended\0"
    "trace NAME [COUNT|off]\0"
    "its last exits; the first time begins to keep them\0"
    "start NAME\0"
    "runs a stopped capsule\0"
    "stop NAME [SECONDS]\0"
    "asks it to shut down; kills it if it has not after 10 s\0"
    "kill NAME\0"
    "ends it at once\0"
    "restart NAME\0"
    "ends it at once and starts it again\0"
    "pause NAME\0"
    "stops its vcores; its time goes on\0"
    "resume NAME\0"
    "lets a paused one go on\0"
    "set NAME [DEVICE] SETTING VALUE\0"
    "changes weight, cap, affinity, exclusive, restart, rights, quota-...; of a device iops, packets, bandwidth, size, "
    "link\0"
    "devices NAME\0"
    "its devices, and what they have done\0"
    "attach NAME DEVICE [DISK]\0"
    "puts a disk into a disk device: its own, or one of the machine's\0"
    "detach NAME DEVICE\0"
    "takes the disk out\0"
    "create NAME from IMAGE [initrd IMAGE] [memory 64M] [vcores 1] [OPTION VALUE]... [DEVICE]... [start] [cmdline "
    "WORDS]\0"
    "makes a capsule; options: isolation, restart, weight, cap, affinity, rights, quota-...; devices: rng, balloon, "
    "console, vsock, disk IMAGE [overlay 64M], net SWITCH [isolated], host-disk NAME [read-only]\0"
    "images\0"
    "what capsules can be made from\0"
    "fork NAME [COUNT] [as NAME]\0"
    "clones a running capsule\0"
    "destroy NAME\0"
    "ends and forgets it and its descendants\0"
    "machine\0"
    "harts, memory, versions\0"
    "poweroff\0"
    "switches the machine off, whatever runs\0"
    "reboot\0"
    "restarts the machine, whatever runs\0";

static const struct command commands[] = {
    {0, 1, 0, 0, STEP_HELP},
    {0, 0, 0, 0, STEP_LIST},
    {0, 0, COMMAND_TERMINAL, 0, STEP_TOP},
    {1, 1, COMMAND_CAPSULE, 0, STEP_CONSOLE},
    {1, 1, COMMAND_CAPSULE, 0, STEP_LOG},
    {1, 2, COMMAND_CAPSULE, 0, STEP_TRACE},
    {1, 1, COMMAND_CAPSULE, DIOSIX_START, STEP_CALL},
    {1, 2, COMMAND_CAPSULE, DIOSIX_STOP, STEP_END},
    {1, 1, COMMAND_CAPSULE, DIOSIX_KILL, STEP_END},
    {1, 1, COMMAND_CAPSULE, DIOSIX_RESTART, STEP_CALL},
    {1, 1, COMMAND_CAPSULE, DIOSIX_PAUSE, STEP_CALL},
    {1, 1, COMMAND_CAPSULE, DIOSIX_RESUME, STEP_CALL},
    {3, 4, COMMAND_CAPSULE, 0, STEP_SET},
    {1, 1, COMMAND_CAPSULE, 0, STEP_DEVICES},
    {2, 3, COMMAND_CAPSULE, true, STEP_ATTACH},
    {2, 2, COMMAND_CAPSULE, false, STEP_ATTACH},
    {3, WORDS_MAX, 0, 0, STEP_CREATE},
    {0, 0, 0, 0, STEP_IMAGES},
    {1, 4, COMMAND_CAPSULE, 0, STEP_FORK},
    {1, 1, COMMAND_CAPSULE, DIOSIX_DESTROY, STEP_END},
    {0, 0, 0, 0, STEP_MACHINE},
    {0, 0, COMMAND_TERMINAL, DIOSIX_POWER_OFF, STEP_POWER},
    {0, 0, COMMAND_TERMINAL, DIOSIX_POWER_REBOOT, STEP_POWER},
};

struct session session;

const char *command_name(unsigned n, char name[COMMAND_NAME_SIZE])
{
    unsigned length = 0;
    if (n >= array_length(commands))
        return NULL;
    const char *text = list_word(texts, 2 * n);
    for (; text[length] && text[length] != ' '; length++)
        name[length] = text[length];
    name[length] = 0;
    return name;
}

const struct command *command_find(const char *word)
{
    char name[COMMAND_NAME_SIZE];
    for (unsigned i = 0; command_name(i, name); i++)
        if (!strcmp(name, word))
            return &commands[i];
    return NULL;
}

// Its name and arguments.
static const char *usage_of(const struct command *command)
{
    return list_word(texts, 2 * (unsigned)(command - commands));
}

// Errors ------------------------------------------------------------------------------------------

enum next fail(struct run *r, const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    format_text(text, sizeof(text), format, arguments);
    va_end(arguments);
    out_format("error: %s", text);
    out_line_end();
    r->failed = true;
    return NEXT_DONE;
}

enum next fail_usage(struct run *r)
{
    return fail(r, "wrong arguments: %s", usage_of(r->command));
}

static enum next fail_state(struct run *r)
{
    static const char cures[] = "start it first\0"
                                "wait until it runs, or kill it\0"
                                "it runs already\0"
                                "resume it first\0"
                                "wait until that is done\0"
                                "wait until that is done\0";
    unsigned state = DIOSIX_ENDING;
    if (ask(DIOSIX_STATUS, r->id, 0, ASK_STATE) == SBI_SUCCESS)
        state = session.answer.status.state;
    return fail(r, "%s is %s: %s", r->name, list_word(words_state, state), list_word(cures, state));
}

enum next fail_call(struct run *r, long error)
{
    static const char lacks[] = "its quota, or its parent's, is used up: see set NAME quota-...\0"
                                "not enough free memory (machine tells): stop or destroy others, or take less\0"
                                "there can be no more capsules: destroy one\0"
                                "no hart would be left for the others: name fewer\0"
                                "one of its devices is not there or in use, or there is no place left for it\0";
    const char *about = r->name[0] ? r->name : "this machine";

    switch (error) {
    case SBI_ERR_FAILED:
        return fail(r, "%s: %s", about, list_word(lacks, (unsigned)session.answer_value - 1));
    case SBI_ERR_NOT_SUPPORTED:
        return fail(r, "%s: not possible here (fork needs isolation gstage)", about);
    case SBI_ERR_INVALID_PARAM:
        return fail(r, "%s: gone, or a value is out of range: %s", about, usage_of(r->command));
    case SBI_ERR_INVALID_STATE:
        return fail_state(r);
    case SBI_ERR_DENIED:
        return fail(r, "%s: refused: who asks has no right to that", about);
    default:
        return fail(r, "%s: refused (%ld)", about, error);
    }
}

enum next done(struct run *r, long error)
{
    return error == SBI_SUCCESS ? NEXT_DONE : fail_call(r, error);
}

// Waiting -----------------------------------------------------------------------------------------

enum next wait_ms(struct run *r, unsigned milliseconds)
{
    r->wake_at = prompt_time(milliseconds);
    return NEXT_WAIT;
}

bool wait_is_over(const struct run *r)
{
    return r->wake_at <= prompt_time(0);
}

// The command in progress ----------------------------------------------------------------------------

#define HELP_WIDTH 28 // of the arguments, in the list of all

static bool is_elsewhere(const struct command *command)
{
    return command->flags & COMMAND_TERMINAL && !prompt_is_at_terminal;
}

static enum next command_help(struct run *r)
{
    if (r->count) {
        const struct command *command = command_find(r->words[0]);
        if (!command)
            return fail(r, "no command '%s': help lists them", r->words[0]);
        r->phase = (unsigned)(command - commands);
    } else {
        while (r->phase < array_length(commands) && is_elsewhere(&commands[r->phase]))
            r->phase++;
        if (r->phase == array_length(commands))
            return NEXT_DONE;
    }
    const char *usage = list_word(texts, 2 * r->phase);
    unsigned length = (unsigned)strlen(usage), width = r->count ? 0 : HELP_WIDTH;
    if (width && length > width) { // whole words, as far as they go
        for (length = width - 4; usage[length] != ' '; length--) {
        }
        out_format("%.*s ...", (int)length, usage);
        out_repeat(' ', width - length - 4);
    } else {
        out_format("%-*s", (int)width, usage);
    }
    if (r->count)
        out_line_end();
    out_format(" %s", list_word(texts, 2 * r->phase++ + 1));
    out_line_end();
    return r->count ? NEXT_DONE : NEXT_MORE;
}

static void finish(void)
{
    session.run.command = NULL;
    prompt_finished(true, session.run.failed);
}

// Says what is wrong with the command line, if it is not carried out.
static void begin_words(struct run *r, unsigned count, char **words)
{
    const struct command *command = command_find(words[0]);

    r->command = command;
    r->words = words + 1;
    r->count = count - 1;
    if (!command)
        fail(r, "no command '%s': help lists them", words[0]);
    else if (is_elsewhere(command))
        fail(r, "%s: only at the machine's terminal", words[0]);
    else if (r->count < command->least || r->count > command->most)
        fail_usage(r);
    else if (command->flags & COMMAND_CAPSULE)
        session.resolving = true;
}

void command_begin(void)
{
    struct session *s = &session;

    memset(&s->run, 0, sizeof(s->run));
    s->resolving = false;
    s->resolve_at = 0;
    int count = parse_words(s->line, s->words);
    if (count > 0)
        begin_words(&s->run, (unsigned)count, s->words);
    else if (count < 0)
        fail(&s->run, count == -1 ? "a quote has no end" : "too many words");
    else
        prompt_finished(false, false);
    if (s->run.failed)
        finish();
}

static enum next resolved(const char *name, uint32_t id)
{
    struct run *r = &session.run;

    session.resolving = false;
    memcpy(r->name, name, sizeof(r->name) - 1);
    r->id = id;
    r->words++;
    r->count--;
    return NEXT_MORE;
}

// Names come first: one may look like an id.
static enum next resolve_id(void)
{
    struct run *r = &session.run;
    uint64_t id;

    if (parse_number(r->words[0], &id) && id && id <= UINT32_MAX && ask(DIOSIX_STATUS, id, 0, ASK_NAME) == SBI_SUCCESS)
        return resolved(session.answer.status.name, (uint32_t)id);
    return fail(r, "no capsule '%s': list shows them", r->words[0]);
}

static enum next resolve(void)
{
    for (unsigned i = 0; i < CAPSULES_A_STEP; i++) {
        uint32_t id = session.resolve_at = ask_next(session.resolve_at, ASK_NAME);
        if (!id)
            return resolve_id();
        if (!strcmp(session.answer.status.name, session.run.words[0]))
            return resolved(session.answer.status.name, id);
    }
    return NEXT_MORE;
}

static enum next step(struct run *r)
{
    switch (r->command->step) {
    case STEP_HELP:
        return command_help(r);
    case STEP_LIST:
        return command_list(r);
    case STEP_TOP:
        return command_top(r);
    case STEP_CONSOLE:
        return command_console(r);
    case STEP_LOG:
        return command_log(r);
    case STEP_TRACE:
        return command_trace(r);
    case STEP_MACHINE:
        return command_machine(r);
    case STEP_IMAGES:
        return command_images(r);
    case STEP_CALL:
        return command_call(r);
    case STEP_END:
        return command_end(r);
    case STEP_SET:
        return command_set(r);
    case STEP_CREATE:
        return command_create(r);
    case STEP_FORK:
        return command_fork(r);
    case STEP_DEVICES:
        return command_devices(r);
    case STEP_ATTACH:
        return command_attach(r);
    default:
        return command_power(r);
    }
}

enum next command_run(uint64_t *deadline)
{
    enum next next = session.resolving ? resolve() : step(&session.run);

    if (next == NEXT_DONE) {
        finish();
        return NEXT_MORE;
    }
    if (next == NEXT_WAIT)
        *deadline = session.run.wake_at;
    return next;
}
