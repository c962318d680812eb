// Continuations that wait for a time: each asks for the next one. An even beat, for the next time is counted from the
// last one and not from now.
#include <stdio.h>

#include "sv.h"

#define BEATS 5
#define MILLISECONDS 200

static uint64_t begun, next;

static void beat(sv_word number, enum sv_event event, sv_word low, sv_word high, sv_word word2, sv_word word3,
                 sv_word handle_count, const struct sv_handle *handles)
{
    (void)event, (void)word2, (void)word3, (void)handle_count, (void)handles;
    uint64_t now = sizeof(sv_word) == 8 ? low : low | (uint64_t)high << 32;
    printf("timer: beat %d after %d ms\n", (int)number, (int)((now - begun) * 1000 / sv_started->ticks_per_second));
    if (number == BEATS) {
        printf("timer: done\n");
        return; // nothing is left to happen: the task ends
    }
    next += sv_ticks(MILLISECONDS);
    sv_then_at(next, beat, number + 1);
}

void program(void)
{
    begun = sv_time();
    next = begun + sv_ticks(MILLISECONDS);
    sv_then_at(next, beat, 1);
}
