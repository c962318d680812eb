// sources: supervisor bearssl
//
// The supervisor's reader of archives. The input is one, or, if it begins with a 1, changes to a good one: one byte of
// offset, one of value. What it tells must lie in the archive.
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "fake.h"

static size_t good_archive(uint8_t *out)
{
    size_t size = 0;

    fake_archive_add(out, &size, "./one", "12345", 5);
    fake_archive_add(out, &size, "directory/two", "", 0);
    fake_archive_end(out, &size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t changed[1024];
    const uint8_t *from = data;
    size_t count = size, at = 0;
    struct archive_file found;

    if (size && data[0] == 1) {
        from = changed;
        count = good_archive(changed);
        for (size_t i = 1; i + 1 < size; i += 2)
            changed[data[i] % count] = data[i + 1];
    }
    uint8_t *exact = malloc(count ? count : 1);
    memcpy(exact, from, count);
    for (size_t last = 0; archive_next(exact, count, &at, &found); last = at) {
        if (at <= last || found.data < exact || found.size > count || found.data + found.size > exact + count)
            abort();
        if (!memchr(found.name, 0, sizeof(found.name)))
            abort();
    }
    free(exact);
    return 0;
}
