// DBCN.
#include "suite.h"

static char text[8192];

// As many bytes as were taken; 0 after an error.
static unsigned long write_all(const char *from, unsigned long size)
{
    unsigned long done = 0;
    while (done < size) {
        struct sbi_result r = sbi_console(DBCN_WRITE, size - done, (unsigned long)from + done, 0);
        if (r.error || r.value > size - done)
            return 0;
        done += r.value;
    }
    return done;
}

void dbcn_write(void)
{
    static const char message[] = "dbcn: hello\n";
    check(write_all(message, sizeof message - 1) == sizeof message - 1, "not written");
}

void dbcn_write_byte(void)
{
    for (const char *p = "dbcn: byte by byte\n"; *p; p++)
        check_error(sbi_console(DBCN_WRITE_BYTE, *p, 0, 0), SBI_SUCCESS);
    // Only the low eight bits count.
    check_error(sbi_console(DBCN_WRITE_BYTE, 0x1200 | '\n', 0, 0), SBI_SUCCESS);
}

void dbcn_read(void)
{
    struct sbi_result r = sbi_console(DBCN_READ, sizeof text, (unsigned long)text, 0);
    check(r.error == 0, "error %ld", r.error);
    check(r.value <= sizeof text, "%lu bytes", r.value);
}

void dbcn_zero(void)
{
    struct sbi_result r = sbi_console(DBCN_WRITE, 0, (unsigned long)text, 0);
    check(r.error == 0 && r.value == 0, "write: error %ld value %lu", r.error, r.value);
    r = sbi_console(DBCN_READ, 0, (unsigned long)text, 0);
    check(r.error == 0 && r.value == 0, "read: error %ld value %lu", r.error, r.value);
}

static void refused(unsigned long bytes, uint64_t address)
{
    for (unsigned long function = DBCN_WRITE; function <= DBCN_READ; function++) {
        unsigned long high = XLEN == 64 ? 0 : address >> 16 >> 16;
        struct sbi_result r = sbi_console(function, bytes, address, high);
        if (r.error != SBI_INVALID_PARAM)
            test_fail("function %lu, %lx bytes at %llx: error %ld", function, bytes, (long long unsigned)address,
                      r.error);
    }
}

void dbcn_outside(void)
{
    only_diosix();
    uint64_t end = tree.ram_base + tree.ram_size;
    refused(1, end);
    refused(2, end - 1);
    refused(1, tree.ram_base - 1);
    refused(2, tree.ram_base - 1);
    refused(1, 0);
    refused(16, 0x1000);
    refused((unsigned long)tree.ram_size + 1, tree.ram_base);
    refused(1, tree.ram_base + (1ull << 32 << 8));
    struct sbi_result r = sbi_console(DBCN_WRITE, 1, (unsigned long)text, 1);
    check(r.error == SBI_INVALID_PARAM, "high half of the address ignored: error %ld", r.error);
}

void dbcn_wrap(void)
{
    only_diosix();
    refused(-1ul, tree.ram_base);
    refused(-(unsigned long)tree.ram_base + 1, tree.ram_base);
    refused(-1ul, (unsigned long)text);
    refused(2, -1ull);
    refused(-1ul, -1ull);
}

void dbcn_devices(void)
{
    only_diosix();
    refused(1, tree.uart.base);
    refused(4, tree.plic.base);
    refused(4, tree.finisher.base);
    refused(4, 0x02000000); // where the machine's own timer may be
}

// More than any buffer holds: bytes may be taken piecemeal but none get lost.
void dbcn_large(void)
{
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = i % 512 == 511 ? '\n' : '.';
    check(write_all(text, sizeof text) == sizeof text, "not all written");
}
