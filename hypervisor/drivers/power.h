// Switching the machine off or resetting it: a register that takes a magic value, whether the device
// tree calls it sifive,test or syscon-poweroff.
#pragma once

#include "types.h"

// One way of ending: write `value` to `address`. For syscon nodes the regmap's base is added and the
// mask applied: the bits of the register outside the mask are kept.
struct power_action {
    uintptr_t address; // 0 if the machine has no such thing
    uint32_t value;
    uint32_t mask;    // 0: write the value as it is
    uint8_t io_width; // bytes an access: 1, 2, 4; 0 means 4
};

struct power_config {
    struct power_action poweroff;
    struct power_action reboot;
    uintptr_t finisher; // sifive,test: the only one that can say "failure"; 0 if none
};

void power_init(const struct power_config *config);

// Never return; where the machine has no such device, say so and park this hart. The caller has
// stopped the others.
_Noreturn void power_off(bool success);
_Noreturn void power_reboot(void);
