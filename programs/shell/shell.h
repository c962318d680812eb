// The shell: reads lines, starts programs, shows what there is.
//
// It alone reads the console. What is typed while a program runs in the foreground goes to that, key by key, over a
// channel; but for Ctrl-C, which ends it.
#pragma once

#include "sv.h"

#define CTRL_C 3

// jobs.c: programs that were started here.

struct job {
    uint32_t id; // of the task; 0: this place is free
    struct sv_handle task, keyboard;
    bool in_background;
    char name[SV_NAME_SIZE];
};

// How a program is started.
struct launch {
    const char *name, *arguments;
    size_t frames;        // its budget of memory
    uint64_t nanoseconds; // that a run of it may take; 0: the default
    bool in_background;
};

// Says what is wrong, if anything is: NULL then.
struct job *job_start(const struct launch *launch);
void job_wait(struct job *job); // of the foreground, until it has ended
bool job_kill(uint32_t id);     // false: no job of this shell's

// commands.c: does what a line says.
void command_run(char *line, bool in_background);
const char *command_name(unsigned n); // NULL: there are fewer

// complete.c: what Tab does.
void complete(void);

// show.c: lists what there is.
void show_programs(void);
void show_tasks(void);
void show_regions(void);
void show_capabilities(uint32_t task); // 0: of all
void show_channels(void);
void show_machine(void);

// shell.c: after something was printed while a line was being typed, shows that again.
void line_show_again(void);
void line_make_way(void);

// A key that was meant for a program which has ended.
void key_put_back(unsigned char key);

// Reads a number, decimal, all of the word; false if it is none.
bool number_read(const char *word, uint64_t *number);
