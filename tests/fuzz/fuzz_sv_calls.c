// sources: supervisor bearssl
//
// The supervisor's system calls and faults, of several tasks on three harts, as the input says; with a checker after
// each.
#include "chaos.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 << 14)
        chaos_run(data, size);
    return 0;
}
