// The capsule that keeps the machine's terminal: programs/console, in a capsule of its own.
#pragma once

#include "manifest.h"

// Adds it behind those of the manifest, unless that has one of its own, or says `terminal: plain`. `folder` holds its
// kernel and its programs, supervisor.bin and programs.cpio.
void terminal_complete(struct manifest *manifest, const char *folder);
