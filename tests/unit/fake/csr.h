// Stands in for riscv/csr.h in host tests: the same numbers and fields, but CSRs that the test provides.
#pragma once

#ifndef __riscv // a test that is compiled for RISC-V has its own width
#ifndef FAKE_XLEN
#define FAKE_XLEN 64
#endif
#define __riscv_xlen FAKE_XLEN
#endif

#define csr_read_time csr_read_time_of_hardware
#include "../../../hypervisor/riscv/csr.h"
#undef csr_read_time

#undef csr_read
#undef csr_write
#undef csr_set
#undef csr_clear
#undef csr_swap
#undef csr_probe

#include <stdbool.h>
#include <stdint.h>

// The calling hart's CSR. The function that writes is told so that a test can leave out single writes.
unsigned long fake_csr_read(unsigned csr);
unsigned long fake_csr_write(unsigned csr, unsigned long value, const char *function); // answers the old value
bool fake_csr_probe(unsigned csr, unsigned long *value);
uint64_t csr_read_time(void);

#define csr_read(csr) fake_csr_read(csr)
#define csr_write(csr, value) ((void)fake_csr_write((csr), (unsigned long)(value), __func__))
#define csr_swap(csr, value) fake_csr_write((csr), (unsigned long)(value), __func__)
#define csr_set(csr, bits) csr_write((csr), fake_csr_read(csr) | (unsigned long)(bits))
#define csr_clear(csr, bits) csr_write((csr), fake_csr_read(csr) & ~(unsigned long)(bits))
#define csr_probe(csr, value) fake_csr_probe((csr), (value))
