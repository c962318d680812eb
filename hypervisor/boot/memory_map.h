// Placing everything that comes with the boot, and giving the rest to the frame allocator.
#pragma once

#include "machine.h"

struct memory_needs {
    uint64_t hypervisor; // bytes of hypervisor memory beyond image and frame table
    uint64_t tables;     // of it, second-stage tables
    size_t capsules, vcores;
    uint64_t runs[64]; // capsules that need contiguous memory
    size_t run_count;
};

// Moves tree and bundle out of the way if they are in it, lays out the hypervisor's memory behind its
// image, starts frames and isolation. Answers where the tree is now; machine->bundle is updated in the
// moved tree too (linux,initrd-start/end). Stops the machine with a message if there is no room.
const void *memory_place(struct machine *machine, const struct memory_needs *needs, const void *tree, bool scrub);
