// Registers of devices.
#include "micro.h"

#include <string.h>

#include "page.h"
#include "ring.h"

#define REGISTER8(offset) (*(volatile uint8_t *)((unsigned long)tree.uart.base + (offset)))
#define PLIC(offset) (*(volatile uint32_t *)((unsigned long)tree.plic.base + (offset)))

static void plic_priority_read(void)
{
    (void)PLIC(4);
}
static void plic_priority_write(void)
{
    PLIC(4) = 1;
}
static void plic_claim(void)
{
    (void)PLIC(0x201004 + 0x2000 * hart_self()->id);
}
static void uart_lsr(void)
{
    (void)REGISTER8(5);
}
static void console_byte(void)
{
    while (!(REGISTER8(5) & 0x20)) {
    }
    REGISTER8(0) = '.';
}
static void dbcn_byte(void)
{
    sbi_console(DBCN_WRITE_BYTE, '.', 0, 0);
}
static void putchar_byte(void)
{
    sbi_call3(LEGACY_PUTCHAR, 0, '.', 0, 0);
}

static const char line[65] = "...............................................................\n";

static void dbcn_line(void)
{
    sbi_console(DBCN_WRITE, 64, (unsigned long)line, 0);
}

static void line_end(void)
{
    print("\n");
}

static struct ring printed;

static void virtio_byte(void)
{
    ring_send(&printed, 1);
}
static void virtio_line(void)
{
    ring_send(&printed, 64);
}

void micro_virtio(void)
{
    if (!ring_device_begin(3, 0))
        return;
    ring_start(&printed, 1, 64, false);
    if (!ring_device_go())
        return;
    memcpy(printed.buffers[0], line, 64);
    measure("virtio_line_64", virtio_line, 16);
    printed.buffers[0][0] = '.';
    measure("virtio_byte", virtio_byte, 64);
    line_end();
}

// With translation on, an exit has the guest's own page tables to walk where the hart does not say
// what it accessed.
static void micro_devices_paged(void)
{
    measure("plic_read_paged", plic_priority_read, 1000);
    measure("uart_lsr_paged", uart_lsr, 1000);
    measure("console_byte_paged", console_byte, 64);
    line_end();
}

void micro_devices(void)
{
    measure("plic_read", plic_priority_read, 1000);
    measure("plic_write", plic_priority_write, 1000);
    measure("plic_claim", plic_claim, 1000);
    measure("uart_lsr", uart_lsr, 1000);
    measure("console_byte", console_byte, 64);
    line_end();
    measure("dbcn_byte", dbcn_byte, 64);
    line_end();
    measure("putchar_byte", putchar_byte, 64);
    line_end();
    measure("dbcn_line_64", dbcn_line, 16);
    page_tables_init();
    if (paging_on(PAGING_DEFAULT))
        micro_devices_paged();
    paging_off();
}
