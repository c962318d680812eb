// Disks of the machine whose sectors are the test's own, for tests of what lies on disks.
#pragma once

#include "block.h"

// The disk's sectors are those of the image, then zeros up to `sectors`. With a buffer for its first user.
void image_disk_add(struct block_disk *d, const char *serial, const uint8_t *image, size_t size, uint64_t sectors);
// All memory that was given out is taken back, and there are no disks.
void image_disks_reset(void);
extern unsigned image_disk_errors; // that many reads fail
