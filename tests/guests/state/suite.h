// That a vcore's state is its own, whoever else uses the hart meanwhile.
#pragma once

#include "page.h"
#include "test.h"

#define SOFT_BIT (1ul << INTERRUPT_SOFTWARE)
#define TIMER_BIT (1ul << INTERRUPT_TIMER)

// Runs a check on every hart at once, each for a while; a check says what it found wrong, or NULL.
typedef const char *(*hart_check)(struct hart *);
void on_all_harts(hart_check);
// How long each hart of such a test should go on.
bool time_left(void);
void spin(unsigned long rounds);
unsigned long pattern(struct hart *, unsigned long salt);

void registers_preempted(void), float_preempted(void), float_off_kept(void), float_off_traps(void);
void vector_preempted(void), vector_asleep(void), controls_preempted(void), csrs_preempted(void), all_preempted(void);
void timer_both(void), timer_direct(void), wfi_timer(void), wfi_ipi(void);
void clock_monotone(void), clock_near_zero(void);
void ipi_ring(void), atomics(void), fence_code(void), fence_pages(void), fence_ranges(void);
void trap_illegal(void), trap_pages(void), trap_access(void), trap_user(void), trap_misaligned(void);
