// With a point to go on elsewhere at each atomic operation.
#include "explore.h"

#include "../../../hypervisor/capsule/life.c"
#include "lives.h"

void lives_reset(void)
{
    living = 1;
    all_well = true;
}

unsigned lives_living(void)
{
    return living;
}
