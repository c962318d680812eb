// Commands: who they are, and the one that is being carried out.
#pragma once

#include "ask.h"
#include "parse.h"
#include "types.h"

// How a step ends: the command is done; there is more to do at once; or when the time comes or a key does.
enum next { NEXT_DONE, NEXT_MORE, NEXT_WAIT };

struct run {
    const struct command *command; // NULL: none, a line is being typed
    unsigned count;                // of words, without the command's own and without the capsule's name
    char **words;
    bool failed; // and that was said

    // The capsule that was named, if the command takes one.
    char name[DIOSIX_NAME_SIZE];
    uint32_t id;

    // For the command's own steps; all 0 at its beginning.
    unsigned phase, number, other;
    uint32_t position;
    uint64_t wake_at;
};

// What carries it out.
enum step {
    STEP_HELP,
    STEP_LIST,
    STEP_TOP,
    STEP_CONSOLE,
    STEP_LOG,
    STEP_TRACE,
    STEP_MACHINE,
    STEP_IMAGES,
    STEP_CALL,
    STEP_END,
    STEP_SET,
    STEP_CREATE,
    STEP_FORK,
    STEP_DEVICES,
    STEP_ATTACH,
    STEP_POWER,
};

struct command {
    uint8_t least, most; // arguments, with the capsule's name
    uint8_t flags;       // COMMAND_...
    uint8_t argument;    // what distinguishes commands that share a step
    uint8_t step;        // enum step
};

enum {
    COMMAND_CAPSULE = 1,  // the first argument is a capsule: a name or an id
    COMMAND_TERMINAL = 2, // only for who is there
};

// Begins the command in the session's line: it runs then, or is over already, or there was none.
void command_begin(void);
// A step of the one that runs. NEXT_WAIT: until *deadline.
enum next command_run(uint64_t *deadline);

#define COMMAND_NAME_SIZE 12u

// The n-th command's name, NULL after the last.
const char *command_name(unsigned n, char name[COMMAND_NAME_SIZE]);
const struct command *command_find(const char *name);

// For commands ----------------------------------------------------------------------------------

// Ends the command with a line that says what is wrong, and the cure.
enum next fail(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same, by what a management call answered about the capsule; answer_value is its value.
enum next fail_call(struct run *r, long error);
enum next fail_usage(struct run *r);
// NEXT_DONE for success.
enum next done(struct run *r, long error);

// Waits. Steps may come earlier: then `wait_is_over` is false.
enum next wait_ms(struct run *r, unsigned milliseconds);
bool wait_is_over(const struct run *r);

// operate.c, listing.c, show.c, devices.c
enum next command_list(struct run *r);
enum next command_top(struct run *r);
enum next command_console(struct run *r);
enum next command_log(struct run *r);
enum next command_trace(struct run *r);
enum next command_machine(struct run *r);
enum next command_images(struct run *r);
enum next command_call(struct run *r);
enum next command_end(struct run *r);
enum next command_set(struct run *r);
enum next command_create(struct run *r);
enum next command_fork(struct run *r);
enum next command_devices(struct run *r);
enum next command_set_device(struct run *r);
enum next command_set_balloon(struct run *r);
enum next command_attach(struct run *r);
enum next command_power(struct run *r);

// devices.c: DIOSIX_ATTACH with a disk of that name, NULL: takes it out. And the command's end when that failed.
long ask_attach(uint32_t id, unsigned slot, const char *disk);
enum next attach_failed(struct run *r, long error, const char *disk);

// operate.c, devices.c: words that can be completed.
extern const char words_settings[], words_options[], words_device_settings[];
extern const char words_state[];
