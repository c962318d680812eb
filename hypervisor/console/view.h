// Which stream is watched. All under the console's lock.
#pragma once

#include "console_state.h"

// The n-th capsule's stream, from 0; NULL if there are not so many.
struct stream *view_capsule(unsigned n);

// Where keys go: the attached capsule, or the first; NULL if there is none.
struct stream *view_input(void);

// The next capsule after s, round the end; s if it is alone. s NULL or the prompt: the first or the last.
struct stream *view_next(struct stream *s);
struct stream *view_previous(struct stream *s);

// Attaches to s; NULL: interleaved.
void view_set(struct stream *s);
