// Stands in for riscv/hart.h in host tests: the same structs; who is asked for this hart, for the time and
// for sleep is the test.
#pragma once

#include "csr.h"

#define this_hart this_hart_of_hardware
#define hart_wait hart_wait_of_hardware
#define hart_time hart_time_of_hardware
#include "../../../hypervisor/riscv/hart.h"
#undef this_hart
#undef hart_wait
#undef hart_time

struct hart *this_hart(void);
void hart_wait(void);
uint64_t hart_time(void);
