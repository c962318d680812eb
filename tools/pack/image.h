// Kernels, initial ramdisks and disks: reads the files, unpacks what is packed and refuses what can't boot.
#pragma once

#include "manifest.h"

#define IMAGE_HASH_SIZE 32

enum image_kind { IMAGE_KERNEL, IMAGE_RAMDISK, IMAGE_DISK };

// A disk is so many bytes, or a multiple.
#define IMAGE_SECTOR 512u

// One image of the bundle. Capsules whose images have the same bytes share one.
struct image {
    enum image_kind kind;
    char name[16];    // in the bundle
    const char *path; // the first file that had it
    uint8_t *data;
    size_t size;
    size_t span; // bytes of memory it takes, from the start of the capsule's RAM; a kernel's
    uint8_t sha256[IMAGE_HASH_SIZE];
};

struct image_set {
    struct image images[(2 + MANIFEST_DEVICES_MAX) * MANIFEST_CAPSULES_MAX];
    size_t count;
};

// The image in this file, read now or found in the set. Null, and an error, if it is not usable.
const struct image *image_get(struct image_set *set, enum image_kind kind, const struct text *path,
                              const struct width *width);
