#include "explore.h"

#include <sanitizer/common_interface_defs.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define FIBERS_MAX 8u
#define STACK_SIZE (256u << 10)
#define HOLD_MAX 400u // points

// One hart's course; the last is the test that started the run.
struct fiber {
    ucontext_t context;
    void *fake_stack; // AddressSanitizer's
    const void *stack;
    size_t stack_size;
    bool ended;
    unsigned long held_until; // by points_left: that long it doesn't go on unless nobody else can
};

char explore_message[256];

static struct fiber fibers[FIBERS_MAX + 1];
static struct fiber *const tester = &fibers[FIBERS_MAX];
static struct fiber *current;
static unsigned fiber_count;
static void (*fiber_entry)(unsigned hart);
static unsigned long points_left;
static bool failed;
static uint64_t random_state = 1;
static unsigned acting; // outside a run

void (*explore_hook)(void);

unsigned explore_random(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)((random_state >> 11) % below);
}

unsigned explore_self(void)
{
    return current ? (unsigned)(current - fibers) : acting;
}

void explore_act_as(unsigned hart)
{
    acting = hart;
}

static void switch_to(struct fiber *to)
{
    struct fiber *from = current;

    current = to;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
    swapcontext(&from->context, &to->context);
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
}

static struct fiber *another(void)
{
    unsigned first = explore_random(fiber_count);
    struct fiber *found = NULL;

    for (unsigned i = 0; i < fiber_count; i++) {
        struct fiber *f = &fibers[(first + i) % fiber_count];
        if (f->ended || f == current)
            continue;
        found = f;
        if (points_left < f->held_until)
            break;
    }
    return found;
}

void explore_point(void)
{
    if (!current) {
        if (explore_hook)
            explore_hook();
        return;
    }
    if (points_left-- == 0)
        explore_fail("no end");
    // Now and then a hart is held for long at a place where one is usually not.
    bool hold = explore_random(64) == 0;
    if (hold)
        current->held_until = points_left > HOLD_MAX ? points_left - explore_random(HOLD_MAX) : points_left;
    struct fiber *next = hold || explore_random(4) == 0 ? another() : NULL;
    if (next)
        switch_to(next);
}

_Noreturn void explore_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(explore_message, sizeof(explore_message), format, arguments);
    va_end(arguments);
    failed = true;
    if (!current) {
        fprintf(stderr, "%s\n", explore_message);
        abort();
    }
    switch_to(tester);
    abort(); // the run is over
}

_Noreturn void explore_end(void)
{
    current->ended = true;
    struct fiber *next = another();
    switch_to(next ? next : tester);
    abort(); // nobody goes on here
}

static void fiber_start(void)
{
    if (!tester->stack) // the first: where we come from is learned only now
        __sanitizer_finish_switch_fiber(NULL, &tester->stack, &tester->stack_size);
    else
        __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
    fiber_entry(explore_self());
    explore_end();
}

static void fiber_create(struct fiber *f, char *stack)
{
    *f = (struct fiber){.stack = stack, .stack_size = STACK_SIZE, .held_until = -1UL};
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack;
    f->context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&f->context, fiber_start, 0);
}

bool explore_run(unsigned count, void (*entry)(unsigned hart), unsigned seed, unsigned long points)
{
    char *stacks = malloc(FIBERS_MAX * STACK_SIZE); // anew each time: what ASan knows of the last is void

    random_state = seed * 0x9e3779b97f4a7c15u + 0x123456789abcdefu;
    for (unsigned i = 0; i < count; i++)
        fiber_create(&fibers[i], stacks + i * STACK_SIZE);
    fiber_count = count;
    fiber_entry = entry;
    points_left = points;
    failed = false;
    *tester = (struct fiber){0};
    current = tester;
    switch_to(&fibers[explore_random(count)]);
    current = NULL;
    free(stacks);
    return !failed;
}
