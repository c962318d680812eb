// Capsules, and the hypervisor itself, as streams that mirror the hypervisor's.
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "console_state.h"
#include "service.h"

#define RING 2048u
#define PIECE 1024u
#define REWIND 256u // how far back a line's beginning is looked for when one comes to a capsule

struct mirror {
    struct mirror *next;
    uint32_t id;
    uint32_t position; // up to here it was taken in
    uint32_t told;     // up to here the hypervisor knows that it was shown
    bool watched;      // as the hypervisor knows
    bool over;         // it has ended, and all it printed was shown
    bool met;          // while looking through all
    bool stalled;      // there was no room for what it has printed
    char name[DIOSIX_NAME_SIZE];
    struct stream own, *stream;
    uint8_t ring[RING];
    uint8_t typed[STREAM_INPUT_SIZE]; // that it did not take yet
    size_t typed_count;
};

static struct mirror dio = {.id = DIOSIX_ID_OWN, .stream = &console_dio};
static struct mirror notices = {.next = &dio, .id = DIOSIX_ID_NOTICES, .stream = &console_urgent};
static struct mirror *all = &notices; // by id, the hypervisor's two last
static uint64_t own_id;

static struct {
    struct diosix_output head;
    uint8_t bytes[PIECE];
} out;

static bool is_capsule(const struct mirror *m)
{
    return m->id < DIOSIX_ID_NOTICES;
}

// Reads at most 'size' bytes from *position on, which becomes where they begin.
static size_t output_read(const struct mirror *m, uint32_t *position, size_t size)
{
    uint64_t count;

    if (hv_transfer(DIOSIX_OUTPUT, m->id, *position, &out, sizeof(out.head) + size, &count))
        return 0;
    *position = out.head.position;
    return (size_t)count;
}

// The line that it is in the middle of was shown before, and is shown once more to who comes to it now.
static void line_repeat(struct mirror *m)
{
    uint32_t from = m->position - REWIND, begin = from;
    size_t count = output_read(m, &begin, REWIND);

    if (begin - from > REWIND)
        return;
    if (count > REWIND - (begin - from))
        count = REWIND - (begin - from);
    size_t line = count;
    while (line && out.bytes[line - 1] != '\n')
        line--;
    if (line)
        stream_write(m->stream, out.bytes + line, count - line);
}

// What the hypervisor does for those that are watched, it has to do when we watch them.
static void watch_update(struct mirror *m)
{
    bool watched = m->stream == &console_urgent || stream_watched(m->stream);
    uint64_t shown;

    if (watched == m->watched)
        return;
    m->watched = watched;
    if (hv_call(DIOSIX_WATCH, m->id, watched, &shown))
        return;
    if (!watched) // what we have was not shown, and is the hypervisor's again
        return;
    int32_t missed = (int32_t)((uint32_t)shown - m->position); // negative: what we have yet to show is not gone
    bool has_line = missed <= 0 && m->stream->head;            // which is shown once more without us
    m->told = (uint32_t)shown;
    if (missed > 0) {
        atomic_fetch_add(&m->stream->dropped, (uint32_t)missed);
        m->position = (uint32_t)shown;
    }
    if (is_capsule(m) && console.attached && !has_line)
        line_repeat(m);
}

static struct mirror *mirror_make(uint32_t id, const char *name)
{
    struct mirror **place = &all, *m = calloc(1, sizeof(*m));
    uint64_t shown;

    if (!m) { // its guest is not to wait for us
        hv_call(DIOSIX_WATCH, id, 0, &shown);
        return NULL;
    }
    if (hv_call(DIOSIX_WATCH, id, 1, &shown)) {
        free(m);
        return NULL;
    }
    m->id = id;
    m->position = m->told = (uint32_t)shown;
    m->watched = true;
    m->stream = &m->own;
    memcpy(m->name, name, sizeof(m->name));
    stream_init(&m->own, m->name, m->ring, RING);
    while ((*place)->id < id)
        place = &(*place)->next;
    m->next = *place;
    *place = m;
    console_add(&m->own);
    return m;
}

static void mirror_unmake(struct mirror **place)
{
    struct mirror *m = *place;

    console_watch(m->stream, false); // nothing of it waits any more
    console_remove(m->stream);
    *place = m->next;
    free(m);
}

static struct mirror *mirror_of(uint32_t id)
{
    struct mirror *m = all;
    while (m && m->id < id)
        m = m->next;
    return m && m->id == id ? m : NULL;
}

static void capsule_met(uint32_t id, bool stopped, const char *name)
{
    struct mirror *m = mirror_of(id);

    if (m && strcmp(m->name, name)) // named anew: a clone's name comes after its id
        memcpy(m->name, name, sizeof(m->name));
    if (!m && !stopped)
        m = mirror_make(id, name);
    if (!m)
        return;
    m->met = true;
    m->over = stopped;
}

// Those that are gone, or have ended and shown all, leave the terminal.
static void mirrors_sweep(void)
{
    for (struct mirror **place = &all; *place;) {
        struct mirror *m = *place;
        bool done = !stream_watched(m->stream) || !console_owes(m->stream);
        if (is_capsule(m) && (!m->met || (m->over && done)))
            mirror_unmake(place);
        else
            place = &m->next;
    }
}

static void capsules_find(void)
{
    struct diosix_status status;
    uint64_t id = 0, size;

    for (struct mirror *m = all; m; m = m->next)
        m->met = false;
    while (!hv_call(DIOSIX_NEXT, id, 0, &id) && id)
        if (id != own_id && !hv_transfer(DIOSIX_STATUS, id, 0, &status, offsetof(struct diosix_status, ending), &size))
            capsule_met((uint32_t)id, status.state == DIOSIX_STOPPED, status.name);
    mirrors_sweep();
}

bool capsules_are_over(void)
{
    for (struct mirror *m = all; m; m = m->next)
        if (is_capsule(m))
            return false;
    return true;
}

static size_t room_of(const struct stream *s)
{
    return s->size - (s->head - s->shown);
}

static bool mirror_read(struct mirror *m)
{
    size_t room = room_of(m->stream);
    uint32_t from = m->position;

    watch_update(m);
    m->stalled = m->watched && !room;
    if (!m->watched || !room)
        return false;
    size_t count = output_read(m, &m->position, room < PIECE ? room : PIECE);
    atomic_fetch_add(&m->stream->dropped, m->position - from);
    m->position += (uint32_t)count;
    if (count)
        stream_write(m->stream, out.bytes, count);
    return count;
}

// What we print ourselves (nothing, if all is well) is for `log`.
static void own_output_pass(void)
{
    uint64_t count;

    if (!hv_transfer(DIOSIX_OUTPUT, own_id, 0, &out, sizeof(out.head), &count))
        hv_call(DIOSIX_SHOWN, own_id, out.head.end, &count);
}

bool capsules_init(void)
{
    struct diosix_status own;
    uint64_t size;

    if (hv_transfer(DIOSIX_STATUS, 0, 0, &own, offsetof(struct diosix_status, state), &size))
        return false;
    own_id = own.id;
    capsules_find();
    return true;
}

bool capsules_read(void)
{
    static bool begun;
    bool any = false;
    uint64_t id = 0;

    for (struct mirror *m = all; m; m = m->next)
        watch_update(m);
    while (!hv_call(DIOSIX_NEWS, id, 0, &id) && id) {
        struct mirror *m = mirror_of((uint32_t)id);
        if (id == own_id) {
            own_output_pass();
            continue;
        }
        if (!m || !is_capsule(m) || !begun) // somebody is new; or the hypervisor says that somebody has ended
            capsules_find();
        begun = true;
        m = mirror_of((uint32_t)id);
        if (m && mirror_read(m))
            any = true;
    }
    return any;
}

// Nothing would ring for these: a guest that waits for room prints nothing more.
bool capsules_go_on(void)
{
    for (struct mirror *m = all; m; m = m->next)
        if (m->stalled && m->watched && room_of(m->stream))
            return true;
    return false;
}

void capsules_tell_shown(void)
{
    uint64_t nothing;

    for (struct mirror *m = all; m; m = m->next) {
        uint32_t shown = m->position - (m->stream->head - m->stream->shown);
        if (!m->watched || shown == m->told || shown - m->told > m->position - m->told)
            continue;
        if (!hv_call(DIOSIX_SHOWN, m->id, shown, &nothing))
            m->told = shown;
    }
}

// What a guest does not take now it is offered again when it has read.
static void mirror_type(struct mirror *m)
{
    uint64_t taken = 0;
    int byte;

    while (m->typed_count < sizeof(m->typed) && (byte = stream_read(m->stream)) >= 0)
        m->typed[m->typed_count++] = (uint8_t)byte;
    if (!m->typed_count || hv_transfer(DIOSIX_INPUT, m->id, 0, m->typed, m->typed_count, &taken))
        return;
    m->typed_count -= (size_t)taken;
    memmove(m->typed, m->typed + taken, m->typed_count);
}

void capsules_type(void)
{
    for (struct mirror *m = all; m; m = m->next)
        if (is_capsule(m))
            mirror_type(m);
}
