// The memory of one hart: 16 KiB, aligned to 4 KiB.
//
//      +0      guard: no access for anybody, the hypervisor included (locked PMP entry)
//      +4 KiB  stack
//      +12 KiB structures and, above them, the stack for the hypervisor's own traps
#pragma once

#include "isolation.h"
#include "sched.h"

#define AREA_ORDER 2
#define AREA_SIZE (FRAME_SIZE << AREA_ORDER)

struct hart_area {
    uint8_t guard[FRAME_SIZE];
    uint8_t stack[2 * FRAME_SIZE];
    struct hart hart;
    struct isolation_hart isolation;
    struct queue queue;
    uint8_t own_stack[] __attribute__((aligned(16)));
};
