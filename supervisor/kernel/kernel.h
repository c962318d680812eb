// What all of the supervisor's kernel shares: the machine it found, the one lock, memory by the frame.
#pragma once

#include "log.h"
#include "status.h"
#include "supervisor.h"
#include "types.h"

#define HARTS_MAX 8
#define INTERRUPTS_MAX 128

// What booting found out (arch/<name>/ from the device tree), fixed afterwards.
struct machine {
    unsigned harts;
    uint64_t ticks_per_second;
    const void *archive; // cpio newc, read-only, aligned to 4; NULL: there is none
    size_t archive_size;
    uint32_t interrupts[INTERRUPTS_MAX / 32]; // those of devices that the kernel does not use itself, a bit each
    bool is_on_diosix;                        // its SBI extension is there
    uint8_t seed[64];                         // entropy, from the best there is; seed_bits of it are worth
    unsigned seed_bits;                       // something: 0 is said aloud
    const char *beneath;                      // "Diosix 1.0", "OpenSBI 1.3", ...
    const char *options;                      // /chosen/bootargs
};

// The half of a number that is in a second word where words have 32 bits.
static inline sv_word high_word(uint64_t number)
{
    return sizeof(sv_word) == 8 ? 0 : (sv_word)(number >> 32);
}

// A budget of frames. Budgets are made of others, the first one is the machine's.
struct budget {
    uint64_t limit, used; // in frames; used includes what was split off
};

// One frame, or a block of 2^order, filled with zero. STATUS_NO_MEMORY: the budget or the machine has too few.
must_check enum status frames_take(struct budget *pays, unsigned order, uint64_t *physical);
void frames_give(struct budget *paid, unsigned order, uint64_t physical);
uint64_t frames_total(void);
uint64_t frames_free(void);

// Sets aside or gives back what a budget promises: frames that are taken later are then sure to be there.
must_check enum status budget_reserve(struct budget *pays, uint64_t frames);
void budget_return(struct budget *paid, uint64_t frames);
