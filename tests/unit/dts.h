// Device trees for tests: source text, compiled by dtc when the test runs.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DTS_SIZE_MAX 262144

// What a command writes, in memory as aligned as a device tree must be. The caller frees it. Aborts the
// test program if there is nothing.
static inline void *dts_output(const char *command, size_t *size)
{
    char *data = aligned_alloc(8, DTS_SIZE_MAX);
    FILE *pipe = popen(command, "r");
    *size = pipe ? fread(data, 1, DTS_SIZE_MAX, pipe) : 0;
    if (!pipe || pclose(pipe) || !*size) {
        fprintf(stderr, "no output: %s\n", command);
        abort();
    }
    return data;
}

// Compiles a file, named from the repository's top.
static inline void *dts_file(const char *path)
{
    char command[256];
    size_t size;
    snprintf(command, sizeof(command), "dtc -q -I dts -O dtb %s", path);
    return dts_output(command, &size);
}

// Writes data into a temporary file; `path` has room for its name.
static inline void dts_save(const void *data, size_t size, char path[32])
{
    strcpy(path, "/tmp/dts-XXXXXX");
    int file = mkstemp(path);
    FILE *out = file < 0 ? NULL : fdopen(file, "w");
    if (!out || fwrite(data, 1, size, out) != size || fclose(out)) {
        fprintf(stderr, "can't write %s\n", path);
        abort();
    }
}

static inline void *dts_text(const char *text)
{
    char path[32];
    dts_save(text, strlen(text), path);
    void *tree = dts_file(path);
    remove(path);
    return tree;
}
