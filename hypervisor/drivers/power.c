#include "power.h"

#include "io.h"
#include "log.h"

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
    if (a->mask)
        value = (value & a->mask) | (action_read(a) & ~a->mask);
    if (a->io_width == 1)
        mmio_write8(a->address, (uint8_t)value);
    else if (a->io_width == 2)
        mmio_write16(a->address, (uint16_t)value);
    else
        mmio_write32(a->address, value);
}

// A machine takes a moment to go, and must not be told something else meanwhile: QEMU's exit status
// would be that of the last word.
static void wait_for_the_end(void)
{
    for (volatile unsigned i = 0; i < 1u << 24; i++) {
    }
}

static _Noreturn void end(uint32_t finisher_code, const struct power_action *action, const char *what)
{
    if (power.finisher) {
        mmio_write32(power.finisher, finisher_code);
        wait_for_the_end();
    }
    if (action->address) {
        action_do(action);
        wait_for_the_end();
    }
    log_error("this machine cannot be %s by software: its harts are parked", what);
    for (;;)
        __asm__ volatile("wfi");
}

_Noreturn void power_off(bool success)
{
    end(success ? FINISHER_PASS : FINISHER_FAIL | FAIL_CODE, &power.poweroff, "switched off");
}

_Noreturn void power_reboot(void)
{
    end(FINISHER_RESET, &power.reboot, "reset");
}
