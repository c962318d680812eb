// How a program begins, and how it starts others.
#include "sv.h"

#include <string.h>

const struct sv_start_page *sv_started;
struct sv_handle sv_self, sv_frames, sv_clock;

void sv_begin(const struct sv_start_page *page); // of start.S

struct sv_handle sv_granted(const char *name)
{
    for (unsigned i = 0; i < sv_started->count; i++)
        if (!strncmp(sv_started->handles[i].name, name, SV_NAME_SIZE))
            return sv_started->handles[i].handle;
    return SV_NONE;
}

void sv_begin(const struct sv_start_page *page)
{
    sv_started = page;
    sv_self = sv_granted("task");
    sv_frames = sv_granted("frames");
    sv_clock = sv_granted("clock");
    program();
}

struct sv_transfer sv_share_all(struct sv_handle handle)
{
    struct sv_what what;
    sv_what(handle, &what);
    return sv_share(handle, what.rights);
}

static void text_copy(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = 0;
}

void sv_start_prepare(struct sv_start *start, size_t frame_count, const char *arguments)
{
    *start = (struct sv_start){.frames = sv_frames, .frame_count = (uint32_t)frame_count};
    text_copy(start->arguments, sizeof(start->arguments), arguments);
}

void sv_start_grant(struct sv_start *start, struct sv_grant *grants, const char *name, struct sv_transfer transfer)
{
    struct sv_grant *grant = &grants[start->grant_count++];
    text_copy(grant->name, sizeof(grant->name), name);
    grant->transfer = transfer;
    start->grants = (uintptr_t)grants;
}
