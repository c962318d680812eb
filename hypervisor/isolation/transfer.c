// Copies between the hypervisor and a guest's RAM, by guest-physical address.
#include <string.h>

#include "isolation.h"

enum status space_read(const struct space *s, struct gpa a, void *to, size_t size)
{
    uint8_t *end = to;

    if (!space_contains(s, a, size))
        return STATUS_NOT_FOUND;
    while (size) {
        struct hpa host;
        uint64_t run = space_find(s, a, &host);
        if (!run)
            return STATUS_NOT_FOUND;
        size_t part = run < size ? (size_t)run : size;
        memcpy(end, hpa_pointer(host), part);
        end += part;
        a.value += part;
        size -= part;
    }
    return STATUS_OK;
}

enum status space_write(struct space *s, struct gpa a, const void *from, size_t size)
{
    const uint8_t *at = from;

    if (!space_contains(s, a, size))
        return STATUS_NOT_FOUND;
    while (size) {
        struct hpa host;
        uint64_t run;
        enum status status = space_find_writable(s, a, &host, &run);
        if (status != STATUS_OK)
            return status;
        size_t part = run < size ? (size_t)run : size;
        memcpy(hpa_pointer(host), at, part);
        at += part;
        a.value += part;
        size -= part;
    }
    return STATUS_OK;
}

enum status space_load16(const struct space *s, struct gpa a, uint16_t *value)
{
    struct hpa host;

    if (a.value & 1 || space_find(s, a, &host) < sizeof(*value))
        return STATUS_NOT_FOUND;
    *value = atomic_load_explicit((_Atomic uint16_t *)hpa_pointer(host), memory_order_acquire);
    return STATUS_OK;
}

enum status space_store16(struct space *s, struct gpa a, uint16_t value)
{
    struct hpa host;
    uint64_t run;

    if (a.value & 1)
        return STATUS_NOT_FOUND;
    enum status status = space_find_writable(s, a, &host, &run);
    if (status == STATUS_OK && run < sizeof(value))
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        atomic_store_explicit((_Atomic uint16_t *)hpa_pointer(host), value, memory_order_release);
    return status;
}
