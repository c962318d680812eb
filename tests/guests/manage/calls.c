// The calls themselves: what is refused, and with which error.
#include <string.h>

#include "suite.h"

void manage_version(void)
{
    struct sbi_result r = manage_call(DIOSIX_VERSION, 0, 0, 0);
    check(r.error == 0 && r.value == DIOSIX_INTERFACE_VERSION, "error %ld, version %lx", r.error, r.value);
    check(sbi_has(DIOSIX_SBI_EXTENSION), "not probed");
    check_error(manage_call(DIOSIX_CALLS, 0, 0, 0), SBI_NOT_SUPPORTED);
    check_error(manage_call(-1u, 0, 0, 0), SBI_NOT_SUPPORTED);
}

void manage_self(void)
{
    struct diosix_status s = child_status(0);
    check(s.state == DIOSIX_RUNNING && s.rights & DIOSIX_RIGHT_MANAGE, "state %u, rights %x", (unsigned)s.state,
          (unsigned)s.rights);
    check(s.vcores == harts_count && s.memory == tree.ram_size, "vcores %u", (unsigned)s.vcores);
    check(s.parent == 0 && s.id, "parent %u", (unsigned)s.parent);
    // By its own id it does not exist: only what is below it has one.
    check_error(manage_struct(DIOSIX_STATUS, s.id, 0, NULL), SBI_INVALID_PARAM);
    // A short structure is filled as far as it goes, and nothing beyond.
    char some[16];
    memset(some, 'x', sizeof some);
    struct sbi_result r = manage_struct(DIOSIX_STATUS, 0, 8, some);
    check(r.error == 0 && r.value == sizeof s, "error %ld, size %lu", r.error, r.value);
    check(!memcmp(some, s.name, 8) && some[8] == 'x', "wrote more than 8 bytes");
}

static bool is_refused(struct diosix_create *create, size_t size)
{
    return sbi_call3(DIOSIX_SBI_EXTENSION, DIOSIX_CREATE, size, create, 0).error == SBI_INVALID_PARAM;
}

void manage_create_bad(void)
{
    static const struct diosix_create good = {.name = "bad", .kernel = "kernel-1", .memory = 8 << 20, .vcores = 1};
    struct diosix_create c;

#define refused(change)                                                                                                \
    do {                                                                                                               \
        c = good;                                                                                                      \
        change;                                                                                                        \
        check(is_refused(&c, sizeof c), "taken: " #change);                                                            \
    } while (0)
    refused(c.name[0] = 0);
    refused(c.name[0] = 'B');
    refused(memset(c.name, 'a', sizeof c.name));
    refused(strcpy(c.name, "manage")); // its own
    refused(c.kernel[0] = 0);
    refused(strcpy(c.kernel, "kernel-9"));
    refused(memset(c.kernel, 'k', sizeof c.kernel));
    refused(strcpy(c.initrd, "none"));
    refused(c.memory = 0);
    refused(c.memory = (8 << 20) + 1);
    refused(c.vcores = 0);
    refused(c.vcores = 65);
    refused(c.isolation = 3);
    refused(c.restart = 3);
    refused(c.rights = 4);
    refused(c.rights = DIOSIX_RIGHT_CONSOLE); // which we don't have
    refused(c.weight = 1001);
    c = good;
    check(is_refused(&c, sizeof c - 1), "taken: too short");
    check_error(sbi_call3(DIOSIX_SBI_EXTENSION, DIOSIX_CREATE, 5000, &c, 0), SBI_INVALID_PARAM);
    check_error(manage_call(DIOSIX_NEXT, 0, 0, 0), 0);
    check(manage_call(DIOSIX_NEXT, 0, 0, 0).value == 0, "something was made");
}

void manage_addresses(void)
{
    static char text[64];
    unsigned long base = (unsigned long)tree.ram_base, end = base + (unsigned long)tree.ram_size;

    check_error(manage_struct(DIOSIX_STATUS, 0, 64, (void *)(end - 63)), SBI_INVALID_ADDRESS);
    check_error(manage_struct(DIOSIX_STATUS, 0, 64, (void *)(base - 1)), SBI_INVALID_ADDRESS);
    check_error(manage_struct(DIOSIX_STATUS, 0, 64, (void *)-1ul), SBI_INVALID_ADDRESS);
    check_error(manage_struct(DIOSIX_STATUS, 0, 64, NULL), SBI_INVALID_ADDRESS);
    check_error(sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_STATUS, 0, 64, text, 1, 0, 0), SBI_INVALID_ADDRESS);
    check_error(sbi_call3(DIOSIX_SBI_EXTENSION, DIOSIX_CREATE, sizeof(struct diosix_create), end - 8, 0),
                SBI_INVALID_ADDRESS);
    check_error(manage_struct(DIOSIX_STATUS, 0, -1ul, text), SBI_SUCCESS); // as much as there is
}

static const unsigned char with_id[] = {
    DIOSIX_STATUS, DIOSIX_START,   DIOSIX_STOP, DIOSIX_KILL,   DIOSIX_RESTART, DIOSIX_PAUSE, DIOSIX_RESUME,
    DIOSIX_FORK,   DIOSIX_DESTROY, DIOSIX_SET,  DIOSIX_OUTPUT, DIOSIX_INPUT,   DIOSIX_TRACE,
};

// The neighbour has id 1 or 2; beyond are ids that nobody has.
void manage_foreign(void)
{
    static const unsigned long ids[] = {1, 2, 3, 1000, -1ul, 0xffffffff};
    uint32_t own = child_status(0).id;

    for (size_t i = 0; i < sizeof with_id; i++)
        for (size_t k = 0; k < sizeof ids / sizeof ids[0]; k++) {
            struct sbi_result r = sbi_call6(DIOSIX_SBI_EXTENSION, with_id[i], ids[k], 0, 0, tree.ram_base, 0, 0);
            check(r.error == SBI_INVALID_PARAM, "call %u of %lu: error %ld", with_id[i], ids[k], r.error);
        }
    for (size_t i = 1; i < sizeof with_id; i++) {
        if (with_id[i] == DIOSIX_FORK)
            continue;
        struct sbi_result r = sbi_call6(DIOSIX_SBI_EXTENSION, with_id[i], 0, 0, 0, tree.ram_base, 0, 0);
        check(r.error == SBI_INVALID_PARAM, "call %u of oneself: error %ld", with_id[i], r.error);
        r = sbi_call6(DIOSIX_SBI_EXTENSION, with_id[i], own, 0, 0, tree.ram_base, 0, 0);
        check(r.error == SBI_INVALID_PARAM, "call %u of one's own id: error %ld", with_id[i], r.error);
    }
    check_error(manage_call(DIOSIX_POWER, DIOSIX_POWER_OFF, 0, 0), SBI_DENIED);
}

void machine_tell(void)
{
    struct diosix_machine m;
    struct diosix_hart h;
    struct diosix_image image;

    check_error(sbi_call3(DIOSIX_SBI_EXTENSION, DIOSIX_MACHINE, sizeof m, &m, 0), 0);
    check(m.harts && m.memory > m.memory_free && m.capsules, "harts %u", (unsigned)m.harts);
    check(m.memory_own && m.memory_own < m.memory, "own memory");
    check_error(manage_struct(DIOSIX_HART, 0, sizeof h, &h), 0);
    struct diosix_memory range;
    uint64_t sum = 0;
    for (unsigned n = 0; manage_struct(DIOSIX_MEMORY, n, sizeof range, &range).error == 0; n++)
        sum += range.size;
    check(sum == m.memory, "the ranges have %llu bytes", (long long unsigned)sum);
    check_error(manage_struct(DIOSIX_HART, m.harts, sizeof h, &h), SBI_INVALID_PARAM);
    check_error(manage_struct(DIOSIX_IMAGE, 0, sizeof image, &image), 0);
    check(!strcmp(image.name, "kernel-1") && image.kind == 1 && image.size, "image %s", image.name);
    check_error(manage_struct(DIOSIX_IMAGE, 77, sizeof image, &image), SBI_INVALID_PARAM);
}
