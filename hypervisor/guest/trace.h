// The last exits of a capsule, kept while somebody asks for them.
#pragma once

#include "diosix.h"
#include "status.h"
#include "vcore.h"

// Keeps the exits of all vcores from now on; a trace that is on already goes on. STATUS_NO_MEMORY. The caller holds
// the lock of the tree (capsule/tree.h). Until trace_stop(), also over restarts.
enum status trace_start(struct capsule *c) must_check;
// Ends it, if it is on, and gives its memory back. The caller as above. Waits for harts that write a record.
void trace_stop(struct capsule *c);

// Copies kept records from *position on, a count modulo 2^32; the oldest kept if that is gone, or was never
// there. Says from where it copied, how many, and where all that were written end. Fewer than there are: the next
// is being written. A record is as in include/diosix.h, but that `kind` is of enum exit_kind, and time and duration
// are ticks. The caller holds the lock of the tree, and the trace is on.
size_t trace_peek(struct capsule *c, uint32_t *position, struct diosix_exit *records, size_t count, uint32_t *end);

// A vcore enters its hart, or has just become a traced one there.
void trace_enter(struct vcore *v);

// From trap.S: exit_fast() for a vcore that may be traced, and what comes after hart_exit().
enum exit trace_exit(struct context *c, unsigned long cause);
struct context *trace_resume(struct context *c);
