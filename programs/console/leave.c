#include "leave.h"

#include <string.h>

#include "command.h"
#include "console.h"
#include "edit.h"
#include "line.h"

static char to[DIOSIX_NAME_SIZE];

enum next command_console(struct run *r)
{
    if (!console_has(r->name))
        return fail(r, "%s has no terminal: start it first", r->name);
    memcpy(to, r->name, sizeof(to));
    return NEXT_DONE;
}

bool leave_is_wanted(void)
{
    return to[0];
}

bool leave(void)
{
    if (!line_is_shown())
        return false;
    if (!console_go(to)) // it went away meanwhile
        edit_draw();
    to[0] = 0;
    return true;
}
