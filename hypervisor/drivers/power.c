#include "power.h"

#include "log.h"
#include "io.h"

// SiFive's test finisher, as QEMU has it: the code in the upper half becomes QEMU's exit status.
#define FINISHER_FAIL 0x3333u
#define FINISHER_PASS 0x5555u
#define FINISHER_RESET 0x7777u
#define FAIL_CODE (1u << 16)

static struct power_config power;

void power_init(const struct power_config *config)
{
    power = *config;
}

static uint32_t action_read(const struct power_action *a)
{
    switch (a->io_width) {
    case 1:
        return mmio_read8(a->address);
    case 2:
        return mmio_read16(a->address);
    default:
        return mmio_read32(a->address);
    }
}

static void action_do(const struct power_action *a)
{
    uint32_t value = a->value;
    if (!a->address)
        return;
    if (a->mask)
        value = (value & a->mask) | (action_read(a) & ~a->mask);
    if (a->io_width == 1)
        mmio_write8(a->address, (uint8_t)value);
    else if (a->io_width == 2)
        mmio_write16(a->address, (uint16_t)value);
    else
        mmio_write32(a->address, value);
}

// A machine takes a moment to go; only one that stays is told about.
static _Noreturn void park(const char *what)
{
    for (volatile unsigned i = 0; i < 1u << 24; i++) {
    }
    log_error("this machine cannot be %s by software: its harts are parked", what);
    for (;;)
        __asm__ volatile("wfi");
}

_Noreturn void power_off(bool success)
{
    if (power.finisher)
        mmio_write32(power.finisher, success ? FINISHER_PASS : FINISHER_FAIL | FAIL_CODE);
    action_do(&power.poweroff);
    park("switched off");
}

_Noreturn void power_reboot(void)
{
    if (power.finisher)
        mmio_write32(power.finisher, FINISHER_RESET);
    action_do(&power.reboot);
    park("reset");
}
