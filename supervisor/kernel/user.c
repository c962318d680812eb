#include "user.h"

#include <string.h>

#include "region.h"

// The bytes from this address to the end of its page, NULL if they can't be had.
static unsigned char *user_page(struct task *t, uintptr_t address, unsigned access)
{
    uint64_t physical;

    if (address < ARCH_USER_START || address >= ARCH_USER_END)
        return NULL;
    if (space_find(&t->space, address, access, &physical) != STATUS_OK &&
        (region_touch(t, address, access) != TOUCH_MAPPED ||
         space_find(&t->space, address, access, &physical) != STATUS_OK))
        return NULL;
    return physical_pointer(physical);
}

static bool user_copy(struct task *t, uintptr_t address, unsigned char *bytes, size_t size, unsigned access)
{
    while (size) {
        size_t part = FRAME_SIZE - address % FRAME_SIZE;
        unsigned char *page = user_page(t, address, access);

        if (!page)
            return false;
        if (part > size)
            part = size;
        if (access == SV_RIGHT_WRITE)
            memcpy(page, bytes, part);
        else
            memcpy(bytes, page, part);
        address += part;
        bytes += part;
        size -= part;
    }
    return true;
}

bool user_read(struct task *t, void *out, uintptr_t address, size_t size)
{
    return user_copy(t, address, out, size, SV_RIGHT_READ);
}

bool user_write(struct task *t, uintptr_t address, const void *from, size_t size)
{
    return user_copy(t, address, (unsigned char *)(uintptr_t)from, size, SV_RIGHT_WRITE);
}
