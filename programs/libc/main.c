// For programs that have a main(): it is a flow. Linked only if the program has no program() of its own.
#include "sv.h"
#include "words.h"

#include <string.h>

#define WORDS_MAX 32

int main(int argc, char **argv);

static char text[SV_ARGUMENTS_SIZE], name[SV_NAME_SIZE];
static char *words[WORDS_MAX + 1];

static void run(void *nothing)
{
    (void)nothing;
    memcpy(name, sv_started->program, sizeof(name) - 1);
    memcpy(text, sv_started->arguments, sizeof(text) - 1);
    words[0] = name;
    unsigned count = words_split(text, words + 1, WORDS_MAX - 1);
    sv_exit((sv_word)main((int)count + 1, words));
}

void program(void)
{
    if (sv_go(run, NULL) != SV_OK)
        sv_exit(SV_NO_MEMORY);
}
