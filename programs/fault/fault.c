// Does what it may not. The first time it has an error continuation, which is told what happened, and goes on; the
// second time it has none, and the task ends: nobody else notices.
//
//   fault [write|read|execute|instruction|breakpoint|stack|code|kernel]
#include <stdio.h>
#include <string.h>

#include "sv.h"

// The compiler is not to see what comes.
static volatile uintptr_t nowhere = 64, everywhere = 1, kernel = (uintptr_t)-4096;

static void deep(void)
{
    volatile char here[512];
    here[0] = 0;
    if (everywhere)
        deep();
    here[1] = here[0];
}

static void fault_do(const char *kind)
{
    if (!strcmp(kind, "read"))
        printf("%d\n", *(volatile int *)nowhere);
    else if (!strcmp(kind, "execute"))
        ((void (*)(void))(uintptr_t)sv_started)();
    else if (!strcmp(kind, "instruction"))
        __asm__ volatile(".half 0, 0");
    else if (!strcmp(kind, "breakpoint"))
        __asm__ volatile("ebreak");
    else if (!strcmp(kind, "stack"))
        deep();
    else if (!strcmp(kind, "code"))
        *(volatile int *)(uintptr_t)fault_do = 0;
    else if (!strcmp(kind, "kernel"))
        *(volatile int *)kernel = 0;
    else if (!strcmp(kind, "write") || !*kind)
        *(volatile int *)nowhere = 1;
    else
        printf("fault: knows write, read, execute, instruction, breakpoint, stack, code and kernel\n");
}

static void gone_wrong(sv_word argument, enum sv_event event, sv_word word0, sv_word word1, sv_word word2,
                       sv_word word3, sv_word handle_count, const struct sv_handle *handles)
{
    const sv_word words[SV_MESSAGE_WORDS] = {word0, word1, word2, word3};
    char how[80];
    (void)argument, (void)event, (void)handle_count, (void)handles;
    sv_end_text(how, words);
    printf("fault: the run %s; once more, without an error continuation\n", how);
    fault_do(sv_started->arguments);
}

void program(void)
{
    printf("fault: here it comes\n");
    sv_on_error(gone_wrong, 0);
    fault_do(sv_started->arguments);
    printf("fault: nothing happened\n");
}
