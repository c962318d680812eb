// A pipeline of four tasks:
//
//             .-> squares --.
//   numbers --|             |--> join, which prints
//             '-> cubes ----'
//
// Nobody waits in code. Each stage's continuations say what has to be there before it goes on: join's next step has a
// square first and a cube then; a stage whose way out is full goes on when there is room, and takes nothing until then.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sv.h"

#define NUMBERS 10
#define STAGE_FRAMES 64
#define DEPTH 2 // short queues, so that they do fill up

#define UNUSED (void)event, (void)word1, (void)word2, (void)word3, (void)handle_count, (void)handles
#define WHAT_COMES                                                                                                     \
    enum sv_event event, sv_word word0, sv_word word1, sv_word word2, sv_word word3, sv_word handle_count,             \
        const struct sv_handle *handles

// ---- squares and cubes ----

static struct sv_handle in, out;
static unsigned power;
static sv_word held; // what could not be sent yet

static void number_came(sv_word argument, WHAT_COMES);

static void held_send(sv_word argument, WHAT_COMES)
{
    (void)argument, (void)word0, UNUSED;
    if (sv_send(out, held, 0, 0, 0) == SV_FULL)
        sv_then_room(out, held_send, 0);
    else
        sv_then(in, number_came, 0);
}

static void number_came(sv_word argument, WHAT_COMES)
{
    (void)argument, UNUSED;
    if (event != SV_EVENT_MESSAGE)
        return; // nobody is left to send: the stage ends
    held = word0 * word0;
    if (power == 3)
        held *= word0;
    held_send(0, event, 0, 0, 0, 0, 0, NULL);
}

static void stage_program(unsigned stage_power)
{
    power = stage_power;
    in = sv_granted("in");
    out = sv_granted("out");
    sv_then(in, number_came, 0);
}

// ---- join ----

static sv_word joined, square;

static void square_came(sv_word argument, WHAT_COMES);

static void cube_came(sv_word argument, WHAT_COMES)
{
    (void)argument, UNUSED;
    if (event != SV_EVENT_MESSAGE)
        return;
    joined++;
    printf("pipeline: %u: %u + %u = %u\n", (unsigned)joined, (unsigned)square, (unsigned)word0,
           (unsigned)(square + word0));
    if (joined < NUMBERS)
        sv_then(sv_granted("squares"), square_came, 0);
}

static void square_came(sv_word argument, WHAT_COMES)
{
    (void)argument, UNUSED;
    if (event != SV_EVENT_MESSAGE)
        return;
    square = word0;
    sv_then(sv_granted("cubes"), cube_came, 0);
}

static void join_program(void)
{
    sv_then(sv_granted("squares"), square_came, 0);
}

// ---- The one who builds it all, and sends the numbers ----

static struct sv_handle to_squares, to_cubes, from_squares, from_cubes, join;
static sv_word next = 1;

static void ended(sv_word argument, WHAT_COMES)
{
    (void)argument, UNUSED;
    printf("pipeline: join %s\n", word0 == SV_END_STATUS ? "is done" : "failed");
    sv_exit(word0 != SV_END_STATUS);
}

// Both ways must have room; which of them had is of no interest.
static void numbers_send(sv_word argument, WHAT_COMES)
{
    struct sv_what squares, cubes;
    (void)argument, (void)word0, UNUSED;
    while (next <= NUMBERS) {
        sv_what(to_squares, &squares);
        sv_what(to_cubes, &cubes);
        if (squares.value[0] == DEPTH || cubes.value[0] == DEPTH) {
            sv_then_room(squares.value[0] == DEPTH ? to_squares : to_cubes, numbers_send, 0);
            return;
        }
        sv_send(to_squares, next, 0, 0, 0);
        sv_send(to_cubes, next++, 0, 0, 0);
    }
}

static struct sv_handle channel_make(void)
{
    struct sv_handle channel;
    if (sv_channel(sv_frames, DEPTH, &channel) != SV_OK)
        sv_exit(1);
    return channel;
}

static struct sv_handle stage_start(const char *name, struct sv_handle first, const char *first_name,
                                    struct sv_handle second, const char *second_name, unsigned second_rights)
{
    struct sv_grant grants[SV_GRANTS_MAX];
    struct sv_start start;
    struct sv_handle task;

    sv_start_prepare(&start, STAGE_FRAMES, name);
    sv_start_grant(&start, grants, first_name, sv_share(first, SV_RIGHT_RECEIVE));
    sv_start_grant(&start, grants, second_name, sv_share(second, second_rights));
    sv_start_grant(&start, grants, "console", sv_share(sv_granted("console"), SV_RIGHT_WRITE));
    enum sv_status status = sv_start(sv_granted("image"), &start, &task, NULL);
    if (status != SV_OK) {
        printf("pipeline: %s can't be started: %s\n", name, sv_status_text(status));
        sv_exit(1);
    }
    return task;
}

static void all_start(void)
{
    to_squares = channel_make();
    to_cubes = channel_make();
    from_squares = channel_make();
    from_cubes = channel_make();
    stage_start("squares", to_squares, "in", from_squares, "out", SV_RIGHT_SEND);
    stage_start("cubes", to_cubes, "in", from_cubes, "out", SV_RIGHT_SEND);
    join = stage_start("join", from_squares, "squares", from_cubes, "cubes", SV_RIGHT_RECEIVE);
    sv_then(join, ended, 0);
    sv_then_now(numbers_send, 0);
}

void program(void)
{
    const char *role = sv_started->arguments;
    if (!strcmp(role, "squares"))
        stage_program(2);
    else if (!strcmp(role, "cubes"))
        stage_program(3);
    else if (!strcmp(role, "join"))
        join_program();
    else
        all_start();
}
