// The supervisor's kernel on the host: an architecture whose harts are moved by the test, physical memory that knows
// who has paid for each frame, and a checker of what must always hold.
#pragma once

#include "arch.h"
#include "task.h"

#define FAKE_FRAMES 4096u

extern uint64_t fake_time;
extern unsigned fake_hart; // which one runs
extern uint64_t fake_alarm[HARTS_MAX];
extern unsigned fake_kicks[HARTS_MAX];
extern bool fake_interrupt_enabled[INTERRUPTS_MAX];
extern unsigned fake_interrupt_completed[INTERRUPTS_MAX];
extern char fake_output[1 << 16]; // of the console
extern unsigned fake_output_size;
extern unsigned fake_output_room; // what the console takes at once
extern unsigned fake_frames_fail; // the n-th frames_take() from now fails, 0: none
extern unsigned fake_powered;     // arch_power() was called: 1 off, 2 reboot (it comes back by longjmp)
extern unsigned fake_tables;      // frames in page tables

// Memory and kernel as after booting, with this archive (NULL: one with "init" alone, which is fake_program()).
void fake_boot(unsigned harts, const void *archive, size_t size);
void fake_end(void);

// A program that the loader takes: its size in 'out', which has room for 16 KiB.
size_t fake_program(unsigned char *out);

// Adds a file to an archive at *size, and its end.
void fake_archive_add(unsigned char *archive, size_t *size, const char *name, const void *data, size_t data_size);
void fake_archive_end(unsigned char *archive, size_t *size);

// The task on this hart makes a call. Its answer; the handle it gave is in fake_handle, its values in fake_value.
struct fake_call {
    sv_word argument[7];
};
extern struct sv_handle fake_handle;
extern sv_word fake_value[5];
sv_word fake_call(unsigned call, struct sv_handle handle, struct fake_call c);
#define call(number, handle, ...) fake_call(number, handle, (struct fake_call){{__VA_ARGS__}})

// kernel_next(), which may power off.
struct task *fake_kernel_next(void);

// The hart comes into the kernel for nothing, and goes on with what it should.
struct task *fake_next(void);
struct task *fake_task(void); // what this hart runs
void fake_at(uint64_t time);  // time passes, with the alarms of all harts in it

// The program's own access to its memory, with its page faults. False: the run went wrong.
bool fake_store(uintptr_t address, const void *from, size_t size);
bool fake_load(uintptr_t address, void *out, size_t size);

// What it finds in its start page.
struct sv_handle fake_start_handle(const char *name);

// Aborts with a word if anything is wrong in the kernel.
void fake_check(void);
extern uint64_t fake_base_frames;
