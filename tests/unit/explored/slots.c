// With a point to go on elsewhere at each atomic operation.
#include "explore.h"

#include "../../../hypervisor/guest/slots.c"
