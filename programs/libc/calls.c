// The system calls, one function each.
#include "riscv/ecall.h"
#include "sv.h"

#include <string.h>

_Static_assert(SV_FINISH == 3, "riscv/start.S");

// What most calls are: arguments, a status, perhaps one value.
#define CALL(call, handle, count, ...)                                                                                 \
    sv_word a[6] = {__VA_ARGS__};                                                                                      \
    enum sv_status status = sv_ecall(call, &(handle), a, count)

static void give(enum sv_status status, struct sv_handle made, struct sv_handle *to)
{
    *to = status == SV_OK ? made : SV_NONE;
}

enum sv_status sv_what(struct sv_handle handle, struct sv_what *what)
{
    CALL(SV_WHAT, handle, 0);
    *what = (struct sv_what){0};
    if (status == SV_OK)
        *what = (struct sv_what){(enum sv_type)a[1], (unsigned)a[2], {a[3], a[4]}};
    return status;
}

enum sv_status sv_then_with(struct sv_handle source, const struct sv_then *then, sv_word *number)
{
    CALL(SV_THEN, source, 6, (sv_word)then->code, then->argument, then->flags, (sv_word)then->ticks,
         (sv_word)(then->ticks >> 32), (sv_word)then->group);
    if (number)
        *number = a[1];
    return status;
}

static enum sv_status then(struct sv_handle source, sv_code *code, sv_word argument, unsigned flags)
{
    CALL(SV_THEN, source, 6, (sv_word)code, argument, flags);
    return status;
}

enum sv_status sv_then(struct sv_handle source, sv_code *code, sv_word argument)
{
    return then(source, code, argument, 0);
}

enum sv_status sv_then_always(struct sv_handle source, sv_code *code, sv_word argument)
{
    return then(source, code, argument, SV_AGAIN);
}

enum sv_status sv_then_room(struct sv_handle channel, sv_code *code, sv_word argument)
{
    return then(channel, code, argument, SV_ROOM);
}

enum sv_status sv_then_now(sv_code *code, sv_word argument)
{
    return then(sv_self, code, argument, 0);
}

enum sv_status sv_on_error(sv_code *code, sv_word argument)
{
    return then(sv_self, code, argument, SV_ON_ERROR);
}

enum sv_status sv_then_at(uint64_t ticks, sv_code *code, sv_word argument)
{
    struct sv_then then = {.code = code, .argument = argument, .ticks = ticks};
    return sv_then_with(sv_clock, &then, NULL);
}

enum sv_status sv_cancel(sv_word number)
{
    struct sv_handle self = sv_self;
    CALL(SV_CANCEL, self, 1, number);
    return status;
}

enum sv_status sv_end(struct sv_handle task, sv_word with)
{
    CALL(SV_END, task, 1, with);
    return status;
}

void sv_exit(sv_word status)
{
    for (;;)
        sv_end(sv_self, status);
}

enum sv_status sv_send_with(struct sv_handle channel, const sv_word words[SV_MESSAGE_WORDS],
                            const struct sv_transfer *transfers, unsigned transfer_count)
{
    CALL(SV_SEND, channel, 6, words[0], words[1], words[2], words[3], (sv_word)transfers, transfer_count);
    return status;
}

enum sv_status sv_copy(struct sv_handle handle, unsigned rights, struct sv_handle *copy)
{
    CALL(SV_COPY, handle, 1, rights);
    give(status, handle, copy);
    return status;
}

enum sv_status sv_revoke(struct sv_handle handle)
{
    CALL(SV_REVOKE, handle, 0);
    return status;
}

enum sv_status sv_drop(struct sv_handle handle)
{
    CALL(SV_DROP, handle, 0);
    return status;
}

enum sv_status sv_group(const struct sv_handle *handles, unsigned handle_count, struct sv_handle *group)
{
    struct sv_handle self = sv_self;
    CALL(SV_GROUP, self, 2, (sv_word)handles, handle_count);
    give(status, self, group);
    return status;
}

enum sv_status sv_member(struct sv_handle group, unsigned n, struct sv_handle *member)
{
    CALL(SV_MEMBER, group, 1, n);
    give(status, group, member);
    return status;
}

enum sv_status sv_allocate(struct sv_handle frames, size_t size, unsigned access, unsigned flags, void **address,
                           struct sv_handle *region)
{
    CALL(SV_ALLOCATE, frames, 3, size, access, flags);
    give(status, frames, region);
    if (address)
        *address = status == SV_OK ? (void *)a[1] : NULL;
    return status;
}

enum sv_status sv_access(struct sv_handle region, unsigned access)
{
    CALL(SV_ACCESS, region, 1, access);
    return status;
}

enum sv_status sv_split(struct sv_handle frames, size_t frame_count, struct sv_handle *part)
{
    CALL(SV_SPLIT, frames, 1, frame_count);
    give(status, frames, part);
    return status;
}

enum sv_status sv_channel(struct sv_handle frames, unsigned depth, struct sv_handle *channel)
{
    CALL(SV_CHANNEL, frames, 1, depth);
    give(status, frames, channel);
    return status;
}

enum sv_status sv_open(struct sv_handle archive, const char *name, struct sv_handle *image)
{
    CALL(SV_OPEN, archive, 2, (sv_word)name, strlen(name));
    give(status, archive, image);
    return status;
}

enum sv_status sv_start(struct sv_handle image, const struct sv_start *start, struct sv_handle *task,
                        enum sv_image_fault *fault)
{
    CALL(SV_START, image, 1, (sv_word)start);
    if (fault)
        *fault = (enum sv_image_fault)(status == SV_BAD_IMAGE ? a[1] : 0);
    if (task)
        give(status, image, task);
    else if (status == SV_OK)
        sv_drop(image);
    return status;
}

enum sv_status sv_complete(struct sv_handle interrupt)
{
    CALL(SV_COMPLETE, interrupt, 0);
    return status;
}

enum sv_status sv_write(struct sv_handle console, const void *bytes, size_t size, size_t *taken)
{
    CALL(SV_WRITE, console, 2, (sv_word)bytes, size);
    *taken = status == SV_OK ? a[1] : 0;
    return status;
}

enum sv_status sv_read(struct sv_handle console, void *bytes, size_t size, size_t *taken)
{
    CALL(SV_READ, console, 2, (sv_word)bytes, size);
    *taken = status == SV_OK ? a[1] : 0;
    return status;
}

enum sv_status sv_inspect(struct sv_handle system, enum sv_kind kind, uint32_t from, void *to, size_t size,
                          uint32_t *id)
{
    CALL(SV_INSPECT, system, 4, kind, from, (sv_word)to, size);
    *id = status == SV_OK ? (uint32_t)a[1] : 0;
    return status;
}

enum sv_status sv_hypervisor(struct sv_handle hypervisor, sv_word function, struct sv_hypervisor_call *call,
                             sv_word *value, sv_word *error)
{
    CALL(SV_HYPERVISOR, hypervisor, 2, function, (sv_word)call);
    *value = a[1];
    *error = a[2];
    return status;
}

enum sv_status sv_power(struct sv_handle system, bool reboot)
{
    CALL(SV_POWER, system, 1, reboot);
    return status;
}

enum sv_status sv_random(void *to, size_t size)
{
    struct sv_handle self = sv_self;
    CALL(SV_RANDOM, self, 2, (sv_word)to, size);
    return status;
}

uint64_t sv_time(void)
{
    struct sv_handle clock = sv_clock;
    CALL(SV_WHAT, clock, 0);
    return status != SV_OK ? 0 : sizeof(sv_word) == 8 ? a[3] : a[3] | (uint64_t)a[4] << 32;
}
