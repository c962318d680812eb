// What makes a file a kernel: a Linux Image, an ELF program or a raw binary, for the right machine.
#pragma once

#include "image.h"

// Unpacks the image if it is gzip and works out the memory it takes. False, and an error with the
// reason, if it can't be a kernel.
bool kernel_prepare(struct image *image, struct place place, const struct width *width);
