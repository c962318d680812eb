#include "shell.h"

#include <stdio.h>
#include <string.h>

#include "sv.h"

#define JOBS_MAX 16
#define KEYS_MAX SV_QUEUE_MAX // typed ahead

static struct job jobs[JOBS_MAX];

static struct job *job_find(uint32_t id)
{
    for (unsigned i = 0; i < JOBS_MAX; i++)
        if (jobs[i].id == id)
            return &jobs[i];
    return NULL;
}

// Tells how it ended, and makes its place free.
static void job_end(struct job *job, const sv_word words[SV_MESSAGE_WORDS])
{
    char how[80];
    sv_end_text(how, words);
    if (words[0] != SV_END_STATUS || words[1] || job->in_background)
        printf("shell: %s (%u) %s\n", job->name, (unsigned)job->id, how);
    sv_drop(job->task);
    sv_drop(job->keyboard);
    job->id = 0;
}

static void background_ended(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2,
                             sv_word word3, sv_word handle_count, const struct sv_handle *handles)
{
    const sv_word words[SV_MESSAGE_WORDS] = {word0, word1, word2, word3};
    (void)event, (void)handle_count, (void)handles;
    line_make_way();
    job_end((struct job *)argument, words);
    line_show_again();
}

// A program may write, knows its own image, and in the foreground has the keys.
static void grants_add(struct sv_start *start, struct sv_grant *grants, struct sv_handle image, const struct job *job)
{
    sv_start_grant(start, grants, "console", sv_share(sv_granted("console"), SV_RIGHT_WRITE | SV_RIGHT_COPY));
    sv_start_grant(start, grants, "image", sv_move(image)); // a copy would go when we drop ours
    if (!job->in_background)
        sv_start_grant(start, grants, "keyboard", sv_share(job->keyboard, SV_RIGHT_RECEIVE | SV_RIGHT_COPY));
}

static enum sv_status image_start(const struct launch *launch, struct sv_handle image, struct job *job)
{
    static struct sv_grant grants[SV_GRANTS_MAX];
    struct sv_start start;
    enum sv_image_fault fault;

    sv_start_prepare(&start, launch->frames, launch->arguments);
    start.budget = launch->nanoseconds;
    grants_add(&start, grants, image, job);
    enum sv_status status = sv_start(image, &start, &job->task, &fault);
    if (status == SV_BAD_IMAGE)
        printf("shell: %s: %s\n", launch->name, sv_image_fault_text(fault));
    else if (status != SV_OK)
        printf("shell: %s: %s\n", launch->name, sv_status_text(status));
    return status;
}

static bool job_make(const struct launch *launch, struct sv_handle image, struct job *job)
{
    struct sv_what what;
    *job = (struct job){.in_background = launch->in_background};
    snprintf(job->name, sizeof(job->name), "%s", launch->name);
    if (sv_channel(sv_frames, KEYS_MAX, &job->keyboard) != SV_OK) {
        printf("shell: %s: no memory for its keyboard\n", launch->name);
        return false;
    }
    if (image_start(launch, image, job) != SV_OK) {
        sv_drop(job->keyboard);
        return false;
    }
    sv_what(job->task, &what);
    job->id = (uint32_t)what.value[1];
    return true;
}

struct job *job_start(const struct launch *launch)
{
    struct sv_handle image;
    struct job *job = job_find(0);
    if (!job) {
        printf("shell: %u programs run already\n", JOBS_MAX);
        return NULL;
    }
    if (sv_open(sv_granted("archive"), launch->name, &image) != SV_OK) {
        printf("shell: no command or program '%s': 'help' and 'programs' list them\n", launch->name);
        return NULL;
    }
    if (!job_make(launch, image, job)) {
        sv_drop(image);
        return NULL;
    }
    if (launch->in_background) {
        sv_then(job->task, background_ended, (sv_word)job);
        printf("shell: %s runs as %u\n", job->name, (unsigned)job->id);
    }
    return job;
}

// Ctrl-C ends it; other keys are its own, as many as its queue holds.
static void keys_pass(const struct job *job)
{
    unsigned char keys[32];
    size_t taken;
    while (sv_read(sv_granted("console"), keys, sizeof(keys), &taken) == SV_OK && taken)
        for (size_t i = 0; i < taken; i++)
            if (keys[i] == CTRL_C)
                sv_end(job->task, 0);
            else
                sv_send(job->keyboard, keys[i], 0, 0, 0);
}

// What it has not read of its keys is typed ahead for whoever comes next.
static void keys_take_back(const struct job *job)
{
    struct sv_what what;
    struct sv_happening h;
    while (sv_what(job->keyboard, &what) == SV_OK && what.value[0] && sv_wait(job->keyboard, &h) == SV_OK)
        key_put_back((unsigned char)h.word[0]);
}

void job_wait(struct job *job)
{
    const struct sv_source sources[] = {{.handle = job->task}, {.handle = sv_granted("console")}};
    struct sv_happening h;
    while (sv_wait_any(sources, 2, &h) == SV_OK) {
        if (h.source == 0) {
            keys_take_back(job);
            job_end(job, h.word);
            return;
        }
        keys_pass(job);
    }
    printf("shell: can't wait for %s\n", job->name);
}

bool job_kill(uint32_t id)
{
    struct job *job = id ? job_find(id) : NULL;
    return job && sv_end(job->task, 0) == SV_OK;
}
