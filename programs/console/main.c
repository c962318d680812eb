// When: the hypervisor rings when there is something to read, to show, or room for it; and lines and commands
// that wait have their times.
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "console_state.h"
#include "keys.h"
#include "log.h"
#include "service.h"

#define ROUNDS_MAX 16u // in one run; the next comes at once, so that none is long

static struct sv_handle bell;
static sv_word alarm_number;
static bool alarm_is_set;
static bool off_is_asked; // Ctrl-] Q

// The hypervisor's own, which the console's code speaks to in a fault of its own. There is none here.
void log_print(enum log_level level, const char *format, ...)
{
    (void)level, (void)format;
}

void console_announce(const char *format, ...)
{
    (void)format;
}

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    sv_exit(1);
}

static void events_pass_on(void)
{
    struct stream *s;

    while ((s = console_next_event()) != NULL)
        if (console_is_prompt(s))
            service_prompt_wake();
    capsules_type();
}

void keys_off(void)
{
    off_is_asked = true;
}

static void machine_off(enum diosix_power how)
{
    uint64_t nothing;
    hv_call(DIOSIX_POWER, how, 0, &nothing);
}

static void end_look(void)
{
    if (off_is_asked)
        machine_off(DIOSIX_POWER_OFF);
    if (capsules_are_over() && !console_at_prompt() && terminal_write())
        machine_off(DIOSIX_POWER_END);
}

// One round of everything; true if there may be more to do at once. *deadline: when there is at the latest.
static bool round_do(uint64_t *deadline)
{
    // First the question for news, which silences the bell: what comes after it rings again.
    bool more = capsules_read();

    more |= terminal_read();
    console_interrupt();
    console_poll(sv_time());
    events_pass_on();
    more |= service_prompt_step(deadline);
    console_interrupt();
    bool sent = terminal_write();
    more |= capsules_go_on() || console.blocked; // which is over, if all was sent
    if (sent && !screen.length)                  // else what was moved may not be out of our hands
        capsules_tell_shown();
    if (console_deadline() < *deadline)
        *deadline = console_deadline();
    return more && sent;
}

static void run(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                sv_word handle_count, const struct sv_handle *handles);

static void alarm_set(uint64_t deadline)
{
    struct sv_then then = {.code = run, .ticks = deadline};

    if (alarm_is_set)
        sv_cancel(alarm_number);
    alarm_is_set = deadline != UINT64_MAX && sv_then_with(sv_clock, &then, &alarm_number) == SV_OK;
}

static void run(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3,
                sv_word handle_count, const struct sv_handle *handles)
{
    unsigned rounds = 0;
    uint64_t deadline;

    (void)argument, (void)word0, (void)word1, (void)word2, (void)word3, (void)handle_count, (void)handles;
    if (event == SV_EVENT_TIME)
        alarm_is_set = false;
    while (round_do(&deadline) && ++rounds < ROUNDS_MAX) {
    }
    end_look();
    alarm_set(rounds < ROUNDS_MAX ? deadline : 0);
    if (event == SV_EVENT_INTERRUPT)
        sv_complete(bell);
}

// attach=NAME, attach= (the first), or nothing: all capsules, line by line.
static const char *attach_to(void)
{
    static const char word[] = "attach=";
    const char *at = strstr(sv_started->arguments, word);
    static char name[DIOSIX_NAME_SIZE];

    if (!at)
        return NULL;
    at += strlen(word);
    size_t length = strcspn(at, " ");
    memcpy(name, at, length < sizeof(name) - 1 ? length : sizeof(name) - 1);
    return name;
}

void program(void)
{
    bool is_keeper = calls_init(&bell);
    console_init(attach_to(), (uint32_t)sv_started->ticks_per_second);
    console_start(true);
    service_prompt_init();
    if (!is_keeper || !capsules_init()) {
        puts("console: the hypervisor does not lend its terminal: the capsule needs `rights: [manage, console]`");
        sv_exit(1);
    }
    console_attach();
    if (!console.attached) // else that has said where one is
        console.notices |= NOTICE_VIEW;
    sv_then_always(bell, run, 0);
    sv_then_now(run, 0);
}
