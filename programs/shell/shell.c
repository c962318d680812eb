#include "shell.h"

#include <stdio.h>
#include <string.h>

#include "edit.h"
#include "sv.h"
#include "words.h"

const char edit_prompt[] = "sv> ";

#define PUT_BACK_SIZE 256u // what a queue of keys can hold, and more

static unsigned char put_back[PUT_BACK_SIZE];
static unsigned put_back_in, put_back_out; // bytes ever
static char output[128];
static unsigned output_length;
static bool is_editing;

// What the editor draws goes out as it is, a key's worth at a time.
static void output_flush(void)
{
    struct sv_handle console = sv_granted("console");
    size_t taken, from = 0;
    while (from < output_length && sv_write(console, output + from, output_length - from, &taken) == SV_OK)
        from += taken;
    output_length = 0;
}

void edit_put(char c)
{
    if (output_length == sizeof(output))
        output_flush();
    output[output_length++] = c;
}

void line_make_way(void)
{
    output_flush();
    if (is_editing)
        printf("\n");
}

void line_show_again(void)
{
    if (is_editing)
        edit_draw();
    output_flush();
}

// Commands of one line, one after another, with ; between them, or & after those that are not waited for.
static void line_run(char *line)
{
    bool in_background;
    for (char *next; line; line = next) {
        next = words_command(line, &in_background);
        command_run(line, in_background);
    }
}

static void line_done(void)
{
    char line[EDIT_SIZE];
    edit_line_take(line);
    output_flush();
    is_editing = false;
    line_run(line);
    is_editing = true;
    edit_draw();
}

void key_put_back(unsigned char key)
{
    if (put_back_in - put_back_out < PUT_BACK_SIZE)
        put_back[put_back_in++ % PUT_BACK_SIZE] = key;
}

static bool key_next(unsigned char *key)
{
    size_t taken;
    if (put_back_out != put_back_in) {
        *key = put_back[put_back_out++ % PUT_BACK_SIZE];
        return true;
    }
    return sv_read(sv_granted("console"), key, 1, &taken) == SV_OK && taken;
}

// Key by key: the line's program may want the rest of what was typed.
static void keys_take(void)
{
    unsigned char key;
    while (key_next(&key)) {
        switch (edit_key(key)) {
        case EDIT_LINE:
            line_done();
            break;
        case EDIT_COMPLETE:
            complete();
            break;
        case EDIT_MORE:
            break;
        }
        output_flush();
    }
}

int main(void)
{
    static char arguments[SV_ARGUMENTS_SIZE];
    struct sv_happening h;

    printf("Diosix supervisor. 'help' lists the commands.\n");
    memcpy(arguments, sv_started->arguments, sizeof(arguments) - 1);
    line_run(arguments);
    is_editing = true;
    edit_draw();
    output_flush();
    do {
        keys_take();
    } while (sv_wait(sv_granted("console"), &h) == SV_OK && h.event == SV_EVENT_INPUT);
    return 1;
}
