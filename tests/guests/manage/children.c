// Making children, and being one.
#include <string.h>

#include "ring.h"
#include "suite.h"

struct sbi_result manage_call(unsigned function, unsigned long a0, unsigned long a1, unsigned long a2)
{
    return sbi_call3(DIOSIX_SBI_EXTENSION, function, a0, a1, a2);
}

struct sbi_result manage_struct(unsigned function, unsigned long id, size_t size, const void *at)
{
    return sbi_call6(DIOSIX_SBI_EXTENSION, function, id, size, (unsigned long)at, 0, 0, 0);
}

struct sbi_result manage_set(unsigned long id, enum diosix_setting setting, uint64_t value)
{
    return sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_SET, id, setting, (unsigned long)value,
                     XLEN == 32 ? (unsigned long)(value >> 16 >> 16) : 0, 0, 0);
}

struct sbi_result manage_give_up(enum diosix_setting setting, uint64_t value)
{
    return manage_call(DIOSIX_GIVE_UP, setting, (unsigned long)value,
                       XLEN == 32 ? (unsigned long)(value >> 16 >> 16) : 0);
}

uint32_t child_create(const char *name, const char *cmdline)
{
    static struct {
        struct diosix_create create;
        char cmdline[128];
    } request;
    char role[16];

    memset(&request, 0, sizeof request);
    strncpy(request.create.name, name, DIOSIX_NAME_SIZE - 1);
    strcpy(request.create.kernel, "kernel-1");
    request.create.memory = XLEN == 32 ? 12 << 20 : 8 << 20; // kernel, device tree: a large page each, at least
    request.create.vcores = 2;
    request.create.rights = DIOSIX_RIGHT_MANAGE;
    if (!tree_option("role", role, sizeof role)) // a child's own children have none
        request.create.quota = (struct diosix_quota){16 << 20, 4, 2};
    strncpy(request.create.cmdline, cmdline, sizeof request.cmdline - 1);
    struct sbi_result r = sbi_call3(DIOSIX_SBI_EXTENSION, DIOSIX_CREATE, sizeof request, &request, 0);
    if (r.error)
        print("%s not made: error %ld, lack %lu\n", name, r.error, r.value);
    return r.error ? 0 : (uint32_t)r.value;
}

uint32_t child_start(const char *name, const char *cmdline)
{
    uint32_t id = child_create(name, cmdline);
    return id && manage_call(DIOSIX_START, id, 0, 0).error == 0 ? id : 0;
}

struct diosix_status child_status(uint32_t id)
{
    struct diosix_status status;
    memset(&status, 0xff, sizeof status);
    if (manage_struct(DIOSIX_STATUS, id, sizeof status, &status).error)
        status.state = -1u;
    return status;
}

bool child_becomes(uint32_t id, enum diosix_state state)
{
    return wait_for(child_status(id).state == state, PATIENCE);
}

// Has it printed that? Its output is short here.
static bool says_now(uint32_t id, const char *text)
{
    static struct {
        struct diosix_output output;
        char bytes[3000];
    } answer;
    struct sbi_result r = sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_OUTPUT, id, 0, sizeof answer - 1, &answer, 0, 0);
    if (r.error)
        return false;
    answer.bytes[r.value] = 0;
    for (const char *at = answer.bytes; *at; at++)
        if (!strncmp(at, text, strlen(text)))
            return true;
    return false;
}

bool child_says(uint32_t id, const char *text)
{
    return wait_for(says_now(id, text), PATIENCE);
}

bool child_remove(uint32_t id)
{
    return manage_call(DIOSIX_DESTROY, id, 0, 0).error == 0 &&
           wait_for(manage_struct(DIOSIX_STATUS, id, 0, NULL).error == SBI_INVALID_PARAM, PATIENCE);
}

// --- roles -----------------------------------------------------------------------------------------

static void role_crash(void)
{
    guard_store(NULL, 1, 0); // the firmware gives that back
    sbi_reset(RESET_SHUTDOWN, REASON_FAILURE);
}

// Shuts down when it reads SysRq's letter for that; its device tree's UART is polled.
static void role_obey(void)
{
    volatile uint8_t *uart = (volatile uint8_t *)(unsigned long)tree.uart.base;
    bool after_break = false;

    for (;;) {
        uint8_t lsr = uart[5];
        if (!(lsr & 1))
            continue;
        uint8_t byte = uart[0];
        if (after_break && byte == 'o')
            sbi_reset(RESET_SHUTDOWN, REASON_NONE);
        after_break = lsr & 0x10;
    }
}

// Once it is told to, says whether its UART has a break to tell of, the first of what asks, and obeys.
static void role_late(void)
{
    while (sbi_call0(LEGACY_GETCHAR, 0).error < 0) {
    }
    print(((volatile uint8_t *)(unsigned long)tree.uart.base)[5] & 0x10 ? "asked\n" : "not asked\n");
    role_obey();
}

static void role_fail(void)
{
    *(volatile uint32_t *)(unsigned long)tree.finisher.base = 0x3333 | 7 << 16;
}

static void role_parent(void)
{
    uint32_t id = child_start("grandchild", "role=idle");
    print("grandchild %u\n", (unsigned)id);
}

static void role_echo(void)
{
    for (;;) {
        struct sbi_result r = sbi_call0(LEGACY_GETCHAR, 0);
        if (r.error >= 0)
            print("got %c\n", (char)r.error);
    }
}

static uint8_t uart_byte(void)
{
    volatile uint8_t *uart = (volatile uint8_t *)(unsigned long)tree.uart.base;

    while (!(uart[5] & 1)) {
    }
    return uart[0];
}

static void virtio_print(struct ring *out, const char *text, uint8_t byte)
{
    size_t length = strlen(text);

    memcpy(out->buffers[0], text, length);
    out->buffers[0][length] = byte;
    out->buffers[0][length + 1] = '\n';
    ring_send(out, length + 2);
}

// By its virtio console, and when that is reset by its UART again.
static void role_console(void)
{
    static struct ring in, out;
    uint32_t written, n;
    uint8_t *typed;

    if (!ring_device_begin(3, 0))
        return;
    ring_start(&in, 0, 16, true);
    ring_start(&out, 1, 64, false);
    if (!ring_device_go())
        return;
    ring_give_all(&in);
    virtio_print(&out, "virtio prints ", '!');
    while (!(typed = ring_take(&in, &written, &n))) {
    }
    virtio_print(&out, "virtio reads ", *typed);
    *ring_register(0x70) = 0;
    print("it is reset\n");
    print("the uart reads %c\n", uart_byte());
}

// One exit of each kind, over and over.
static void role_exits(void)
{
    csr_set(sie, 1ul << INTERRUPT_TIMER); // ends a WFI
    for (;;) {
        (void)sbi_call0(LEGACY_GETCHAR, 0);
        (void)((volatile uint8_t *)(unsigned long)tree.uart.base)[5];
        (void)sbi_fence(RFENCE_FENCE_I, 1, 0);
        (void)sbi_set_timer(time_now() + ticks(100));
        wfi();
    }
}

static void role_idle(void) {}
static void role_shutdown(void)
{
    sbi_reset(RESET_SHUTDOWN, REASON_NONE);
}
static void role_spin(void)
{
    for (;;) {
    }
}

int child_main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } roles[] = {
        {"crash", role_crash}, {"obey", role_obey}, {"parent", role_parent},     {"echo", role_echo},
        {"exits", role_exits}, {"idle", role_idle}, {"shutdown", role_shutdown}, {"spin", role_spin},
        {"late", role_late},   {"fail", role_fail}, {"console", role_console},
    };
    char role[16] = "";

    tree_option("role", role, sizeof role);
    print("I am %s\n", role);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (!strcmp(role, roles[i].name))
            roles[i].run();
    for (;;)
        wfi();
}
