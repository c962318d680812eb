// Commands that do something to capsules.
#include <string.h>

#include "command.h"
#include "prompt.h"
#include "session.h"

#define STOP_SECONDS 10u
#define STOP_SECONDS_MAX 86400u
#define POLL 50u // ms: how often it is looked whether a capsule has ended
#define FORKS_MAX 1000u
#define MEMORY_DEFAULT (64ULL << 20)

const char words_state[] = "stopped\0loading\0running\0paused\0ending\0forking\0";

// What is wrong with it, the hypervisor tells beside the prompt.
static enum next started(struct run *r, long error)
{
    if (error == SBI_ERR_INVALID_PARAM)
        return fail(r, "%s can't be started with this kernel, initrd and memory", r->name);
    return done(r, error);
}

enum next command_call(struct run *r)
{
    long error = ask(r->command->argument, r->id, 0, 0);

    return r->command->argument == DIOSIX_START ? started(r, error) : done(r, error);
}

enum next command_power(struct run *r)
{
    return done(r, ask(DIOSIX_POWER, r->command->argument, 0, 0));
}

// stop, kill, destroy -------------------------------------------------------------------------------

static enum next end_begin(struct run *r)
{
    uint64_t seconds = STOP_SECONDS;
    if (r->count && (!parse_number(r->words[0], &seconds) || seconds > STOP_SECONDS_MAX))
        return fail(r, "'%s' are no seconds: 0 to %u", r->words[0], STOP_SECONDS_MAX);
    long error = ask(r->command->argument, r->id, seconds * 1000, 0);
    r->phase = 1;
    return error == SBI_SUCCESS ? NEXT_MORE : fail_call(r, error);
}

enum next command_end(struct run *r)
{
    if (r->phase == 0)
        return end_begin(r);
    if (ask(DIOSIX_STATUS, r->id, 0, ASK_STATE) != SBI_SUCCESS)
        return NEXT_DONE; // and nothing is left of it
    if (session.answer.status.state == DIOSIX_STOPPED && r->command->argument != DIOSIX_DESTROY)
        return NEXT_DONE;
    if (prompt_is_interrupted())
        return fail(r, "no longer waited for: %s is still %s, list tells when it is not", r->name,
                    list_word(words_state, session.answer.status.state));
    return wait_ms(r, POLL);
}

// set -------------------------------------------------------------------------------------------------

const char words_settings[] = // from DIOSIX_SET_WEIGHT
    "weight\0cap\0affinity\0exclusive\0restart\0rights\0quota-memory\0quota-vcores\0quota-capsules\0";
static const uint8_t setting_kinds[] = {VALUE_WEIGHT, VALUE_CAP,  VALUE_HARTS,  VALUE_FLAG,  VALUE_RESTART,
                                        VALUE_RIGHTS, VALUE_SIZE, VALUE_NUMBER, VALUE_NUMBER};

static enum next fail_value(struct run *r, const char *what, enum value_kind kind, const char *text)
{
    return fail(r, "'%s' is no %s: that is %s", text, what, value_hint(kind));
}

enum next command_set(struct run *r)
{
    int n = list_find(words_settings, r->words[0]);
    uint64_t value;

    if (r->count == 3)
        return command_set_device(r);
    if (!strcmp(r->words[0], "balloon"))
        return command_set_balloon(r);
    if (n < 0)
        return fail(
            r, "no setting '%s': weight, cap, affinity, exclusive, restart, rights, quota-memory, -vcores, -capsules",
            r->words[0]);
    if (!parse_value(setting_kinds[n], r->words[1], &value))
        return fail_value(r, r->words[0], setting_kinds[n], r->words[1]);
    long error = ask_set(r->id, (enum diosix_setting)(DIOSIX_SET_WEIGHT + n), value);
    if (error == SBI_ERR_INVALID_PARAM && setting_kinds[n] == VALUE_HARTS)
        return fail(r, "%s: not on harts %s: machine lists those there are", r->name, r->words[1]);
    if (error == SBI_ERR_INVALID_PARAM && setting_kinds[n] == VALUE_FLAG)
        return fail(r, "%s: which harts? Not all: set %s affinity first", r->name, r->name);
    return done(r, error);
}

// create -----------------------------------------------------------------------------------------------

const char words_options[] = "from\0initrd\0memory\0vcores\0isolation\0restart\0weight\0cap\0affinity\0rights\0"
                             "quota-memory\0quota-vcores\0quota-capsules\0start\0cmdline\0"
                             "rng\0balloon\0console\0vsock\0disk\0net\0host-disk\0overlay\0isolated\0read-only\0";
enum {
    OPTION_FROM,
    OPTION_INITRD,
    OPTION_START = 13,
    OPTION_CMDLINE,
    OPTION_RNG, // devices, in their order, each with what follows of the last three
    OPTION_BALLOON,
    OPTION_CONSOLE,
    OPTION_VSOCK,
    OPTION_DISK, // from here on with a name
    OPTION_NET,
    OPTION_HOST_DISK,
    OPTION_OVERLAY,
    OPTION_ISOLATED,
    OPTION_READ_ONLY,
};

#define AT(member, kind)                                                                                               \
    {                                                                                                                  \
        kind, offsetof(struct diosix_create, member), sizeof(((struct diosix_create *)0)->member)                      \
    }
static const struct {
    uint8_t kind, offset, bytes;
} options[] = {
    AT(kernel, 0),
    AT(initrd, 0),
    AT(memory, VALUE_SIZE),
    AT(vcores, VALUE_VCORES),
    AT(isolation, VALUE_ISOLATION),
    AT(restart, VALUE_RESTART),
    AT(weight, VALUE_WEIGHT),
    AT(cap, VALUE_CAP),
    AT(affinity, VALUE_HARTS),
    AT(rights, VALUE_RIGHTS),
    AT(quota.memory, VALUE_SIZE),
    AT(quota.vcores, VALUE_NUMBER),
    AT(quota.capsules, VALUE_NUMBER),
};

static bool name_is_valid(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length && !name[length] && length < DIOSIX_NAME_SIZE;
}

static bool option_set(struct run *r, int n, const char *text)
{
    char *at = session.answer.create_bytes + options[n].offset;
    uint64_t value;

    if (n <= OPTION_INITRD) {
        if (name_is_valid(text))
            strcpy(at, text);
        else
            fail(r, "'%s' is no name of an image: images lists them", text);
    } else if (!parse_value(options[n].kind, text, &value) || (options[n].bytes == 4 && value > UINT32_MAX)) {
        fail_value(r, list_word(words_options, (unsigned)n), options[n].kind, text);
    } else {
        memcpy(at, &value, options[n].bytes); // little-endian
    }
    return !r->failed;
}

// The rest of the words; its length. A line has room for no more.
static size_t cmdline(struct run *r, unsigned word)
{
    char *to = session.answer.create.cmdline;
    for (; word < r->count; word++) {
        size_t length = strlen(r->words[word]);
        memcpy(to, r->words[word], length);
        to += length;
        *to++ = ' ';
    }
    return to == session.answer.create.cmdline ? 0 : (size_t)(to - session.answer.create.cmdline) - 1;
}

// From the words to answer.create; its size with the command line, 0 if that failed.
static size_t create_parse(struct run *r, bool *start)
{
    for (unsigned i = 1; i < r->count; i++) {
        int n = list_find(words_options, r->words[i]);
        if (n == OPTION_CMDLINE)
            return sizeof(session.answer.create) + cmdline(r, i + 1);
        *start = *start || n == OPTION_START;
        if (n == OPTION_START || (n >= OPTION_RNG && n < OPTION_DISK) || n >= OPTION_ISOLATED)
            continue;
        if (n < 0 || ++i == r->count) {
            fail(r, n < 0 ? "no option '%s': help create lists them" : "%s wants a value", r->words[n < 0 ? i : i - 1]);
            return 0;
        }
        if (n < OPTION_START && !option_set(r, n, r->words[i]))
            return 0;
    }
    return sizeof(session.answer.create);
}

static bool is_next(const struct run *r, unsigned i, const char *word)
{
    return i + 1 < r->count && !strcmp(r->words[i + 1], word);
}

// The device in word *i, and what follows it, into answer.equip; *i becomes its last word. False: that is none.
static bool equip_parse(struct run *r, unsigned *i)
{
    static const uint8_t kinds[] = {DIOSIX_DEVICE_RNG,      DIOSIX_DEVICE_BALLOON, DIOSIX_DEVICE_CONSOLE,
                                    DIOSIX_DEVICE_VSOCK,    DIOSIX_DEVICE_DISK,    DIOSIX_DEVICE_NET,
                                    DIOSIX_DEVICE_HOST_DISK};
    struct diosix_equip *e = &session.answer.equip;
    int n = list_find(words_options, r->words[*i]);

    if (n < OPTION_RNG || n > OPTION_HOST_DISK)
        return false;
    *e = (struct diosix_equip){.kind = kinds[n - OPTION_RNG]};
    *i += n >= OPTION_DISK;
    if (n == OPTION_DISK || n == OPTION_NET)
        strncpy(e->name, r->words[*i], sizeof(e->name) - 1);
    if (n == OPTION_NET && is_next(r, *i, "isolated")) {
        e->flags = DIOSIX_EQUIP_ISOLATED;
        ++*i;
    } else if (n == OPTION_HOST_DISK && is_next(r, *i, "read-only")) {
        e->flags = DIOSIX_EQUIP_READONLY;
        ++*i;
    } else if (n == OPTION_DISK && *i + 2 < r->count && is_next(r, *i, "overlay")) {
        *i += 2;
        if (!parse_value(VALUE_SIZE, r->words[*i], &e->overlay))
            fail_value(r, "overlay", VALUE_SIZE, r->words[*i]);
    }
    return true;
}

static enum next equip_failed(struct run *r, long error, const char *what)
{
    if (error == SBI_ERR_INVALID_PARAM)
        return fail(r, "'%s': no such disk (images lists them) or switch, or its overlay is no multiple of 4K", what);
    if (error == SBI_ERR_FAILED && session.answer_value == DIOSIX_LACK_DEVICES)
        return fail(r,
                    "'%s': there is no place: a capsule has eight devices, one balloon, console and vsock; a switch "
                    "has 64 ports",
                    what);
    return fail_call(r, error);
}

// One of the machine's disks is put into its new and empty drive.
static void equip_ask(struct run *r, int n, const char *what)
{
    long error = ask(DIOSIX_EQUIP, r->id, 0, sizeof(session.answer.equip));

    if (error != SBI_SUCCESS) {
        equip_failed(r, error, what);
        return;
    }
    if (n == OPTION_HOST_DISK)
        error = ask_attach(r->id, (unsigned)session.answer_value, what);
    if (error != SBI_SUCCESS)
        attach_failed(r, error, what);
}

// What can't have all of its devices is not made.
static void create_equip(struct run *r)
{
    for (unsigned i = 1; i < r->count && !r->failed; i++) {
        int n = list_find(words_options, r->words[i]);
        if (n == OPTION_CMDLINE)
            return;
        i += n < OPTION_START;
        const char *what = r->words[i + (n >= OPTION_DISK && n <= OPTION_HOST_DISK)];
        if (n >= OPTION_OVERLAY)
            fail(r, "%s follows a %s", what, list_word("disk\0net\0host-disk\0", (unsigned)(n - OPTION_OVERLAY)));
        else if (n >= OPTION_RNG && equip_parse(r, &i) && !r->failed)
            equip_ask(r, n, what);
    }
    if (r->failed)
        (void)ask(DIOSIX_DESTROY, r->id, 0, 0);
}

static bool is_image(const char *name)
{
    for (unsigned n = 0; ask(DIOSIX_IMAGE, n, 0, sizeof(session.answer.image)) == SBI_SUCCESS; n++)
        if (!strcmp(session.answer.image.name, name))
            return true;
    return false;
}

static bool is_taken(const char *name)
{
    for (uint32_t id = 0; (id = ask_next(id, ASK_NAME));)
        if (!strcmp(session.answer.status.name, name))
            return true;
    return false;
}

// The call's answer does not tell what of all this was wrong.
static enum next create_failed(struct run *r, long error)
{
    if (error != SBI_ERR_INVALID_PARAM)
        return fail_call(r, error);
    for (unsigned i = 1; i + 1 < r->count; i++) {
        int n = list_find(words_options, r->words[i]);
        if (n == OPTION_CMDLINE)
            break;
        if ((n == OPTION_FROM || n == OPTION_INITRD) && !is_image(r->words[i + 1]))
            return fail(r, "no image '%s': images lists them", r->words[i + 1]);
        i += n < OPTION_START || (n >= OPTION_DISK && n <= OPTION_OVERLAY);
    }
    if (is_taken(r->words[0]))
        return fail(r, "the name '%s' is taken: choose another", r->words[0]);
    return fail(r,
                "%s: the name is taken by somebody else's, the memory is no multiple of %s, or harts are named that "
                "are not there",
                r->words[0], sizeof(long) == 8 ? "2M" : "4M");
}

enum next command_create(struct run *r)
{
    bool start = false;

    if (!name_is_valid(r->words[0]) || r->words[0][0] < 'a' || !strcmp(r->words[0], "dio"))
        return fail(r, "'%s' is no name: up to 31 of a-z, 0-9 and -, a letter first", r->words[0]);
    memset(&session.answer, 0, sizeof(session.answer));
    strcpy(session.answer.create.name, r->words[0]);
    strcpy(r->name, r->words[0]);
    session.answer.create.memory = MEMORY_DEFAULT;
    session.answer.create.vcores = 1;
    size_t size = create_parse(r, &start);
    if (r->failed)
        return NEXT_DONE;
    if (!session.answer.create.kernel[0])
        return fail_usage(r);
    long error = ask(DIOSIX_CREATE, 0, 0, size);
    if (error != SBI_SUCCESS)
        return create_failed(r, error);
    r->id = (uint32_t)session.answer_value;
    create_equip(r);
    if (r->failed)
        return NEXT_DONE;
    out_format("%s: id %u", r->name, (unsigned)r->id);
    out_line_end();
    return start ? started(r, ask(DIOSIX_START, r->id, 0, 0)) : NEXT_DONE;
}

// fork ---------------------------------------------------------------------------------------------------

// [COUNT] [as NAME]; r->number: how many, r->other: the word that is the name, 0 if there is none.
static enum next fork_begin(struct run *r)
{
    uint64_t count = 1;
    unsigned i = r->count && parse_number(r->words[0], &count);

    if (!count || count > FORKS_MAX)
        return fail(r, "'%s' is no count: 1 to %u", r->words[0], FORKS_MAX);
    if (r->count == i + 2 && !strcmp(r->words[i], "as") && name_is_valid(r->words[i + 1]))
        r->other = i + 1;
    else if (r->count != i)
        return fail_usage(r);
    r->number = (unsigned)count;
    r->phase = 1; // the number of the clone that is next
    return NEXT_MORE;
}

// The clone's name into answer.name; how many bytes, 0 for one that is made.
static size_t fork_name(const struct run *r)
{
    if (!r->other)
        return 0;
    const char *name = r->words[r->other];
    size_t length = strlen(name);
    memcpy(session.answer.name, name, length + 1);
    if (r->number == 1)
        return length + 1;
    if (length > DIOSIX_NAME_SIZE - 5) // four digits and a zero
        length = DIOSIX_NAME_SIZE - 5;
    return length + text_number(session.answer.name + length, r->phase) + 1;
}

// Until the last clone, and so all of them, are made; r->position is its id.
static enum next fork_wait(struct run *r)
{
    if (ask(DIOSIX_STATUS, r->position, 0, offsetof(struct diosix_status, detail)) != SBI_SUCCESS)
        return NEXT_DONE; // and gone already
    if (session.answer.status.state == DIOSIX_FORKING && !prompt_is_interrupted())
        return wait_ms(r, POLL / 10);
    if (session.answer.status.state == DIOSIX_STOPPED && session.answer.status.ending == DIOSIX_ENDED_MEMORY) {
        session.answer_value = DIOSIX_LACK_MEMORY;
        return fail_call(r, SBI_ERR_FAILED);
    }
    return NEXT_DONE;
}

enum next command_fork(struct run *r)
{
    if (r->phase == 0)
        return fork_begin(r);
    if (r->phase > r->number)
        return fork_wait(r);
    long error = ask(DIOSIX_FORK, r->id, 0, fork_name(r));
    if (error == SBI_ERR_INVALID_PARAM)
        return fail(r, "clone %u of %u: that name is taken, or %s is gone", r->phase, r->number, r->name);
    if (error != SBI_SUCCESS)
        return fail_call(r, error);
    r->phase++;
    r->position = (uint32_t)session.answer_value;
    if (ask(DIOSIX_STATUS, r->position, 0, ASK_NAME) == SBI_SUCCESS) {
        out_format("%s: id %u", session.answer.status.name, (unsigned)r->position);
        out_line_end();
    }
    return NEXT_MORE;
}
