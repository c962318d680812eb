// A capsule's devices: what they are and have done, and what of them is changed.
//
// People name them by kind and number among those of the kind: disk0, disk1, net0. A kind's first needs no number.
#include <string.h>

#include "command.h"
#include "session.h"
#include "units.h"

#define SLOTS 8u

static const char words_kinds[] = "rng\0disk\0disk\0net\0vsock\0balloon\0console\0"; // from DIOSIX_DEVICE_RNG

static const char *kind_word(uint32_t kind)
{
    return list_word(words_kinds, kind - DIOSIX_DEVICE_RNG);
}

// How many of its kind come before the one in this slot.
static unsigned number_of(const struct run *r, unsigned slot, const char *kind)
{
    unsigned number = 0;

    for (unsigned i = 0; i < slot; i++)
        if (ask(DIOSIX_DEVICE, r->id, i, offsetof(struct diosix_device, flags)) == SBI_SUCCESS)
            number += !strcmp(kind_word(session.answer.device.kind), kind);
    return number;
}

// The slot of the device of that name, and the device in session.answer.device; SLOTS: there is none.
static unsigned device_find(const struct run *r, const char *name)
{
    unsigned wanted = 0, slot;
    size_t length = strcspn(name, "0123456789");
    uint64_t number = 0;

    if (name[length] && (!parse_number(name + length, &number) || number >= SLOTS))
        return SLOTS;
    for (slot = 0; slot < SLOTS; slot++) {
        if (ask(DIOSIX_DEVICE, r->id, slot, sizeof(session.answer.device)) != SBI_SUCCESS)
            continue;
        const char *kind = kind_word(session.answer.device.kind);
        if (strlen(kind) == length && !memcmp(kind, name, length) && wanted++ == number)
            break;
    }
    return slot;
}

static enum next fail_device(struct run *r, const char *name)
{
    return fail(r, "%s has no device '%s': devices %s shows them", r->name, name, r->name);
}

// devices ---------------------------------------------------------------------------------------------

static void flow(const char *what, const struct diosix_flow *f)
{
    out_format("  %s %llu,", what, (unsigned long long)f->requests);
    put_bytes(f->bytes);
    if (f->errors)
        out_format(", %llu failed", (unsigned long long)f->errors);
    if (f->drops)
        out_format(", %llu lost", (unsigned long long)f->drops);
}

// What each kind does, from DIOSIX_DEVICE_RNG.
static const char words_to[] = "read\0read\0read\0received\0received\0taken back\0typed\0";
static const char words_from[] = "-\0written\0written\0sent\0sent\0given back\0printed\0";

static void limits(const struct diosix_device *d)
{
    if (d->limit_requests)
        out_format(", %llu a second", (unsigned long long)d->limit_requests);
    if (d->limit_bytes) {
        out_text(",");
        put_bytes(d->limit_bytes);
        out_text(" a second");
    }
}

static void disk_tell(const struct diosix_device *d)
{
    put_bytes(d->size);
    out_text(d->flags & DIOSIX_DEVICE_OUT ? ", empty" : d->flags & DIOSIX_DEVICE_READONLY ? ", read-only" : "");
}

static void net_tell(const struct diosix_device *d)
{
    const uint8_t *a = d->address;
    out_format(" %02x:%02x:%02x:%02x:%02x:%02x, %s", a[0], a[1], a[2], a[3], a[4], a[5],
               d->flags & DIOSIX_DEVICE_OUT ? "down" : "up");
}

static void balloon_tell(const struct diosix_device *d)
{
    put_bytes(d->size);
    out_text(" of");
    put_bytes(d->wanted);
}

static void device_tell(const struct diosix_device *d, unsigned number)
{
    const char *kind = kind_word(d->kind);
    bool is_net = d->kind == DIOSIX_DEVICE_NET;

    out_format("%s%u", kind, number);
    if (d->name[0])
        out_format(" '%s'", d->name);
    if (is_net)
        net_tell(d);
    else if (d->kind == DIOSIX_DEVICE_BALLOON)
        balloon_tell(d);
    else if (d->kind == DIOSIX_DEVICE_DISK || d->kind == DIOSIX_DEVICE_HOST_DISK)
        disk_tell(d);
    limits(d);
    if (!(d->flags & DIOSIX_DEVICE_USED))
        out_text(", no driver");
    out_line_end();
    flow(list_word(words_to, d->kind - DIOSIX_DEVICE_RNG), &d->to_guest);
    if (d->kind != DIOSIX_DEVICE_RNG)
        flow(list_word(words_from, d->kind - DIOSIX_DEVICE_RNG), &d->from_guest);
    out_line_end();
}

enum next command_devices(struct run *r)
{
    unsigned slot = r->phase++;

    if (slot == SLOTS)
        return NEXT_DONE;
    if (ask(DIOSIX_DEVICE, r->id, slot, sizeof(session.answer.device)) != SBI_SUCCESS)
        return NEXT_MORE;
    struct diosix_device device = session.answer.device;
    device_tell(&device, number_of(r, slot, kind_word(device.kind)));
    return NEXT_MORE;
}

// set NAME DEVICE SETTING VALUE ---------------------------------------------------------------------------

const char words_device_settings[] = "iops\0packets\0bandwidth\0size\0link\0";
static const struct {
    uint8_t setting, kind;
    const char *of;
} settings[] = {
    {DIOSIX_DEVICE_SET_REQUESTS, VALUE_NUMBER, "disk"}, {DIOSIX_DEVICE_SET_REQUESTS, VALUE_NUMBER, "net"},
    {DIOSIX_DEVICE_SET_BYTES, VALUE_SIZE, NULL},        {DIOSIX_DEVICE_SET_SIZE, VALUE_SIZE, "disk"},
    {DIOSIX_DEVICE_SET_OUT, VALUE_LINK, "net"},
};

static enum next device_changed(struct run *r, long error)
{
    if (error == SBI_ERR_INVALID_STATE)
        return fail(r, "%s has still to do what it was told before: wait, or resume %s", r->words[0], r->name);
    if (error == SBI_ERR_NOT_SUPPORTED)
        return fail(r, "%s gives nothing back: that needs isolation gstage", r->name);
    if (error == SBI_ERR_INVALID_PARAM)
        return fail(r, "%s can't be set so: see set in docs/prompt.md", r->words[0]);
    return done(r, error);
}

static long device_set(const struct run *r, unsigned slot, uint8_t setting, uint64_t value)
{
    return ask_device_set(r->id, slot | (uint64_t)setting << 8, value);
}

// There is one at most that is of use, and nothing else of it to be set.
enum next command_set_balloon(struct run *r)
{
    unsigned slot = device_find(r, r->words[0]);
    uint64_t value;

    if (slot == SLOTS)
        return fail_device(r, r->words[0]);
    if (!parse_value(VALUE_SIZE, r->words[1], &value))
        return fail(r, "'%s' is no size: that is %s", r->words[1], value_hint(VALUE_SIZE));
    return device_changed(r, device_set(r, slot, DIOSIX_DEVICE_SET_SIZE, value));
}

enum next command_set_device(struct run *r)
{
    unsigned slot = device_find(r, r->words[0]);
    int n = list_find(words_device_settings, r->words[1]);
    uint64_t value;

    if (slot == SLOTS)
        return fail_device(r, r->words[0]);
    if (n < 0 || (settings[n].of && strcmp(settings[n].of, kind_word(session.answer.device.kind)) != 0))
        return fail(r, "no setting '%s' of %s: disks have iops, bandwidth and size, nets packets, bandwidth and link",
                    r->words[1], r->words[0]);
    if (!parse_value(settings[n].kind, r->words[2], &value))
        return fail(r, "'%s' is no %s: that is %s", r->words[2], r->words[1], value_hint(settings[n].kind));
    return device_changed(r, device_set(r, slot, settings[n].setting, value));
}

// attach, detach ---------------------------------------------------------------------------------------------

long ask_attach(uint32_t id, unsigned slot, const char *disk)
{
    size_t size = disk ? strlen(disk) + 1 : 0;

    if (size > sizeof(session.answer.disk))
        return SBI_ERR_INVALID_PARAM;
    if (disk)
        memcpy(session.answer.disk, disk, size);
    return ask(DIOSIX_ATTACH, id, slot, size);
}

enum next attach_failed(struct run *r, long error, const char *disk)
{
    bool lacks = error == SBI_ERR_FAILED && session.answer_value == DIOSIX_LACK_DEVICES;

    if (disk && (lacks || error == SBI_ERR_INVALID_PARAM))
        return fail(r, "the machine has no disk '%s', or two, or it is in use, or can't be written", disk);
    return device_changed(r, error);
}

// A disk in memory comes back as it was; of the machine's, any may take the other's place.
enum next command_attach(struct run *r)
{
    bool attaches = r->command->argument;
    const char *serial = attaches && r->count > 1 ? r->words[1] : NULL;
    unsigned slot = device_find(r, r->words[0]);

    if (slot == SLOTS)
        return fail_device(r, r->words[0]);
    if (session.answer.device.kind == DIOSIX_DEVICE_DISK && !serial)
        return device_changed(r, device_set(r, slot, DIOSIX_DEVICE_SET_OUT, !attaches));
    if (session.answer.device.kind != DIOSIX_DEVICE_HOST_DISK || (attaches && !serial))
        return fail(
            r, "%s: only a disk is attached and detached: one of the machine's by a name, one of the bundle without",
            r->words[0]);
    long error = ask_attach(r->id, slot, serial);
    return error == SBI_SUCCESS ? device_changed(r, error) : attach_failed(r, error, serial);
}
