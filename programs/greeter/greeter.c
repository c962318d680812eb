// A service with a channel, and a client that uses it.
//
// A request is a region with a name in it, and a channel for the answer. The region is moved, so that nobody can
// change it while the service reads it; the service writes the greeting into it, and moves it back.
#include <stdio.h>
#include <string.h>

#include "sv.h"

#define REGION 4096u
#define SERVICE_FRAMES 96

// ---- The service ----

static unsigned served;

// Nothing that comes is believed: a request has these two capabilities, or is none.
static bool request_check(const struct sv_happening *h, struct sv_what *region)
{
    struct sv_what channel;
    return h->handle_count == 2 && sv_what(h->handle[0], region) == SV_OK && region->type == SV_TYPE_REGION &&
           region->rights & SV_RIGHT_WRITE && region->value[1] >= REGION && sv_what(h->handle[1], &channel) == SV_OK &&
           channel.type == SV_TYPE_CHANNEL && channel.rights & SV_RIGHT_SEND;
}

static void request_answer(const struct sv_happening *h, char *text)
{
    char name[64];
    strlcpy(name, text, sizeof(name));
    snprintf(text, REGION, "Good day, %s! You are the %u. today.", name, ++served);

    const sv_word words[SV_MESSAGE_WORDS] = {0};
    struct sv_transfer region = sv_move(h->handle[0]);
    if (sv_send_with(h->handle[1], words, &region, 1) != SV_OK)
        sv_drop(h->handle[0]); // nobody waits for it
    sv_drop(h->handle[1]);
}

static void refuse(const struct sv_happening *h)
{
    for (unsigned i = 0; i < h->handle_count; i++)
        sv_drop(h->handle[i]);
}

static int serve(struct sv_handle requests)
{
    struct sv_happening h;
    struct sv_what region;
    while (sv_wait(requests, &h) == SV_OK && h.event == SV_EVENT_MESSAGE) {
        if (request_check(&h, &region))
            request_answer(&h, (char *)region.value[0]);
        else
            refuse(&h);
    }
    return 0;
}

// ---- The client ----

static bool greeting_get(struct sv_handle service, struct sv_handle answers, const char *name)
{
    struct sv_handle region;
    struct sv_happening h;
    void *text;

    if (sv_allocate(sv_frames, REGION, SV_RIGHT_READ | SV_RIGHT_WRITE, SV_LAZY, &text, &region) != SV_OK)
        return false;
    strlcpy(text, name, REGION);

    const sv_word words[SV_MESSAGE_WORDS] = {0};
    const struct sv_transfer transfers[] = {sv_move(region), sv_share(answers, SV_RIGHT_SEND)};
    if (sv_send_with(service, words, transfers, 2) != SV_OK)
        return false;
    if (sv_wait(answers, &h) != SV_OK || h.event != SV_EVENT_MESSAGE || h.handle_count != 1)
        return false;
    printf("greeter: %s\n", (const char *)text); // at the same address as before: there is only one of each
    return sv_drop(h.handle[0]) == SV_OK;
}

static bool service_start(struct sv_handle requests, struct sv_handle *task)
{
    struct sv_grant grants[SV_GRANTS_MAX];
    struct sv_start start;

    sv_start_prepare(&start, SERVICE_FRAMES, "serve");
    sv_start_grant(&start, grants, "requests", sv_share(requests, SV_RIGHT_RECEIVE));
    return sv_start(sv_granted("image"), &start, task, NULL) == SV_OK;
}

int main(int argc, char **argv)
{
    struct sv_handle requests, answers, task;

    if (argc > 1 && !strcmp(argv[1], "serve"))
        return serve(sv_granted("requests"));
    if (sv_channel(sv_frames, 4, &requests) != SV_OK || sv_channel(sv_frames, 1, &answers) != SV_OK ||
        !service_start(requests, &task)) {
        printf("greeter: the service can't be started\n");
        return 1;
    }
    for (int i = 1; i < argc || i == 1; i++)
        if (!greeting_get(requests, answers, i < argc ? argv[i] : "world"))
            return 1;
    sv_end(task, 0);
    return 0;
}
