#include "prompt_fake.h"

#include <string.h>

#include "console.h"
#include "line.h"
#include "manage_fake.h"
#include "out.h"
#include "prompt.h"

char prompt_shown[1 << 20];
size_t prompt_shown_length;
size_t prompt_room = SIZE_MAX;
bool prompt_attached = true, prompt_disturb;
char prompt_went_to[32];
uint64_t prompt_clock = 1000000;

static uint8_t keys[1 << 16];
static size_t key_count, key_at;
static uint64_t deadline;

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

size_t out_write(const char *bytes, size_t count)
{
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

int line_key(void)
{
    return key_at < key_count ? keys[key_at++] : -1;
}

bool line_is_shown(void)
{
    return true;
}

uint64_t prompt_time(unsigned milliseconds)
{
    return prompt_clock + 1000 * (uint64_t)milliseconds;
}

long prompt_call(enum diosix_call function, const uint64_t n[3], void *buffer, size_t size, uint64_t *value)
{
    struct manage_call call = {.n = {n[0], n[1], n[2]}, .buffer = buffer, .size = size};
    long error = manage_as(NULL, function, &call);
    *value = call.value;
    return error;
}

uint64_t fake_uptime(void)
{
    return prompt_clock * 1000;
}

// False: it waits.
static bool step(void)
{
    deadline = UINT64_MAX;
    if (!out_flush())
        return false;
    enum next next = line_step(&deadline);
    return out_flush() && next == NEXT_MORE;
}

bool prompt_settle(unsigned most)
{
    while (most--)
        if (!step())
            return true;
    return false;
}

bool prompt_time_passes(void)
{
    if (deadline == UINT64_MAX)
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
