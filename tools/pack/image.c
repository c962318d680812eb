#include "image.h"

#include "kernel.h"

#include <bearssl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const kind_names[] = {[IMAGE_KERNEL] = "kernel", [IMAGE_RAMDISK] = "initrd", [IMAGE_DISK] = "disk"};
static const char *const image_names[] = {
    [IMAGE_KERNEL] = "kernel", [IMAGE_RAMDISK] = "ramdisk", [IMAGE_DISK] = "disk"};

// False, and an error, unless it is a readable file with something in it.
static bool file_read(const struct text *path, const char *what, struct image *image)
{
    struct stat status;
    FILE *file = NULL;
    bool found = stat(path->value, &status) == 0;
    if (found && !S_ISREG(status.st_mode)) { // a pipe would be waited for
        report_error(path->place, "%s %s: is no file", what, path->value);
    } else if (!found || !(file = fopen(path->value, "rb")) || fstat(fileno(file), &status)) {
        report_error(path->place, "%s %s: can't be read: %s", what, path->value, strerror(errno));
    } else if (status.st_size == 0) {
        report_error(path->place, "%s %s: is empty", what, path->value);
    } else {
        image->size = (size_t)status.st_size;
        image->data = report_allocate(image->size);
        if (fread(image->data, 1, image->size, file) != image->size) {
            report_error(path->place, "%s %s: can't be read to its end", what, path->value);
            free(image->data);
            image->data = NULL;
        }
    }
    if (file)
        fclose(file);
    return image->data;
}

// The last sector is filled up with zeros.
static void disk_prepare(struct image *image)
{
    size_t whole = (image->size + IMAGE_SECTOR - 1) / IMAGE_SECTOR * IMAGE_SECTOR;
    uint8_t *data = report_allocate(whole);
    memcpy(data, image->data, image->size);
    memset(data + image->size, 0, whole - image->size);
    free(image->data);
    image->data = data;
    image->size = whole;
}

static void image_hash(struct image *image)
{
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, image->data, image->size);
    br_sha256_out(&context, image->sha256);
}

static const struct image *image_add(struct image_set *set, const struct image *new)
{
    size_t same_kind = 1;
    for (size_t i = 0; i < set->count; i++) {
        const struct image *old = &set->images[i];
        if (old->kind == new->kind && memcmp(old->sha256, new->sha256, IMAGE_HASH_SIZE) == 0) {
            free(new->data);
            return old;
        }
        same_kind += old->kind == new->kind;
    }
    struct image *image = &set->images[set->count++];
    *image = *new;
    snprintf(image->name, sizeof image->name, "%s-%zu", image_names[new->kind], same_kind);
    return image;
}

const struct image *image_get(struct image_set *set, enum image_kind kind, const struct text *path,
                              const struct width *width)
{
    struct image image = {.kind = kind, .path = path->value};
    for (size_t i = 0; i < set->count; i++)
        if (set->images[i].kind == kind && strcmp(set->images[i].path, path->value) == 0)
            return &set->images[i];
    if (!file_read(path, kind_names[kind], &image))
        return NULL;
    if (kind == IMAGE_KERNEL && !kernel_prepare(&image, path->place, width)) {
        free(image.data);
        return NULL;
    }
    if (kind == IMAGE_DISK)
        disk_prepare(&image);
    image_hash(&image);
    return image_add(set, &image);
}
