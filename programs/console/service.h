// The console service: what the hypervisor's console does on the machine's terminal, done by a program.
//
//   hypervisor  <- calls.c ->  terminal.c (the port: keys in, bytes out)
//                              capsules.c (streams: what capsules print, and what is typed at them)
//                              prompt.c   (dio>)
//                              main.c     (when)
//
// The code that lays out lines is the hypervisor's own, compiled for here: hypervisor/console works on streams and a
// port. Here each capsule has a stream that mirrors the hypervisor's: filled from that as there is room, and told there
// how far it was shown. keys.c, notice.c and line.c are what the person at the terminal deals with; the commands
// (prompt/) are shared with dio-guest.
#pragma once

#include "diosix.h"
#include "stream.h"
#include "sv.h"

// ---- calls.c ----

// The hypervisor is there, and lends the terminal: *bell rings when there is something to do.
must_check bool calls_init(struct sv_handle *bell);

// A call with numbers only; an SBI error.
long hv_call(enum diosix_call function, uint64_t first, uint64_t second, uint64_t *value);

// A call about so many bytes at 'buffer', which it reads or writes.
long hv_transfer(enum diosix_call function, uint64_t first, uint64_t second, void *buffer, size_t size,
                 uint64_t *value);

// ---- terminal.c ----

// Takes what was typed; true if there was anything.
bool terminal_read(void);

// Gives what there is to show to the hypervisor; true if all of it was taken.
bool terminal_write(void);

// ---- capsules.c ----

// Finds out which capsules there are, but for our own. False: the hypervisor does not tell.
must_check bool capsules_init(void);

// Takes in what they have printed, as far as there is room; true if there was anything.
bool capsules_read(void);

// Has there come room for output that there was none for?
bool capsules_go_on(void);

// Tells the hypervisor what has been shown: all that was taken in and is out of our hands.
void capsules_tell_shown(void);

// Types at them what the person typed at their streams.
void capsules_type(void);

// Has every capsule but us ended?
bool capsules_are_over(void);

// ---- prompt.c ----

void service_prompt_init(void);
void service_prompt_wake(void);

// Steps the prompt if there is something for it to do; true if there was. *deadline: when it wants to be stepped.
bool service_prompt_step(uint64_t *deadline);
