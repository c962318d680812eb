// Writes the bundle: a FIT image, which is a device tree with the images as properties.
#pragma once

#include "image.h"

// A capsule and its images; initrd null if it has none.
struct fit_capsule {
    const struct manifest_capsule *manifest;
    const struct image *kernel;
    const struct image *initrd;
    const struct image *disks[MANIFEST_DEVICES_MAX]; // null where the device is none
};

struct fit {
    const struct image_set *images;
    const struct switches *switches;
    const struct text *terminal; // as in the manifest
    const struct width *width;
    const struct fit_capsule *capsules;
    size_t count;
};

// Memory of `size` bytes that the caller frees.
void *fit_build(const struct fit *fit, size_t *size);
