// A tree of capsules behind manage_as, for tests of who calls it.
#include "manage_fake.h"

#include <string.h>

struct diosix_status fake_capsules[FAKE_CAPSULES];
unsigned fake_capsule_count;
long fake_error, fake_equip_error;
uint64_t fake_lack;
struct manage_call fake_last;
enum diosix_call fake_last_function;
char fake_last_buffer[2048];
const char *fake_log = "";
unsigned fake_records;
bool fake_breeds, fake_denies;
unsigned fake_calls_until_stopped;

static const struct diosix_image images[] = {{.name = "linux", .size = 20 << 20, .kind = 1},
                                             {.name = "linux-initrd", .size = 1536 << 10}};

uint32_t fake_add(const char *name, uint32_t parent, enum diosix_state state)
{
    if (fake_capsule_count == FAKE_CAPSULES)
        return 0;
    struct diosix_status *s = &fake_capsules[fake_capsule_count];
    *s = (struct diosix_status){.id = ++fake_capsule_count,
                                .parent = parent,
                                .state = state,
                                .memory = 192 << 20,
                                .memory_private = 8500 << 10,
                                .vcores = 2,
                                .isolation = DIOSIX_ISOLATION_GSTAGE,
                                .hart_time = 12345678900};
    strncpy(s->name, name, sizeof(s->name) - 1);
    if (parent)
        fake_capsules[parent - 1].used.capsules++;
    return s->id;
}

static struct diosix_status *find(uint64_t id)
{
    return id && id <= fake_capsule_count && fake_capsules[id - 1].name[0] ? &fake_capsules[id - 1] : NULL;
}

static void copy_out(struct manage_call *c, const void *from, size_t size)
{
    memset(c->buffer, 0, c->size);
    memcpy(c->buffer, from, size < c->size ? size : c->size);
    c->value = size;
}

static long next(struct manage_call *c)
{
    c->value = 0;
    for (uint64_t id = c->n[0] + 1; id <= fake_capsule_count && !c->value; id++)
        if (find(id))
            c->value = id;
    return 0;
}

static long output(struct manage_call *c)
{
    uint32_t end = (uint32_t)strlen(fake_log), at = (uint32_t)c->n[1];
    size_t room = c->size - sizeof(struct diosix_output), count = end - at < room ? end - at : room;
    struct diosix_output head = {at, end};
    memcpy(c->buffer, &head, sizeof(head));
    memcpy((char *)c->buffer + sizeof(head), fake_log + at, count);
    c->value = count;
    return 0;
}

static long trace(struct manage_call *c)
{
    if (!c->size)
        return 0;
    struct diosix_trace head = {(uint32_t)c->n[1], fake_records};
    size_t room = (c->size - sizeof(head)) / sizeof(struct diosix_exit);
    memcpy(c->buffer, &head, sizeof(head));
    for (c->value = 0; c->value < room && head.position + c->value < fake_records; c->value++) {
        struct diosix_exit e = {.time = 1000000 + c->n[1] + c->value,
                                .duration = 250,
                                .kind = DIOSIX_EXIT_TIMER,
                                .cause = 10,
                                .detail = 0x54494d45};
        memcpy((char *)c->buffer + sizeof(head) + c->value * sizeof(e), &e, sizeof(e));
    }
    return 0;
}

static long machine(struct manage_call *c)
{
    static const struct diosix_machine m = {.model = "test,machine",
                                            .version = "1.0",
                                            .harts = 2,
                                            .timebase_hz = 1000000,
                                            .capsules = 3,
                                            .isolation = DIOSIX_ISOLATION_GSTAGE,
                                            .memory = 1 << 30,
                                            .memory_free = 800 << 20,
                                            .memory_largest = 512 << 20,
                                            .memory_own = 3 << 20,
                                            .isa = "rv64imafdc"};
    struct diosix_machine now = m;
    now.uptime = fake_uptime();
    now.capsules = fake_capsule_count;
    copy_out(c, &now, sizeof(now));
    return 0;
}

static long hart(struct manage_call *c)
{
    struct diosix_hart h = {.id = c->n[0], .runs = 1};
    copy_out(c, &h, sizeof(h));
    return 0;
}

static long change(enum diosix_call function, struct manage_call *c)
{
    fake_last = *c;
    fake_last_function = function;
    memset(fake_last_buffer, 0, sizeof(fake_last_buffer));
    if (c->buffer)
        memcpy(fake_last_buffer, c->buffer, c->size);
    if (fake_error) {
        c->value = fake_lack;
        return fake_error;
    }
    if (function == DIOSIX_EQUIP && fake_equip_error) {
        c->value = DIOSIX_LACK_DEVICES;
        return fake_equip_error;
    }
    if (function == DIOSIX_EQUIP)
        c->value = 5; // its slot
    if (function == DIOSIX_CREATE || function == DIOSIX_FORK)
        c->value = fake_add(c->size ? c->buffer : "clone", 0, DIOSIX_RUNNING);
    return 0;
}

static long status(struct manage_call *c)
{
    struct diosix_status *s = find(c->n[0]);
    if (!s)
        return -3;
    if (fake_calls_until_stopped && !--fake_calls_until_stopped)
        s->state = DIOSIX_STOPPED;
    if (fake_breeds && c->size == sizeof(*s))
        fake_add("spawn", 3, DIOSIX_RUNNING);
    copy_out(c, s, sizeof(*s));
    return 0;
}

// Each capsule has these, in other slots than the first.
static long device(struct manage_call *c)
{
    static const struct diosix_device devices[] = {
        {.kind = DIOSIX_DEVICE_RNG, .flags = DIOSIX_DEVICE_USED, .to_guest = {3, 192, 0, 0}},
        {.kind = DIOSIX_DEVICE_DISK,
         .flags = DIOSIX_DEVICE_USED | DIOSIX_DEVICE_READONLY,
         .name = "root",
         .size = 24 << 20,
         .limit_requests = 200,
         .limit_bytes = 8 << 20,
         .to_guest = {10, 40960, 1, 0}},
        {.kind = DIOSIX_DEVICE_HOST_DISK, .flags = DIOSIX_DEVICE_OUT},
        {.kind = DIOSIX_DEVICE_NET,
         .name = "lan",
         .address = {2, 0, 0, 0, 0, 7},
         .to_guest = {5, 500, 0, 2},
         .from_guest = {6, 600, 0, 0}},
        {.kind = DIOSIX_DEVICE_BALLOON,
         .flags = DIOSIX_DEVICE_USED,
         .size = 37 << 20,
         .wanted = 64 << 20,
         .from_guest = {66, 228 << 20, 0, 0}},
        {.kind = DIOSIX_DEVICE_CONSOLE, .to_guest = {7, 9, 0, 0}, .from_guest = {8, 2048, 0, 0}},
    };
    if (!c->n[1] || c->n[1] > array_length(devices))
        return -3;
    copy_out(c, &devices[c->n[1] - 1], sizeof(devices[0]));
    return 0;
}

static const struct diosix_memory ranges[] = {
    {.start = 0x80000000, .size = 0x600000, .kind = DIOSIX_MEMORY_HYPERVISOR},
    {.start = 0x80600000, .size = 0x3fa00000, .kind = DIOSIX_MEMORY_CAPSULES},
};

long manage_as(struct space *who, enum diosix_call function, struct manage_call *c)
{
    if (who && fake_denies)
        return -4;
    switch (function) {
    case DIOSIX_STATUS:
        return status(c);
    case DIOSIX_NEXT:
        return next(c);
    case DIOSIX_IMAGE:
        if (c->n[0] >= array_length(images))
            return -3;
        copy_out(c, &images[c->n[0]], sizeof(images[0]));
        return 0;
    case DIOSIX_OUTPUT:
        return output(c);
    case DIOSIX_TRACE:
        fake_last = *c;
        return trace(c);
    case DIOSIX_MACHINE:
        return machine(c);
    case DIOSIX_HART:
        return hart(c);
    case DIOSIX_DEVICE:
        return device(c);
    case DIOSIX_MEMORY:
        if (c->n[0] >= array_length(ranges))
            return -3;
        copy_out(c, &ranges[c->n[0]], sizeof(ranges[0]));
        return 0;
    default:
        return change(function, c);
    }
}
