// What is there from the beginning: the clock, the console, interrupts, and what stands for the system as a whole.
//
// Their objects are static. The console's input waits in a ring; when that is full, what comes is lost.
#pragma once

#include "task.h"

extern struct object clock_object, console_object, archive_object, system_object, hypervisor_object;

void devices_init(const struct machine *m);

// The interrupt's object; its id is its number.
struct object *interrupt_object(unsigned number);

// For the console and interrupts: fires it at once if there is input, or if the interrupt has come.
void device_wait(struct object *source, struct continuation *c);
unsigned console_waiting(void); // bytes

// (console, address, size), (console, address, size), (interrupt), (system, 0: off, 1: reboot),
// (hypervisor, function, address of struct sv_hypervisor_call)
enum sv_status call_write(struct task *t, struct capability *c);
enum sv_status call_read(struct task *t, struct capability *c);
enum sv_status call_complete(struct task *t, struct capability *c);
enum sv_status call_power(struct task *t, struct capability *c);
enum sv_status call_hypervisor(struct task *t, struct capability *c);
