// With a point to go on elsewhere at each atomic operation.
#include "explore.h"

#include "../../../hypervisor/capsule/capsule.c"
#include "lives.h"

unsigned lives_owners(void)
{
    unsigned total = 0;
    for (unsigned i = 0; i < array_length(owners); i++)
        total += (unsigned)__builtin_popcount(owners[i]);
    return total;
}
