#include "archive.h"

#include <string.h>

#include "bits.h"
#include "call.h"
#include "user.h"

// A header is 110 characters: the magic number, then 13 fields of 8 hexadecimal digits. Name and data follow, each
// filled up to a multiple of 4 from the archive's start. (cpio(5), "New ASCII Format")
#define HEADER_SIZE 110
enum { FIELD_MODE = 1, FIELD_FILE_SIZE = 6, FIELD_NAME_SIZE = 11 };
#define MODE_TYPE 0170000u
#define MODE_REGULAR 0100000u

static struct image images[PROGRAMS_MAX];
static unsigned image_count;

static bool field_read(const unsigned char *header, unsigned n, uint32_t *out)
{
    const unsigned char *digit = header + 6 + (size_t)n * 8;

    *out = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned char c = digit[i] | 0x20;
        if (digit[i] >= '0' && digit[i] <= '9')
            *out = *out << 4 | (digit[i] - '0');
        else if (c >= 'a' && c <= 'f')
            *out = *out << 4 | (c - 'a' + 10u);
        else
            return false;
    }
    return true;
}

struct entry {
    uint32_t mode, file_size, name_size;
    const unsigned char *name;
};

// Reads one header, checks it against what there is, and steps behind the file.
static bool entry_next(const unsigned char *archive, size_t size, size_t *at, struct entry *e,
                       const unsigned char **data)
{
    if (*at > size || size - *at < HEADER_SIZE)
        return false;
    const unsigned char *header = archive + *at;
    if ((memcmp(header, "070701", 6) && memcmp(header, "070702", 6)) || !field_read(header, FIELD_MODE, &e->mode) ||
        !field_read(header, FIELD_FILE_SIZE, &e->file_size) || !field_read(header, FIELD_NAME_SIZE, &e->name_size))
        return false;
    uint64_t name_at = (uint64_t)*at + HEADER_SIZE;
    uint64_t data_at = align_up(name_at + e->name_size, 4);
    if (!e->name_size || data_at > size || e->file_size > size - data_at || header[HEADER_SIZE + e->name_size - 1])
        return false;
    e->name = archive + name_at;
    *data = archive + data_at;
    *at = (size_t)align_up(data_at + e->file_size, 4);
    return true;
}

bool archive_next(const void *archive, size_t size, size_t *at, struct archive_file *out)
{
    struct entry e;

    while (entry_next(archive, size, at, &e, &out->data)) {
        const char *name = (const char *)e.name;
        if (!strcmp(name, "TRAILER!!!"))
            return false;
        if (name[0] == '.' && name[1] == '/')
            name += 2;
        else if (name[0] == '/')
            name++;
        size_t length = strlen(name);
        if ((e.mode & MODE_TYPE) != MODE_REGULAR || !length || length >= SV_NAME_SIZE)
            continue;
        memset(out->name, 0, sizeof(out->name));
        memcpy(out->name, name, length);
        out->size = e.file_size;
        return true;
    }
    return false;
}

void archive_init(const void *archive, size_t size)
{
    struct archive_file file;
    size_t at = 0;

    image_count = 0;
    while (archive && image_count < PROGRAMS_MAX && archive_next(archive, size, &at, &file)) {
        struct image *i = &images[image_count++];
        memcpy(i->name, file.name, sizeof(i->name));
        i->data = file.data;
        i->size = file.size;
        object_init(&i->object, SV_TYPE_IMAGE);
    }
}

unsigned archive_count(void)
{
    return image_count;
}

struct image *archive_find(const char *name)
{
    for (unsigned i = 0; i < image_count; i++)
        if (!strncmp(images[i].name, name, SV_NAME_SIZE))
            return &images[i];
    return NULL;
}

enum sv_status call_open(struct task *t, struct capability *c)
{
    char name[SV_NAME_SIZE] = {0};
    sv_word length = frame_argument(&t->frame, 1);

    if (!length || length >= SV_NAME_SIZE)
        return SV_NOT_FOUND;
    if (!user_read(t, name, frame_argument(&t->frame, 0), length))
        return SV_FAULT;
    struct image *i = archive_find(name);
    if (!i)
        return SV_NOT_FOUND;
    call_give(t, &i->object, SV_RIGHT_USE | (c->rights & SV_RIGHT_COPY), c);
    return SV_OK;
}
