// Making children, and hearing from them.
#include "lives.h"

struct sbi_result manage(unsigned function, unsigned long a0, unsigned long a1, unsigned long a2)
{
    return sbi_call3(DIOSIX_SBI_EXTENSION, function, a0, a1, a2);
}

struct diosix_status status_of(uint32_t id)
{
    struct diosix_status s;

    memset(&s, 0xff, sizeof s);
    (void)sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_STATUS, id, sizeof s, &s, 0, 0, 0);
    return s;
}

static void name_next(char *name)
{
    static unsigned number;

    memcpy(name, "child-0000", 11);
    unsigned n = ++number;
    for (unsigned digit = 9; n; n /= 10)
        name[digit--] = (char)('0' + n % 10);
}

uint32_t child_create(const struct child *c)
{
    static struct {
        struct diosix_create create;
        char cmdline[32];
    } r;

    memset(&r, 0, sizeof r);
    name_next(r.create.name);
    strcpy(r.create.kernel, c->kernel ? c->kernel : "kernel-1");
    if (c->initrd)
        strcpy(r.create.initrd, c->initrd);
    r.create.memory = c->memory;
    r.create.vcores = c->vcores;
    r.create.weight = c->weight;
    strcpy(r.cmdline, "lives=");
    strcpy(c->kernel ? r.cmdline : r.cmdline + 6, c->role);
    struct sbi_result result = manage(DIOSIX_CREATE, sizeof r, (unsigned long)&r, 0);
    if (result.error)
        print("no child: error %ld, lack %lu\n", result.error, result.value);
    return result.error ? 0 : (uint32_t)result.value;
}

uint32_t child_start(const struct child *c)
{
    uint32_t id = child_create(c);
    struct sbi_result result = id ? manage(DIOSIX_START, id, 0, 0) : (struct sbi_result){-1, 0};

    if (result.error)
        print("no start: error %ld, lack %lu\n", result.error, result.value);
    return result.error ? 0 : id;
}

void child_destroy(uint32_t id)
{
    (void)manage(DIOSIX_DESTROY, id, 0, 0);
    while (sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_STATUS, id, 0, 0, 0, 0, 0).error == 0)
        sleep_ms(1);
}

// The number at `text`, if all of it is there: a point ends it.
static unsigned long number_at(const char *text)
{
    unsigned long number = 0;

    while (*text >= '0' && *text <= '9')
        number = number * 10 + (unsigned long)(*text++ - '0');
    return *text == '.' ? number : 0;
}

// What it has printed, as far as that is kept and has room here.
static const char *output(uint32_t id)
{
    static struct {
        struct diosix_output head;
        char bytes[2000];
    } out;

    memset(&out, 0, sizeof out);
    (void)sbi_call6(DIOSIX_SBI_EXTENSION, DIOSIX_OUTPUT, id, 0, sizeof out - 1, &out, 0, 0);
    return out.bytes;
}

static unsigned long said(uint32_t id, const char *word, unsigned lines)
{
    size_t length = strlen(word);

    for (const char *at = output(id); *at; at++)
        if (!strncmp(at, word, length) && at[length] == ' ' && --lines == 0)
            return number_at(at + length + 1);
    return 0;
}

unsigned long child_says(uint32_t id, const char *word, unsigned lines)
{
    unsigned long number = 0;

    for (unsigned i = 0; i < 20000 && !(number = said(id, word, lines)); i++)
        sleep_ms(1);
    return number;
}

bool child_prints(uint32_t id, const char *text)
{
    uint64_t end = time_now() + ticks(600000000);

    while (!strstr(output(id), text)) {
        if (time_now() > end)
            return false;
        sleep_us(100);
    }
    return true;
}

void sleep_ms(unsigned milliseconds)
{
    sleep_us(1000 * milliseconds);
}

void sleep_us(unsigned microseconds)
{
    (void)sbi_set_timer(time_now() + ticks(microseconds));
    while (csr_read(sip) == 0)
        wfi();
    (void)sbi_set_timer(-1ull);
}

unsigned long ns(unsigned long time)
{
    return time * (1000000000ul / timebase);
}
