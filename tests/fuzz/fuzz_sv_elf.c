// sources: supervisor bearssl
//
// The supervisor's loader of programs. The input is a file, or, if it begins with a 1, changes to a good one: two bytes
// of offset, one of value. Whether it can be started or not, in the end all memory must be back.
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "fake.h"

#define ok(...)                                                                                                        \
    do {                                                                                                               \
        if (call(__VA_ARGS__) != SV_OK)                                                                                \
            abort();                                                                                                   \
    } while (0)

static uint8_t good[16384], file[16384];
static size_t good_size;
static struct sv_handle image, frames;

static void boot(void)
{
    static uint8_t archive[65536];
    size_t size = 0;

    good_size = fake_program(good);
    fake_archive_add(archive, &size, "init", good, good_size);
    fake_archive_add(archive, &size, "target", "", 0);
    fake_archive_end(archive, &size);
    fake_boot(1, archive, size);
    fake_next();
    frames = fake_start_handle("frames");
    if (!fake_store(fake_task()->stack_low, "target", 6))
        abort();
    ok(SV_OPEN, fake_start_handle("archive"), fake_task()->stack_low, 6);
    image = fake_handle;
    fake_check();
}

static size_t change(const uint8_t *data, size_t size)
{
    memcpy(file, good, good_size);
    for (; size >= 3; data += 3, size -= 3)
        file[(data[0] | data[1] << 8) % good_size] = data[2];
    return good_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fake_memory)
        boot();
    if (!size || size > sizeof(file))
        return 0;
    struct image *target = archive_find("target");
    target->size = data[0] == 1 ? change(data + 1, size - 1) : size - 1;
    uint8_t *exact = malloc(target->size + 1); // so that a byte too far is seen
    memcpy(exact, data[0] == 1 ? file : data + 1, target->size);
    target->data = exact = realloc(exact, target->size ? target->size : 1);
    uint64_t before = frames_free();
    struct sv_start s = {.frames = frames, .frame_count = 200};
    if (!fake_store(fake_task()->stack_low, &s, sizeof(s)))
        abort();
    if (call(SV_START, image, fake_task()->stack_low) == SV_OK) {
        ok(SV_END, fake_handle, 0);
        ok(SV_DROP, fake_handle, 0);
    }
    fake_check();
    if (frames_free() != before)
        abort();
    free(exact);
    return 0;
}
