// A console service in little: keeps the machine's terminal, and shows what capsules print as <name: text> and what
// is typed as {text}. p prints something itself, which it then shows like that of others. Some keys end it: c crashes,
// d no longer reads, g gives the terminal back, q switches off.
#include <string.h>

#include "diosix.h"
#include "test.h"

#define call(function, x0, x1, x2) sbi_call3(DIOSIX_SBI_EXTENSION, function, x0, x1, x2)

static volatile uint32_t *plic(unsigned long offset)
{
    return (volatile uint32_t *)(unsigned long)(tree.plic.base + offset);
}

// Contexts as on QEMU's virt: that of this hart's S-mode.
static void bell_enable(unsigned interrupt)
{
    unsigned long context = 2 * harts[0].id + 1;
    *plic(4 * interrupt) = 1;
    *plic(0x2000 + 0x80 * context) = 1u << interrupt;
    *plic(0x200000 + 0x1000 * context) = 0;
    csr_set(sie, 1 << 9);
}

// Waits for the bell, and says how often it was claimed.
static unsigned bell_wait(void)
{
    volatile uint32_t *claim = plic(0x200004 + 0x1000 * (2 * harts[0].id + 1));
    uint32_t source;

    while (!(source = *claim))
        wfi();
    *claim = source;
    return source;
}

static void show(const char *text, unsigned long size)
{
    while (size) {
        unsigned long taken = call(DIOSIX_SHOW, size, text, 0).value;
        text += taken;
        size -= taken;
    }
}

static void show_text(const char *text)
{
    show(text, strlen(text));
}

static const char *name_of(unsigned long id)
{
    static struct diosix_status status;
    if (id == DIOSIX_ID_OWN)
        return "dio";
    sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_STATUS, id, sizeof status.name, &status, 0, 0, 0);
    return status.name;
}

// What it printed since it was last shown: from the first position on, which is too old for any but the first time.
static void show_news(unsigned long id)
{
    static struct {
        struct diosix_output head;
        char bytes[512];
    } out;
    static uint32_t shown[16];
    uint32_t *position = &shown[id % 16];

    unsigned long count = sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_OUTPUT, id, *position, sizeof out, &out, 0, 0).value;
    show_text("<");
    show_text(name_of(id));
    show_text(": ");
    show(out.bytes, count);
    show_text(">\r\n");
    *position = out.head.position + (uint32_t)count;
    call(DIOSIX_SHOWN, id, *position, 0);
}

static void key(char c)
{
    char text[] = {'{', c, '}', '\r', '\n'};

    if (c == 'p')
        print("printed by itself\n");
    if (c == 'c')
        sbi_call0(SBI_HSM, HSM_STOP);
    while (c == 'd') {
    }
    if (c == 'g')
        call(DIOSIX_KEEP, 0, 0, 0);
    if (c == 'q')
        call(DIOSIX_POWER, DIOSIX_POWER_OFF, 0, 0);
    show(text, sizeof text);
}

int payload_main(void)
{
    struct sbi_result r = call(DIOSIX_KEEP, 1, 0, 0);
    unsigned long id;
    char typed[16];

    if (r.error) {
        print("KEEP: error %ld\n", r.error);
        return REASON_FAILURE;
    }
    bell_enable((unsigned)r.value);
    show_text("KEPT\r\n");
    for (;;) {
        for (id = 0; (id = call(DIOSIX_NEWS, id, 0, 0).value) != 0;)
            show_news(id);
        while ((id = call(DIOSIX_TYPED, sizeof typed, typed, 0).value) != 0)
            for (unsigned i = 0; i < id; i++)
                key(typed[i]);
        bell_wait();
    }
}
