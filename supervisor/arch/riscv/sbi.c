#include "sbi.h"

#include "arch.h"
#include "format.h"

static bool has_console, has_reset;
static bool adds_returns; // OpenSBI puts a carriage return in front of each newline, whether there is one or not
static char name[40] = "?";

struct sbi_result sbi_call(uintptr_t extension, uintptr_t function, const uintptr_t arguments[6])
{
    register uintptr_t a0 __asm__("a0") = arguments[0];
    register uintptr_t a1 __asm__("a1") = arguments[1];
    register uintptr_t a2 __asm__("a2") = arguments[2];
    register uintptr_t a3 __asm__("a3") = arguments[3];
    register uintptr_t a4 __asm__("a4") = arguments[4];
    register uintptr_t a5 __asm__("a5") = arguments[5];
    register uintptr_t a6 __asm__("a6") = function;
    register uintptr_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(intptr_t)a0, a1};
}

bool sbi_has(uintptr_t extension)
{
    struct sbi_result r = sbi(SBI_BASE, 3, extension);
    return !r.error && r.value;
}

// Implementation IDs: SBI specification, "Base Extension". OpenSBI has its version in two halves, Diosix and others so,
// too.
static void name_find(void)
{
    static const char *const names[] = {[0] = "BBL", [1] = "OpenSBI", [3] = "KVM", [4] = "RustSBI", [5] = "Diosix"};
    uintptr_t id = sbi(SBI_BASE, 1).value, version = sbi(SBI_BASE, 2).value;
    const char *known = id < array_length(names) && names[id] ? names[id] : "unknown firmware";

    adds_returns = id == 1;
    format_print(name, sizeof(name), "%s %u.%u", known, (unsigned)(version >> 16), (unsigned)(version & 0xffff));
}

void sbi_init(void)
{
    has_console = sbi_has(SBI_DBCN);
    has_reset = sbi_has(SBI_SRST);
    name_find();
}

const char *sbi_name(void)
{
    return name;
}

static unsigned write_some(const char *bytes, unsigned size)
{
    uint64_t address = physical_address(bytes);

    if (has_console) {
        struct sbi_result r = sbi(SBI_DBCN, 0, size, (uintptr_t)address, high_word(address));
        return r.error ? size : (unsigned)r.value;
    }
    for (unsigned i = 0; i < size; i++)
        (void)sbi(SBI_LEGACY_PUTCHAR, 0, (unsigned char)bytes[i]);
    return size;
}

unsigned sbi_console_write(const char *bytes, unsigned size)
{
    unsigned from = 0, at = 0, part;

    for (; adds_returns && at + 1 < size; at++) {
        if (bytes[at] != '\r' || bytes[at + 1] != '\n')
            continue;
        part = write_some(bytes + from, at - from);
        if (part < at - from)
            return from + part;
        from = at + 1;
    }
    return from + write_some(bytes + from, size - from);
}

unsigned sbi_console_read(char *bytes, unsigned size)
{
    uint64_t address = physical_address(bytes);

    if (!has_console)
        return 0;
    struct sbi_result r = sbi(SBI_DBCN, 1, size, (uintptr_t)address, high_word(address));
    return r.error || r.value > size ? 0 : (unsigned)r.value;
}

_Noreturn void sbi_power(bool reboot, bool failed)
{
    if (has_reset)
        (void)sbi(SBI_SRST, 0, reboot ? 1 : 0, failed);
    (void)sbi(SBI_LEGACY_SHUTDOWN, 0);
    for (;;)
        __asm__ volatile("wfi");
}
