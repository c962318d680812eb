#include "networks.h"

#include <string.h>

#define FNV_START 14695981039346656037ull // FNV-1a, 64 bits
#define FNV_FACTOR 1099511628211ull

static bool is_known(const struct switches *switches, const char *name)
{
    for (size_t i = 0; i < switches->count; i++)
        if (switches->items[i].name.value && strcmp(switches->items[i].name.value, name) == 0)
            return true;
    return false;
}

// Locally administered, one station's. It follows from the names alone, so that it is the same each time.
static void address_derive(struct manifest_device *device, const char *capsule, size_t number)
{
    uint64_t hash = FNV_START;
    for (; *capsule; capsule++)
        hash = (hash ^ (uint8_t)*capsule) * FNV_FACTOR;
    hash = (hash ^ (0x100 + number)) * FNV_FACTOR;
    hash ^= hash >> 24;
    device->address[0] = 0x02;
    for (size_t i = 1; i < sizeof device->address; i++)
        device->address[i] = (uint8_t)(hash >> 8 * i);
}

static void capsule_complete(struct manifest_capsule *capsule, const struct switches *switches)
{
    size_t number = 0;
    for (size_t i = 0; i < capsule->devices.count; i++) {
        struct manifest_device *device = &capsule->devices.items[i];
        if (!device->net.value)
            continue;
        if (!device->mac.place.line && capsule->name.value)
            address_derive(device, capsule->name.value, number);
        number++;
        if (!is_known(switches, device->net.value))
            report_error(device->net.place, "net '%s': there is no such switch: name it in `switches: [...]`",
                         device->net.value);
    }
}

static void pair_check(const struct manifest_device *one, const struct manifest_device *other)
{
    if (!one->net.value || !other->net.value || strcmp(one->net.value, other->net.value) != 0 ||
        memcmp(one->address, other->address, sizeof one->address) != 0)
        return;
    report_error(one->mac.place.line ? one->mac.place : one->place,
                 "the device in line %zu has the same address on the same switch: give one of them another `mac`",
                 other->place.line);
}

static void cid_check(const struct manifest_device *one, const struct manifest_device *other, bool is_same_capsule)
{
    if (!one->vsock.place.line || !other->vsock.place.line)
        return;
    if (is_same_capsule)
        report_error(one->place, "vsock: the capsule has one in line %zu already", other->place.line);
    else if (one->cid.value && one->cid.value == other->cid.value)
        report_error(one->cid.place, "cid: the device in line %zu has the same: give one of them another",
                     other->place.line);
}

// Whether the device has an address that one before it has.
static void address_check(const struct manifest *manifest, size_t capsule, size_t device)
{
    const struct manifest_device *one = &manifest->capsules[capsule].devices.items[device];
    for (size_t i = 0; i <= capsule; i++)
        for (size_t j = 0; j < (i < capsule ? manifest->capsules[i].devices.count : device); j++) {
            pair_check(one, &manifest->capsules[i].devices.items[j]);
            cid_check(one, &manifest->capsules[i].devices.items[j], i == capsule);
        }
}

void networks_complete(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++)
        capsule_complete(&manifest->capsules[i], &manifest->switches);
    if (report_count())
        return;
    for (size_t i = 0; i < manifest->count; i++)
        for (size_t j = 0; j < manifest->capsules[i].devices.count; j++)
            address_check(manifest, i, j);
}
