// The archive of programs that comes with the kernel: a cpio file ("newc") as initrds are.
#pragma once

#include "object.h"

#define PROGRAMS_MAX 128

struct image {
    struct object object;
    char name[SV_NAME_SIZE];
    const unsigned char *data;
    size_t size;
};

// The next file of an archive: false at its end, or where it is broken. '*at' is where to go on, 0 at first. Names keep
// no leading "./" or "/"; files whose name does not fit, and all that is not a regular file, are left out.
struct archive_file {
    char name[SV_NAME_SIZE];
    const unsigned char *data;
    size_t size;
};
must_check bool archive_next(const void *archive, size_t size, size_t *at, struct archive_file *out);

// Makes an object of each file.
void archive_init(const void *archive, size_t size);

unsigned archive_count(void);

// By name; NULL: none.
struct image *archive_find(const char *name);

struct task;
struct capability;

// (archive, address of a name, its length)
enum sv_status call_open(struct task *t, struct capability *c);
