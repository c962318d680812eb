// Starting programs: a task out of an image, with its memory, its capabilities and its start page.
#pragma once

#include "archive.h"
#include "task.h"

// The first program, from the archive, with all that there is. False: there is none that can be started, and the log
// says why.
must_check bool start_init(const struct machine *m);

// (image, address of struct sv_start)
enum sv_status call_start(struct task *t, struct capability *c);
