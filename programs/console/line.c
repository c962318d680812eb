// The prompt's line: keys that are typed there, and what comes of them.
#include "line.h"

#include "command.h"
#include "complete.h"
#include "console.h"
#include "edit.h"
#include "leave.h"
#include "out.h"
#include "prompt.h"
#include "session.h"

#define KEYS_A_STEP 16u
#define LEAVE_POLL 10u // ms

const bool prompt_is_at_terminal = true;
const char edit_prompt[] = "dio> ";
static int key_kept = -1; // typed, and to be read once more

void edit_put(char c)
{
    out_char(c);
}

static int key_next(void)
{
    int key = key_kept;
    key_kept = -1;
    return key >= 0 ? key : line_key();
}

// What is no sign of impatience is kept as the beginning of the next line.
bool prompt_is_interrupted(void)
{
    int key;

    while ((key = key_next()) >= 0) {
        if (edit_is_rest_of_line_end((uint8_t)key))
            continue;
        if (key == 0x1b || (key > ' ' && key != 'q'))
            key_kept = key;
        return true;
    }
    return !console_at_prompt();
}

void prompt_finished(bool any, bool failed)
{
    if (any && !failed) {
        out_text("ok");
        out_line_end();
    }
    console_prompt_disturbed(); // the line is drawn now
    if (!leave_is_wanted() && console_at_prompt())
        edit_draw();
}

static enum next keys_step(void)
{
    for (unsigned i = 0; i < KEYS_A_STEP && out_length() < OUT_SIZE / 8; i++) {
        int key = key_next();
        if (key < 0)
            return NEXT_WAIT;
        switch (edit_key((uint8_t)key)) {
        case EDIT_LINE:
            edit_line_take(session.line);
            command_begin();
            return NEXT_MORE;
        case EDIT_COMPLETE:
            complete_begin();
            return NEXT_MORE;
        case EDIT_MORE:
            break;
        }
    }
    return NEXT_MORE;
}

enum next line_step(uint64_t *deadline)
{
    if (complete_is_busy())
        return complete_step();
    if (session.run.command)
        return command_run(deadline);
    if (leave_is_wanted() && !leave()) {
        *deadline = prompt_time(LEAVE_POLL);
        return NEXT_WAIT;
    }
    if (console_prompt_disturbed()) {
        out_char('\r');
        edit_draw();
    }
    return keys_step();
}
