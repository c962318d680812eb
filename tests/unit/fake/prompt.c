#include "prompt_fake.h"

#include <string.h>

#include "console.h"
#include "manage_fake.h"
#include "prompt_entity.h"

char prompt_shown[1 << 20];
size_t prompt_shown_length;
size_t prompt_room = SIZE_MAX;
bool prompt_attached = true, prompt_disturb;
char prompt_went_to[32];
uint64_t prompt_clock = 1000000;

static uint8_t keys[1 << 16];
static size_t key_count, key_at;
static uint64_t deadline;

struct stream *console_prompt;

void console_prompt_set(struct stream *s)
{
    console_prompt = s;
}

bool console_at_prompt(void)
{
    return prompt_attached;
}

bool console_prompt_disturbed(void)
{
    bool was = prompt_disturb;
    prompt_disturb = false;
    return was;
}

bool console_has(const char *name)
{
    return name[0] != 'x';
}

bool console_go(const char *name)
{
    strcpy(prompt_went_to, name);
    prompt_attached = false;
    return true;
}

void stream_init(struct stream *s, const char *name, uint8_t *ring, size_t ring_size)
{
    memset(s, 0, sizeof(*s));
    (void)name, (void)ring, (void)ring_size;
}

size_t stream_write(struct stream *s, const uint8_t *bytes, size_t count)
{
    (void)s;
    count = count < prompt_room ? count : prompt_room;
    if (prompt_room != SIZE_MAX)
        prompt_room -= count;
    if (count > sizeof(prompt_shown) - 1 - prompt_shown_length)
        prompt_shown_length = 0;
    memcpy(prompt_shown + prompt_shown_length, bytes, count);
    prompt_shown_length += count;
    prompt_shown[prompt_shown_length] = 0;
    return count;
}

int stream_read(struct stream *s)
{
    (void)s;
    return key_at < key_count ? keys[key_at++] : -1;
}

void entity_init(struct entity *e, enum entity_kind kind, struct hart *home)
{
    (void)e, (void)kind, (void)home;
}

void sched_start(struct entity *e)
{
    (void)e;
}

void sched_wake(struct entity *e)
{
    (void)e;
}

uint64_t hart_time(void)
{
    return prompt_clock;
}

uint64_t fake_uptime(void)
{
    return prompt_clock * 1000;
}

bool prompt_settle(unsigned most)
{
    while (most--)
        if (prompt_step(&deadline) == PUT_WAITING)
            return true;
    return false;
}

bool prompt_time_passes(void)
{
    if (deadline == TIME_NEVER)
        return false;
    prompt_clock = deadline;
    return true;
}

void prompt_keys(const void *typed, size_t count)
{
    if (key_at == key_count)
        key_at = key_count = 0;
    if (count > sizeof(keys) - key_count)
        count = sizeof(keys) - key_count;
    memcpy(keys + key_count, typed, count);
    key_count += count;
}
