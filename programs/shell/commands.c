#include "shell.h"

#include <stdio.h>
#include <string.h>

#include "../init/init.h"
#include "words.h"

#define WORDS_MAX 24
#define FRAMES_DEFAULT 1024 // 4 MiB

struct line {
    char **words;
    unsigned count;
    bool in_background;
};

static void help(const struct line *line);

static void programs(const struct line *line)
{
    (void)line;
    show_programs();
}

// A size such as 512K or 8M, as frames; 0: it is none.
static size_t frames_read(char *word)
{
    size_t length = strlen(word);
    char unit = length ? word[length - 1] : 0;
    uint64_t number;
    if (unit != 'K' && unit != 'M')
        return 0;
    word[length - 1] = 0;
    if (!number_read(word, &number) || number > 1 << 20)
        return 0;
    return (size_t)(unit == 'M' ? number * 256 : (number + 3) / 4);
}

// The options before a program's name; how many words they are. False: said what is wrong.
static bool options_read(const struct line *line, unsigned *at, struct launch *launch)
{
    uint64_t number;
    static char none[] = "";
    while (*at < line->count && line->words[*at][0] == '-') {
        const char *option = line->words[*at];
        char *value = *at + 1 < line->count ? line->words[*at + 1] : none;
        if (!strcmp(option, "-m") && (launch->frames = frames_read(value))) {
            *at += 2;
        } else if (!strcmp(option, "-t") && number_read(value, &number) && number && number <= 3600000) {
            launch->nanoseconds = number * 1000000;
            *at += 2;
        } else {
            printf("shell: run knows -m SIZE (512K, 8M) and -t MILLISECONDS before the program's name\n");
            return false;
        }
    }
    return true;
}

// The words from 'at' on, with spaces between them; a word with spaces gets its quotes back.
static void words_join(char *to, size_t size, const struct line *line, unsigned at)
{
    *to = 0;
    for (unsigned i = at; i < line->count; i++) {
        const char *quote = strchr(line->words[i], ' ') || !*line->words[i] ? "\"" : "";
        size_t length = strlen(to);
        snprintf(to + length, size - length, "%s%s%s%s", i == at ? "" : " ", quote, line->words[i], quote);
    }
}

static void run_from(const struct line *line, unsigned at)
{
    static char arguments[SV_ARGUMENTS_SIZE];
    struct launch launch = {.frames = FRAMES_DEFAULT, .in_background = line->in_background};

    if (!options_read(line, &at, &launch))
        return;
    if (at >= line->count) {
        printf("shell: run which program? 'programs' lists them\n");
        return;
    }
    words_join(arguments, sizeof(arguments), line, at + 1);
    launch.name = line->words[at];
    launch.arguments = arguments;
    struct job *job = job_start(&launch);
    if (job && !launch.in_background)
        job_wait(job);
}

static void run(const struct line *line)
{
    run_from(line, 1);
}

static void tasks(const struct line *line)
{
    (void)line;
    show_tasks();
}

static void regions(const struct line *line)
{
    (void)line;
    show_regions();
}

static void caps(const struct line *line)
{
    uint64_t task = 0;
    if (line->count > 1 && !number_read(line->words[1], &task))
        printf("shell: caps of which task? 'tasks' lists them\n");
    else
        show_capabilities((uint32_t)task);
}

static void channels(const struct line *line)
{
    (void)line;
    show_channels();
}

static void machine(const struct line *line)
{
    (void)line;
    show_machine();
}

static void kill(const struct line *line)
{
    uint64_t id;
    if (line->count != 2 || !number_read(line->words[1], &id))
        printf("shell: kill which task? 'tasks' lists them\n");
    else if (!job_kill((uint32_t)id))
        printf("shell: %u is no program that was started here\n", (unsigned)id);
}

static void crash(const struct line *line)
{
    static volatile uintptr_t nowhere = 64; // the compiler is not to see it
    (void)line;
    *(volatile int *)nowhere = 0;
}

static void init_ask(enum init_request request)
{
    enum sv_status status = sv_send(sv_granted("init"), request, 0, 0, 0);
    if (status != SV_OK)
        printf("shell: init does not listen: %s\n", sv_status_text(status));
}

static void poweroff(const struct line *line)
{
    (void)line;
    init_ask(INIT_POWER_OFF);
}

static void reboot(const struct line *line)
{
    (void)line;
    init_ask(INIT_REBOOT);
}

static const struct {
    const char *name, *arguments, *text;
    void (*run)(const struct line *line);
} commands[] = {
    {"help", "", "this", help},
    {"programs", "", "lists what can be run", programs},
    {"run", "[-m SIZE] [-t MS] NAME [ARGUMENT...] [&]",
     "runs a program; & in the background. 'run' and options may be left out", run},
    {"tasks", "", "lists the tasks", tasks},
    {"regions", "", "lists the regions of memory", regions},
    {"caps", "[TASK]", "lists capabilities: who may do what", caps},
    {"channels", "", "lists the channels", channels},
    {"machine", "", "describes the machine", machine},
    {"kill", "TASK", "ends a program that was started here", kill},
    {"crash", "", "makes the shell fault; init starts it again", crash},
    {"reboot", "", "starts all anew", reboot},
    {"poweroff", "", "switches off", poweroff},
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void help(const struct line *line)
{
    (void)line;
    for (unsigned i = 0; i < COMMANDS; i++)
        printf("%s%s%s\n        %s\n", commands[i].name, *commands[i].arguments ? " " : "", commands[i].arguments,
               commands[i].text);
    printf("Ctrl-C ends the program in the foreground. Several commands: with ; between them.\n");
}

void command_run(char *text, bool in_background)
{
    char *words[WORDS_MAX + 1];
    struct line line = {words, words_split(text, words, WORDS_MAX + 1), in_background};
    if (line.count > WORDS_MAX) {
        printf("shell: more than %d words\n", WORDS_MAX);
        return;
    }
    if (!line.count && !in_background)
        return;
    for (unsigned i = 0; line.count && i < COMMANDS; i++) {
        if (!strcmp(words[0], commands[i].name)) {
            commands[i].run(&line);
            return;
        }
    }
    run_from(&line, 0);
}

const char *command_name(unsigned n)
{
    return n < COMMANDS ? commands[n].name : NULL;
}

bool number_read(const char *word, uint64_t *number)
{
    *number = 0;
    if (!*word || strlen(word) > 10)
        return false;
    for (; *word >= '0' && *word <= '9'; word++)
        *number = *number * 10 + (unsigned)(*word - '0');
    return !*word;
}
