// The first program: starts the shell with what it needs, starts it again should it die, and switches off when told.
//
// It keeps what the shell does not need: the right to switch off. The shell asks for that on the channel "init".
#include <stdio.h>
#include <string.h>

#include "init.h"
#include "sv.h"

#define SHELL_BUDGET UINT64_C(10000000000) // nanoseconds: it must not die of a slow machine

static struct sv_handle control; // what the shell asks us

// What the shell is given. A machine has further ones (interrupt-N), which no program has asked for yet.
static unsigned grants_add(struct sv_start *start, struct sv_grant grants[SV_GRANTS_MAX])
{
    static const char *const passed[] = {"console", "archive", "hypervisor"};
    for (unsigned i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
        struct sv_handle handle = sv_granted(passed[i]);
        if (!sv_is_none(handle))
            sv_start_grant(start, grants, passed[i], sv_share_all(handle));
    }
    sv_start_grant(start, grants, "system", sv_share(sv_granted("system"), SV_RIGHT_READ | SV_RIGHT_COPY));
    sv_start_grant(start, grants, "init", sv_share(control, SV_RIGHT_SEND | SV_RIGHT_COPY));
    return start->grant_count;
}

static void power(bool reboot)
{
    printf("init: %s\n", reboot ? "rebooting" : "switching off");
    enum sv_status status = sv_power(sv_granted("system"), reboot);
    printf("init: that failed: %s\n", sv_status_text(status));
}

// Most of what there is, but not all: programs of a shell that has died may still run, and have what it gave them.
static size_t frames_for_shell(void)
{
    struct sv_what what;
    sv_what(sv_frames, &what);
    return what.value[0] / 4 * 3;
}

static bool shell_start(struct sv_handle *shell, const char *arguments)
{
    static struct sv_grant grants[SV_GRANTS_MAX];
    struct sv_start start;
    struct sv_handle image;
    enum sv_image_fault fault;

    enum sv_status status = sv_open(sv_granted("archive"), "shell", &image);
    if (status == SV_OK) {
        sv_start_prepare(&start, frames_for_shell(), arguments);
        start.budget = SHELL_BUDGET;
        grants_add(&start, grants);
        status = sv_start(image, &start, shell, &fault);
        sv_drop(image);
    }
    if (status != SV_OK)
        printf("init: the shell can't be started: %s\n",
               status == SV_BAD_IMAGE ? sv_image_fault_text(fault) : sv_status_text(status));
    if (status == SV_NOT_FOUND || status == SV_BAD_IMAGE)
        power(false); // trying again is of no use
    return status == SV_OK;
}

static void asked(const struct sv_happening *h)
{
    if (h->event != SV_EVENT_MESSAGE || h->word[0] > INIT_REBOOT)
        return;
    power(h->word[0] == INIT_REBOOT);
}

// Until the shell has ended.
static void watch(struct sv_handle shell)
{
    const struct sv_source sources[] = {{.handle = shell}, {.handle = control}};
    struct sv_happening h;
    char how[80];
    while (sv_wait_any(sources, 2, &h) == SV_OK) {
        if (h.source == 0) {
            sv_end_text(how, h.word);
            printf("init: the shell %s; it starts again\n", how);
            return;
        }
        asked(&h);
    }
}

int main(void)
{
    // Only the first shell does what the kernel's command line says: one that dies of it dies once.
    const char *arguments = sv_started->arguments;
    struct sv_handle shell;

    if (sv_is_none(sv_granted("archive"))) {
        printf("init: is started by the kernel, and has no archive here to start a shell from\n");
        return 1;
    }
    if (sv_channel(sv_frames, 8, &control) != SV_OK)
        return 1;
    for (;; arguments = "") {
        uint64_t begun = sv_time();
        if (shell_start(&shell, arguments)) {
            watch(shell);
            sv_drop(shell);
        }
        if (sv_time() - begun < sv_ticks(1000))
            sv_sleep(1000);
    }
}
