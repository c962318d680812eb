#include "suite.h"

static const struct test tests[] = {
    {"uart.scratch", uart_scratch},
    {"uart.divisor", uart_divisor},
    {"uart.idle", uart_idle},
    {"uart.loopback", uart_loopback},
    {"uart.modem", uart_modem},
    {"uart.identify", uart_identify},
    {"uart.transmit-interrupt", uart_transmit_interrupt},
    {"uart.receive-interrupt", uart_receive_interrupt},
    {"uart.receive-timeout", uart_receive_timeout},
    {"uart.fifo-reset", uart_fifo_reset},
    {"uart.overrun", uart_overrun},
    {"plic.priority", plic_priority},
    {"plic.enables", plic_enables},
    {"plic.thresholds", plic_thresholds},
    {"plic.nothing", plic_nothing},
    {"plic.flow", plic_flow},
    {"plic.masks", plic_masks},
    {"plic.interrupt", plic_interrupt},
    {"plic.remote", plic_remote},
    {"plic.complete-foreign", plic_complete_foreign},
    {"mmio.registers", mmio_registers},
    {"mmio.compressed", mmio_compressed},
    {"mmio.widths", mmio_widths},
    {"mmio.float", mmio_float},
    {"mmio.atomics", mmio_atomics},
    {"mmio.misaligned", mmio_misaligned},
    {"mmio.unmapped", mmio_unmapped},
    {"mmio.fetch", mmio_fetch},
    {"mmio.paged", mmio_paged},
    {"mmio.straddle", mmio_straddle},
    {"mmio.user", mmio_user},
    {"mmio.parallel", mmio_parallel},
    {"finisher.ignores", finisher_ignores},
};

int payload_main(void)
{
    if (!harts_start())
        print("FAIL start: not all harts came up\n");
    return suite_run("devices", tests, sizeof tests / sizeof tests[0]);
}
