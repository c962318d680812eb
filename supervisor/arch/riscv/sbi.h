// What is beneath: the SBI calls that the kernel makes (RISC-V SBI specification 2.0).
#pragma once

#include "types.h"

struct sbi_result {
    intptr_t error;
    uintptr_t value;
};

#define SBI_BASE 0x10
#define SBI_TIME 0x54494d45
#define SBI_IPI 0x735049
#define SBI_RFENCE 0x52464e43
#define SBI_HSM 0x48534d
#define SBI_SRST 0x53525354
#define SBI_DBCN 0x4442434e
#define SBI_DIOSIX 0x0a000005
#define SBI_LEGACY_PUTCHAR 1
#define SBI_LEGACY_SHUTDOWN 8

struct sbi_result sbi_call(uintptr_t extension, uintptr_t function, const uintptr_t arguments[6]);
#define sbi(extension, function, ...) sbi_call(extension, function, (const uintptr_t[6]){__VA_ARGS__})

bool sbi_has(uintptr_t extension);

// Looks what there is. Anything printed before goes by the legacy call.
void sbi_init(void);

// "Diosix 1.0", "OpenSBI 1.3", ...
const char *sbi_name(void);

// As many of these bytes, which lie in the kernel's view of RAM, as were taken; all where the firmware can't say. No
// lock is needed.
unsigned sbi_console_write(const char *bytes, unsigned size);

// Bytes that have come, without waiting.
unsigned sbi_console_read(char *bytes, unsigned size);

_Noreturn void sbi_power(bool reboot, bool failed);
